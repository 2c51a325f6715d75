/** Laws of exec, archives, logs and stats. */
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import type { Law } from "./contractFixture.ts"
import { container, eventually, Fixture, run, running, runProgram, textOf } from "./contractFixture.ts"
import { tar, untar } from "./tar.ts"

export const ioLaws: Readonly<Record<string, Law>> = {
  "separates standard output from standard error and reports the exit code": Effect.gen(function* () {
    const id = yield* running()
    const result = yield* runProgram(id, ({ speaksAndFails }) => speaksAndFails)
    assert.deepStrictEqual(result, { exitCode: 3, stdout: "out\n", stderr: "err\n" })
  }),

  "gives an exec its environment, folder and user": Effect.gen(function* () {
    const { programs } = yield* Fixture
    const id = yield* running()
    const { stdout } = yield* run(id, {
      argv: programs.tellsPlace,
      env: { TOKEN: "a'b\"c" },
      workingDir: "/tmp",
      user: "12:34"
    })
    assert.strictEqual(stdout, "a'b\"c /tmp 12:34\n")
  }),

  "half-closes standard input and keeps the output": Effect.gen(function* () {
    const { programs } = yield* Fixture
    const id = yield* running()
    const input = Buffer.alloc(1024 * 1024, "0123456789abcdef\n")
    const { stdout, exitCode } = yield* run(id, { argv: programs.copiesInput }, input)
    assert.strictEqual(exitCode, 0)
    assert.isTrue(stdout === `${input.toString()}end\n`)
  }),

  "does not end the process when the connection goes": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running()
    const scope = yield* Scope.make()
    const connection = yield* engine.exec(id, { argv: programs.sleeps }).pipe(Scope.provide(scope))
    // Engines say that it runs a moment before they know its pid.
    yield* eventually(engine.inspectExec(connection.execId), ({ hostPid }) => hostPid !== undefined)
    yield* Scope.close(scope, Exit.void)
    const state = yield* engine.inspectExec(connection.execId)
    assert.deepInclude(state, { running: true, exitCode: undefined, containerId: id })
  }),

  "reports a command that cannot run by error or by code, never as success": Effect.gen(function* () {
    const id = yield* running()
    const outcome = yield* Effect.result(runProgram(id, ({ absent }) => absent))
    if (outcome._tag === "Success") assert.include([126, 127, 128], outcome.success.exitCode)
    else assert.deepInclude(outcome.failure, { _tag: "InvalidRequest", reason: "command-not-found" })
  }),

  "makes no process of an exec before its gate has opened, and none if it does not": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running()
    const before = (yield* engine.topContainer(id)).length
    let asked = 0
    const count = Effect.map(engine.topContainer(id), (processes) => void (asked += processes.length))
    const gate = (open: boolean) => Effect.as(Effect.orDie(count), open)
    const start = (open: boolean) => Effect.scoped(engine.exec(id, { argv: programs.sleeps, gate: gate(open) }))
    assert.strictEqual((yield* Effect.flip(start(false)))._tag, "EngineConflict")
    assert.strictEqual(asked, before)
    yield* start(true)
    assert.strictEqual(asked, 2 * before, "asked once, and nothing ran yet")
    yield* eventually(engine.topContainer(id), (processes) => processes.length === before + 1)
  }),

  "does not know an exec that never was": Effect.gen(function* () {
    const { engine } = yield* Fixture
    assert.deepInclude(yield* Effect.flip(engine.inspectExec("0".repeat(64))), { _tag: "ObjectNotFound", kind: "exec" })
  }),

  "takes a tar and gives it back": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* running()
    const entries = [
      { name: "d/", mode: 0o755 },
      { name: "d/a.txt", text: "hello", mode: 0o640 },
      { name: "d/b", text: "x".repeat(70_000) }
    ]
    yield* engine.putArchive(id, "/tmp", Stream.make(tar(entries)))
    assert.strictEqual((yield* runProgram(id, ({ reads }) => reads("/tmp/d/a.txt"))).stdout, "hello")
    const bytes = Buffer.concat(yield* Stream.runCollect(engine.getArchive(id, "/tmp/d")))
    assert.deepStrictEqual(untar(bytes), { "d/a.txt": "hello", "d/b": "x".repeat(70_000) })
    const stat = yield* engine.statPath(id, "/tmp/d/a.txt")
    assert.deepInclude(stat, {
      name: "a.txt",
      sizeBytes: 5,
      mode: 0o640,
      kind: "file",
      modifiedAtMillis: 1_700_000_000_000
    })
    assert.strictEqual((yield* engine.statPath(id, "/tmp/d")).kind, "directory")
    yield* runProgram(id, ({ makesLinkAndPipe }) => makesLinkAndPipe("/tmp/d"))
    assert.deepInclude(yield* engine.statPath(id, "/tmp/d/link"), { kind: "symlink" })
    assert.strictEqual((yield* engine.statPath(id, "/tmp/d/pipe")).kind, "other")
  }),

  "lets other calls through after a tar was dropped half-read": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* running()
    yield* runProgram(id, ({ writesZeros }) => writesZeros("/tmp/big", 8_000_000))
    assert.lengthOf(yield* Stream.runCollect(Stream.take(engine.getArchive(id, "/tmp/big"), 1)), 1)
    yield* Effect.timeout(engine.stopContainer(id, { graceSeconds: 0 }), "10 seconds")
  }),

  "tells a missing path from a read-only root": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* container({ host: { readOnlyRoot: true } })
    const put = (path: string) => Effect.flip(engine.putArchive(id, path, Stream.make(tar([{ name: "a", text: "b" }]))))
    assert.deepInclude(yield* put("/absent"), { _tag: "ObjectNotFound", kind: "path" })
    assert.deepInclude(yield* put("/tmp"), { _tag: "InvalidRequest", reason: "read-only" })
    assert.deepInclude(yield* Effect.flip(engine.statPath(id, "/absent")), { _tag: "ObjectNotFound", kind: "path" })
    assert.deepInclude(yield* Effect.flip(Stream.runDrain(engine.getArchive(id, "/absent"))), {
      _tag: "ObjectNotFound",
      kind: "path"
    })
  }),

  "keeps the logs of both channels": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running({ command: programs.speaksOnBoth })
    yield* engine.waitContainer(id)
    const frames = yield* Stream.runCollect(engine.logs(id, { follow: false }))
    assert.deepStrictEqual([textOf(frames, "stdout"), textOf(frames, "stderr")], ["one\nthree\n", "two\n"])
    // Engines copy the two channels independently, so only lines of one channel have an order to ask the tail for.
    const oneChannel = yield* running({ command: programs.speaksThrice })
    yield* engine.waitContainer(oneChannel)
    const last = yield* Stream.runCollect(engine.logs(oneChannel, { follow: false, tail: 1 }))
    assert.strictEqual(textOf(last, "stdout"), "three\n")
    const missing = yield* Effect.flip(Stream.runDrain(engine.logs("sbx-test-absent", { follow: false })))
    assert.strictEqual(missing._tag, "ObjectNotFound")
  }),

  "follows logs until the container ends": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running({ command: programs.waitsForFile("/tmp/go") })
    const following = yield* Effect.forkChild(Stream.runCollect(engine.logs(id, { follow: true })))
    yield* runProgram(id, ({ writesLine }) => writesLine("/tmp/go", ""))
    assert.strictEqual(textOf(yield* Fiber.join(following), "stdout"), "first\nlast\n")
  }),

  "samples a running container at once, and calls a stopped one absent": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* running({ host: { memoryBytes: 32 * 1024 * 1024, pidsLimit: 16, networkMode: "none" } })
    const stats = yield* engine.statsContainer(id)
    if (stats === "absent") return assert.fail("the container runs")
    assert.isAbove(stats.cpu?.usageNanos ?? 0, 0)
    assert.isAbove(stats.memory?.usageBytes ?? 0, 0)
    assert.strictEqual(stats.memory?.limitBytes, 32 * 1024 * 1024)
    assert.isAtLeast(stats.pids?.current ?? 0, 1)
    assert.isUndefined(stats.network)
    yield* engine.stopContainer(id, { graceSeconds: 0 })
    assert.strictEqual(yield* engine.statsContainer(id), "absent")
  }),

  "reports no memory limit where none was set": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const stats = yield* engine.statsContainer(yield* running())
    assert.isTrue(stats !== "absent" && stats.memory !== undefined && stats.memory.limitBytes === undefined)
  })
}
