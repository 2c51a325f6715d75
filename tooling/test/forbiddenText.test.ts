import { assert, describe, it } from "vitest"
import { check } from "../src/checks/forbiddenText.ts"
import { clean, places, plant } from "./plant.ts"

const inFile = (text: string, path = "docs/a.md") => places(check(plant({ [path]: text })))

// Put together here too: this file is checked like any other.
const hosts = [
  ["registry", "npmjs", "org"],
  ["registry", "yarnpkg", "com"],
  ["registry-1", "docker", "io"],
  ["deb", "debian", "org"],
  ["security", "debian", "org"],
  ["ftp", "de", "debian", "org"],
  ["files", "pythonhosted", "org"],
  ["proxy", "golang", "org"]
].map((labels) => labels.join("."))
const slash = "/"
const home = (...parts: ReadonlyArray<string>) => slash + parts.join(slash)

describe("forbiddenText", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  for (const host of hosts) {
    it(`reports ${host.split(".").join(" · ")}, bare and in a URL`, () => {
      assert.deepStrictEqual(inFile(`\nfrom ${host}\n`), ["docs/a.md:2 registry-host"])
      assert.include(inFile(`see https:${slash}/${host}/pool`), "docs/a.md:1 registry-host")
    })
  }

  for (const host of ["npm.registry.local", "10-mirror.example", "nexus.corp"]) {
    it(`reports a URL of ${host}`, () => {
      assert.deepStrictEqual(inFile(`http:${slash}/${host}:8081/x`), ["docs/a.md:1 registry-host"])
    })
  }

  for (const path of [home("work", "main"), home("root", ".cache"), home("home", "me", "x")]) {
    it(`reports ${path.split(slash).join(" · ")}`, () => {
      for (const text of [path, `cd ${path}`, `("${path}")`, `PATH=${path}:x`, `file:/${slash}${path}`]) {
        assert.deepStrictEqual(inFile(text), ["docs/a.md:1 machine-path"], text)
      }
    })
  }

  for (const words of [
    ["this", "session"],
    ["a sub", "agent"],
    ["BRIEF", ".md"],
    ["..", "/shared/SPEC.md"]
  ]) {
    it(`reports ${words.join(" + ")}`, () => {
      const glue = words[0] === "this" ? " " : ""
      assert.deepStrictEqual(inFile(`Written in ${words.join(glue)}.`), ["docs/a.md:1 working-talk"])
    })
  }

  it("accepts ordinary links, places inside Linux and ordinary words", () => {
    const fine = [
      "https://docs.kernel.org/admin-guide/cgroup-v2.html",
      "https://github.com/moby/moby/issues/1",
      "https://wiki.debian.org/Docker",
      "/proc/1/root/etc and /proc/${pid}/root/etc and /proc/*/root/etc",
      "/workspace/a and ./work/a and network/work/a",
      "the session leader; the D-Bus session; a registry of events"
    ]
    assert.deepStrictEqual(inFile(fine.join("\n")), [])
  })

  it("lets the lockfile name no host at all", () => {
    const resolution = `resolution: {integrity: sha512-x, tarball: https://packages.example/a.tgz}\n`
    assert.deepStrictEqual(places(check(plant({ "pnpm-lock.yaml": `a:\n${resolution}` }))), [
      "pnpm-lock.yaml:2 registry-host"
    ])
    assert.deepStrictEqual(check(plant({ "pnpm-lock.yaml": "resolution: {integrity: sha512-x}\n" })), [])
    assert.deepStrictEqual(check(plant({ "docs/a.md": resolution })), [])
  })
})
