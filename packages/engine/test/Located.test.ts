import { assert, describe, it } from "@effect/vitest"
import type { EngineEndpoint, EngineInfo } from "../src/Engine.ts"
import { fingerprint } from "../src/Located.ts"

const endpoint: EngineEndpoint = { kind: "explicit", address: "unix:///a.sock" }
const info: EngineInfo = {
  id: "A",
  version: "20.10.24",
  apiVersion: "1.41",
  operatingSystem: "Debian",
  kernelVersion: "6.1.0",
  architecture: "x86_64",
  cpus: 2,
  memoryBytes: 4e9,
  storageDriver: "overlay2",
  backingFilesystem: "extfs",
  dataRoot: "/var/lib/docker",
  cgroupVersion: "1",
  cgroupDriver: "cgroupfs",
  defaultRuntime: "runc",
  runtimes: ["runc"],
  securityOptions: ["name=seccomp,profile=default", "name=apparmor"],
  warnings: []
}
const usual = fingerprint(endpoint, info)

describe("fingerprint", () => {
  const changes: ReadonlyArray<Partial<EngineInfo>> = [
    { version: "27.0.0" },
    { apiVersion: "1.47" },
    { kernelVersion: "6.1.1" },
    { cgroupVersion: "2" },
    { cgroupDriver: "systemd" },
    { storageDriver: "vfs" },
    { defaultRuntime: "runsc" },
    { securityOptions: ["name=seccomp,profile=default"] },
    { cpus: 4 }
  ]
  for (const change of changes) {
    it(`is another with ${JSON.stringify(change)}`, () => {
      assert.notStrictEqual(fingerprint(endpoint, { ...info, ...change }), usual)
    })
  }

  it("is another at another address, and on the private engine", () => {
    assert.notStrictEqual(fingerprint({ ...endpoint, address: "unix:///b.sock" }, info), usual)
    assert.notStrictEqual(fingerprint({ ...endpoint, kind: "private" }, info), usual)
  })

  it("is the same for the same engine, and wherever the private one's state lies", () => {
    const { securityOptions } = info
    assert.strictEqual(fingerprint(endpoint, { ...info, securityOptions: securityOptions.toReversed() }), usual)
    const [here, there] = ["/a", "/b"].map((path) => fingerprint({ kind: "private", address: `unix://${path}` }, info))
    assert.strictEqual(here, there)
  })
})
