import { assert, describe, it } from "@effect/vitest"
import { aptState, parseSimulation, parseUris, setDigest } from "../src/internal/privateEngine/apt.ts"

describe("parseSimulation", () => {
  it("takes name and new version of installs and upgrades, and nothing else", () => {
    const output = `NOTE: This is only a simulation!
Inst busybox-static (1:1.35.0-4+deb12u1+b1 Debian:12.15/oldstable [amd64])
Inst libseccomp2 [2.5.4-1] (2.5.4-1+deb12u1 Debian:12.15/oldstable [amd64])
Conf busybox-static (1:1.35.0-4+deb12u1+b1 Debian:12.15/oldstable [amd64])
Remv containerd.io [1.7.2-1]`
    assert.deepStrictEqual(parseSimulation(output), [
      { name: "busybox-static", version: "1:1.35.0-4+deb12u1+b1" },
      { name: "libseccomp2", version: "2.5.4-1+deb12u1" }
    ])
  })
})

describe("parseUris", () => {
  it("takes file and size", () => {
    const output = "'http://x/pool/t/tini/tini_0.19.0-1%2bb3_amd64.deb' tini_0.19.0-1+b3_amd64.deb 267056 SHA256:ab\n"
    assert.deepStrictEqual(parseUris(output), [{ file: "tini_0.19.0-1+b3_amd64.deb", sizeBytes: 267_056 }])
  })
})

describe("setDigest", () => {
  it("depends on names and versions and not on their order", () => {
    const a = { name: "a", version: "1" }
    const b = { name: "b", version: "1" }
    assert.strictEqual(setDigest([a, b]), setDigest([b, a]))
    assert.notStrictEqual(setDigest([a]), setDigest([{ name: "a", version: "2" }]))
  })
})

describe("aptState", () => {
  it("keeps everything beneath one folder", () => {
    assert.deepStrictEqual(aptState("/s").lists, "/s/lists")
  })
})
