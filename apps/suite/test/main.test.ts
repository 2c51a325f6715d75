import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Owner from "@sbx/core/Owner"
import * as Effect from "effect/Effect"
import { directory, run } from "./support/commandLine.ts"
import { describeIf } from "./support/describeIf.ts"

const root = process.getuid?.() === 0
/** Nothing where well-known sockets lie, in a mount namespace of the child's own. */
const hideSockets = "mount -t tmpfs none /run"
const nowhere = { DOCKER_HOST: "unix:///nowhere/docker.sock" }

const currentOwner = Owner.current.pipe(Effect.map(Owner.toLabel), Effect.provide(NodeServices.layer))

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
    const refusals = [
      ["./none.ts", "no default export"],
      ["./broken.ts", "Could not load the scenarios of ./broken.ts"],
      ["./array.ts", "item 1 of its default export is no scenario"],
      ["./twice.ts", "two scenarios are called my/a"]
    ] as const
    const refused = refusals.map(async ([file, why]) => {
      const { code, stderr } = await run(["run", file], { cwd })
      assert.strictEqual(code, 2, file)
      assert.include(stderr, why)
    })
    await Promise.all(refused)
  })
})

// Elsewhere the same refusals are tested in-process, in Cli.test.ts.
describeIf(root, "hiding sockets takes root")("without an engine", () => {
  it("shows the private engine that a run would use, without starting it", async () => {
    const ended = await run(["engine", "status", "--json"], { cwd: directory(), before: hideSockets })
    assert.strictEqual(ended.code, 0, ended.stderr)
    const { endpoint, ...status } = JSON.parse(ended.stdout)
    assert.deepStrictEqual(status, { kind: "private", running: false, version: null })
    assert.match(endpoint, /^unix:\/\/.*docker\.sock$/)
  })

  it("has nothing to reap where none was ever installed, and makes no state folder", async () => {
    const cwd = directory()
    const [ended, dry] = await Promise.all([
      run(["reap", "--json"], { cwd, before: hideSockets }),
      run(["reap", "--dry-run"], { cwd, before: hideSockets })
    ])
    assert.strictEqual(ended.code, 0, ended.stderr)
    const { dryRun, ...lists } = JSON.parse(ended.stdout)
    assert.isFalse(dryRun)
    assert.lengthOf(Object.keys(lists), 7)
    for (const list of Object.values(lists)) assert.deepStrictEqual(list, [])
    assert.deepInclude(dry, { code: 0, stdout: "0 objects of dead runs\n" })
    assert.isFalse(existsSync(path.join(cwd, "state")))
    assert.notInclude(ended.stderr + dry.stderr, "--no-install")
  })

  it("removes what an engine that is no more left in the state folder, and nothing of a live owner", async () => {
    const cwd = directory()
    const folder = path.join(cwd, "state/volumes/ABCD-EFGH")
    mkdirSync(folder, { recursive: true })
    const live = { sandbox: "sbx_live", owner: await Effect.runPromise(currentOwner) }
    // The same process id, started at another time.
    const dead = { sandbox: "sbx_dead", owner: live.owner.replace(/\d+$/, "1") }
    const leases = new DatabaseSync(path.join(cwd, "state/leases.sqlite"))
    leases.exec(
      "CREATE TABLE lease (engine TEXT, uid INTEGER, sandbox TEXT, owner TEXT, PRIMARY KEY (engine, uid)) STRICT"
    )
    const insert = leases.prepare("INSERT INTO lease VALUES ('ABCD:EFGH', ?, ?, ?)")
    for (const [index, { sandbox, owner }] of [dead, live].entries()) {
      insert.run(100_000 + index, sandbox, owner)
      writeFileSync(path.join(folder, `sbx-jrn-${sandbox}-ws.img`), "")
    }
    const listed = JSON.parse((await run(["reap", "--dry-run", "--json"], { cwd, before: hideSockets })).stdout)
    assert.deepStrictEqual(
      listed.objects.map(({ name }: { name: string }) => name),
      ["sbx-jrn-sbx_dead-ws"]
    )
    assert.lengthOf(readdirSync(folder), 2)
    const ended = await run(["reap", "--json"], { cwd, before: hideSockets })
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(readdirSync(folder), ["sbx-jrn-sbx_live-ws.img"])
    const left = leases.prepare("SELECT sandbox FROM lease").all()
    leases.close()
    assert.deepStrictEqual(
      left.map(({ sandbox }) => sandbox),
      ["sbx_live"]
    )
  })

  it("says what is missing, with the exact commands, and leaves no run", async () => {
    const cwd = directory()
    const ended = await run(["run", "--no-install", "--json"], { cwd, before: hideSockets })
    assert.deepInclude(ended, { code: 4, stdout: "" })
    assert.include(ended.stderr, "Could not find a container engine")
    assert.include(ended.stderr, "apt-get install")
    assert.notInclude(ended.stderr, "    at ")
    assert.strictEqual((await run(["events"], { cwd })).code, 2)
  })

  it("takes no packages for tests when it may not", async () => {
    const ended = await run(["test", "--no-install"], { cwd: directory(), before: hideSockets })
    assert.deepInclude(ended, { code: 4, stdout: "" })
    assert.include(ended.stderr, "taking packages was refused")
  })

  it("has nothing to reap where the engine's folder was made and nothing installed", async () => {
    const cwd = directory()
    mkdirSync(path.join(cwd, "state/engine"), { recursive: true })
    const ended = await run(["reap", "--dry-run"], { cwd, before: hideSockets })
    assert.deepInclude(ended, { code: 0, stdout: "0 objects of dead runs\n" })
    assert.notInclude(ended.stderr, "--no-install")
  })
})

describeIf(root, "mounting takes root")("a place that takes no files", () => {
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
