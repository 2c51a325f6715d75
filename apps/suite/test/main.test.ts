import { writeFileSync } from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { directory, run } from "./support/commandLine.ts"

const root = process.getuid?.() === 0
/** Nothing where well-known sockets lie, in a mount namespace of the child's own. */
const hideSockets = "mount -t tmpfs none /run"
const nowhere = { DOCKER_HOST: "unix:///nowhere/docker.sock" }

describe("the process", () => {
  it("exits with the code of a usage error and keeps standard output clean", async () => {
    const ended = await run(["run", "smok", "--json"], { cwd: directory() })
    assert.deepInclude(ended, { code: 2, signal: null, stdout: "" })
    assert.include(ended.stderr, "smoke")
    assert.notInclude(ended.stderr, "    at ")
  })

  it("refuses modules that export no scenario", async () => {
    const cwd = directory()
    const write = (name: string, text: string) => writeFileSync(path.join(cwd, name), text)
    write("none.ts", "export const scenario = 1\n")
    write("broken.ts", "export default (\n")
    const good = 'Scenario.make("my/a", { description: "a" }, Effect.void)'
    const imports = 'import * as Scenario from "@sbx/core/Scenario"\nimport * as Effect from "effect/Effect"\n'
    write("array.ts", `${imports}export default [${good}, { name: "my/b" }]\n`)
    write("twice.ts", `${imports}export default [${good}, ${good}]\n`)
    const none = await run(["run", "./none.ts"], { cwd })
    assert.strictEqual(none.code, 2)
    assert.include(none.stderr, "no default export")
    const broken = await run(["run", "./broken.ts"], { cwd })
    assert.strictEqual(broken.code, 2)
    assert.include(broken.stderr, "Could not load the scenarios of ./broken.ts")
    const array = await run(["run", "./array.ts"], { cwd })
    assert.include(array.stderr, "item 1 of its default export is no scenario")
    const twice = await run(["run", "./twice.ts"], { cwd })
    assert.strictEqual(twice.code, 2)
    assert.include(twice.stderr, "two scenarios are called my/a")
  })
})

// Hiding sockets and mounting need root; elsewhere the same refusals are tested in-process, in Cli.test.ts.
describe.runIf(root)("without an engine", () => {
  it("shows the private engine that a run would use, without starting it", async () => {
    const ended = await run(["engine", "status", "--json"], { cwd: directory(), before: hideSockets })
    assert.strictEqual(ended.code, 0, ended.stderr)
    const { endpoint, ...status } = JSON.parse(ended.stdout)
    assert.deepStrictEqual(status, { kind: "private", running: false, version: null })
    assert.match(endpoint, /^unix:\/\/.*docker\.sock$/)
  })

  it("says what is missing, with the exact commands, and leaves no run", async () => {
    const cwd = directory()
    const ended = await run(["run", "--no-install", "--json"], { cwd, before: hideSockets })
    assert.deepInclude(ended, { code: 4, stdout: "" })
    assert.include(ended.stderr, "Could not find a container engine")
    assert.include(ended.stderr, "apt-get install")
    assert.notInclude(ended.stderr, "    at ")
    assert.strictEqual((await run(["events"], { cwd })).code, 2)
    const test = await run(["test", "--no-install"], { cwd, before: hideSockets })
    assert.deepInclude(test, { code: 4, stdout: "" })
    assert.include(test.stderr, "taking packages was refused")
  })
})

describe.runIf(root)("a place that takes no files", () => {
  it("is refused before an engine is looked for when it is read-only", async () => {
    const before = "mkdir .sbx; mount -t tmpfs -o ro none .sbx"
    const ended = await run(["run"], { cwd: directory(), env: nowhere, before })
    assert.strictEqual(ended.code, 3)
    assert.match(ended.stderr, /Could not write .*\.sbx\/runs: the file system is read-only \(EROFS\)/)
    assert.notInclude(ended.stderr, "engine")
  })

  it("is refused before an engine is looked for when it is full", async () => {
    const before = "mkdir .sbx; mount -t tmpfs -o size=64k none .sbx"
    const ended = await run(["run"], { cwd: directory(), env: nowhere, before })
    assert.strictEqual(ended.code, 3)
    assert.match(ended.stderr, /Could not write .*: the disk is full \(ENOSPC\)/)
    assert.notInclude(ended.stderr, "engine")
  })

  it("is refused when a file is in its place", async () => {
    const cwd = directory()
    writeFileSync(path.join(cwd, ".sbx"), "")
    const ended = await run(["run"], { cwd, env: nowhere })
    assert.strictEqual(ended.code, 3)
    assert.include(ended.stderr, "a file is in its place")
  })
})
