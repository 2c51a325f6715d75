/** Laws of containers: lifecycle, idempotence, conflicts, inspection. */
import { assert } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream } from "effect"
import type { Law } from "./contractFixture.ts"
import { container, Fixture, running, textOf } from "./contractFixture.ts"

export const containerLaws: Readonly<Record<string, Law>> = {
  "answers a ping and tells what it is": Effect.gen(function* () {
    const { engine } = yield* Fixture
    yield* engine.ping
    const info = yield* engine.info
    assert.notStrictEqual(info.id, "")
    assert.isAbove(info.cpus, 0)
    assert.isAbove(info.memoryBytes, 0)
    assert.match(info.apiVersion, /^\d+\.\d+$/)
  }),

  "creates without starting, and lists by label in every state": Effect.gen(function* () {
    const { engine, labels, programs } = yield* Fixture
    const mark = { ...labels, "sbx.test.case": "list" }
    const id = yield* container({ labels: mark })
    const stopped = yield* running({ labels: mark, command: programs.exits(0) })
    yield* engine.waitContainer(stopped)
    const listed = yield* engine.listContainers(mark)
    assert.deepStrictEqual(
      new Map(listed.map((one) => [one.id, one.status])),
      new Map([
        [id, "created"],
        [stopped, "exited"]
      ])
    )
    assert.lengthOf(yield* engine.listContainers({ ...labels, "sbx.test.case": "" }), 2)
    assert.lengthOf(yield* engine.listContainers({ ...labels, "sbx.test.case": "other" }), 0)
    const seen = yield* engine.inspectContainer(id)
    assert.deepInclude(seen.state, {
      status: "created",
      running: false,
      exitCode: undefined,
      startedAtMillis: undefined
    })
  }),

  "refuses an unknown image and a name in use": Effect.gen(function* () {
    const { engine, image, name } = yield* Fixture
    const missing = yield* Effect.flip(engine.createContainer({ name: name("x"), image: "sbx-test/absent:1" }))
    assert.deepInclude(missing, { _tag: "ObjectNotFound", kind: "image" })
    const taken = name("taken")
    yield* container({ name: taken })
    const again = yield* Effect.flip(engine.createContainer({ name: taken, image }))
    assert.deepInclude(again, { _tag: "EngineConflict", reason: "name-in-use" })
  }),

  "starts, stops and removes, each twice with the same result": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* container()
    yield* engine.startContainer(id)
    yield* engine.startContainer(id)
    const up = yield* engine.inspectContainer(id)
    assert.isTrue(up.state.running)
    assert.isAbove(up.state.hostPid ?? 0, 1)
    assert.isAtLeast(up.state.startedAtMillis ?? 0, up.createdAtMillis)
    yield* engine.stopContainer(id, { graceSeconds: 0 })
    yield* engine.stopContainer(id, { graceSeconds: 0 })
    const down = yield* engine.inspectContainer(id)
    assert.deepInclude(down.state, { status: "exited", hostPid: undefined, exitCode: 137 })
    yield* engine.removeContainer(id)
    yield* engine.removeContainer(id)
    assert.deepInclude(yield* Effect.flip(engine.inspectContainer(id)), { _tag: "ObjectNotFound", kind: "container" })
  }),

  "stops with the stop signal before it kills": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running({ command: programs.endsOnTerm })
    const first = yield* Stream.runCollect(Stream.take(engine.logs(id, { follow: true }), 1))
    assert.strictEqual(textOf(first, "stdout"), "ready\n")
    yield* engine.stopContainer(id, { graceSeconds: 10 })
    assert.strictEqual((yield* engine.inspectContainer(id)).state.exitCode, 42)
  }),

  "removes a running container, and for two callers at once": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* running()
    yield* Effect.all([engine.removeContainer(id), engine.removeContainer(id)], { concurrency: 2 })
    assert.strictEqual((yield* Effect.flip(engine.inspectContainer(id)))._tag, "ObjectNotFound")
  }),

  "waits for the exit code, also of one that has already ended": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running({ command: programs.waitsForLine, openStdin: true })
    const waiting = yield* Effect.forkChild(engine.waitContainer(id))
    yield* engine.killContainer(id, "KILL")
    assert.deepStrictEqual(yield* Fiber.join(waiting), { exitCode: 137 })
    assert.deepStrictEqual(yield* engine.waitContainer(id), { exitCode: 137 })
  }),

  "pauses and resumes, and says when it already is so": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running()
    assert.deepInclude(yield* Effect.flip(engine.unpauseContainer(id)), {
      _tag: "EngineConflict",
      reason: "not-paused"
    })
    yield* engine.pauseContainer(id)
    assert.strictEqual((yield* engine.inspectContainer(id)).state.status, "paused")
    assert.deepInclude(yield* Effect.flip(engine.pauseContainer(id)), { reason: "already-paused" })
    const refused = yield* Effect.flip(Effect.scoped(engine.exec(id, { argv: programs.exits(0) })))
    assert.deepInclude(refused, { _tag: "EngineConflict", reason: "paused" })
    yield* engine.unpauseContainer(id)
    assert.strictEqual((yield* engine.inspectContainer(id)).state.status, "running")
  }),

  "refuses to kill, pause, exec in or list processes of one that does not run": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* container()
    const calls = [
      engine.killContainer(id, "TERM"),
      engine.pauseContainer(id),
      Effect.scoped(engine.exec(id, { argv: programs.exits(0) })),
      engine.topContainer(id)
    ]
    for (const call of calls) {
      assert.deepInclude(yield* Effect.flip(Effect.asVoid<unknown, unknown, never>(call)), {
        _tag: "EngineConflict",
        reason: "not-running"
      })
    }
  }),

  "says not found for every call on a container that is not there": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = "sbx-test-absent"
    const calls = [
      engine.startContainer(id),
      engine.stopContainer(id, { graceSeconds: 0 }),
      engine.killContainer(id, "TERM"),
      engine.pauseContainer(id),
      engine.unpauseContainer(id),
      engine.updateContainer(id, { pidsLimit: 10 }),
      engine.waitContainer(id),
      engine.topContainer(id),
      engine.statsContainer(id),
      Effect.scoped(engine.exec(id, { argv: programs.exits(0) })),
      engine.statPath(id, "/")
    ]
    for (const call of calls) {
      assert.deepInclude(yield* Effect.flip(Effect.asVoid<unknown, unknown, never>(call)), {
        _tag: "ObjectNotFound",
        kind: "container",
        id
      })
    }
  }),

  "tells a command that is not there from a failing engine": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* container({ command: programs.absent })
    assert.deepInclude(yield* Effect.flip(engine.startContainer(id)), {
      _tag: "InvalidRequest",
      reason: "command-not-found"
    })
    const folder = yield* container({ command: programs.folder })
    assert.deepInclude(yield* Effect.flip(engine.startContainer(folder)), {
      _tag: "InvalidRequest",
      reason: "command-not-executable"
    })
  }),

  "shows the settings that it applied": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const host = {
      networkMode: "none",
      readOnlyRoot: true,
      capDrop: ["ALL"],
      securityOpt: ["no-new-privileges:true"],
      memoryBytes: 64 * 1024 * 1024,
      memorySwapBytes: 64 * 1024 * 1024,
      nanoCpus: 500_000_000,
      pidsLimit: 32,
      ulimits: [{ name: "nofile", soft: 64, hard: 64 }],
      tmpfs: { "/tmp": "rw,size=1m" },
      logConfig: { type: "json-file", config: { "max-size": "1m" } }
    }
    const id = yield* container({ host, env: { A: "b c" }, user: "7:8" })
    const seen = yield* engine.inspectContainer(id)
    assert.deepInclude(seen.host, host)
    assert.include(seen.env, "A=b c")
    assert.strictEqual(seen.user, "7:8")
  }),

  "changes limits while it runs": Effect.gen(function* () {
    const { engine } = yield* Fixture
    const id = yield* running({ host: { memoryBytes: 32 * 1024 * 1024, memorySwapBytes: 32 * 1024 * 1024 } })
    const bytes = 48 * 1024 * 1024
    yield* engine.updateContainer(id, { memoryBytes: bytes, memorySwapBytes: bytes, pidsLimit: 20 })
    assert.deepInclude((yield* engine.inspectContainer(id)).host, {
      memoryBytes: bytes,
      memorySwapBytes: bytes,
      pidsLimit: 20
    })
    const stats = yield* engine.statsContainer(id)
    assert.isTrue(stats !== "absent" && stats.memory?.limitBytes === bytes)
  }),

  "lists processes with their ids on the host": Effect.gen(function* () {
    const { engine, programs } = yield* Fixture
    const id = yield* running()
    const { state } = yield* engine.inspectContainer(id)
    // ps(1) shows a name in brackets while the kernel has not set up the command line of a program just executed.
    const listed = yield* engine.topContainer(id).pipe(
      Effect.repeat({
        schedule: Schedule.spaced("50 millis"),
        until: (processes) => processes.every(({ command }) => !command.startsWith("["))
      }),
      Effect.timeout("10 seconds")
    )
    assert.deepStrictEqual(
      listed.map(({ hostPid, command }) => [hostPid, command]),
      [[state.hostPid, programs.sleeps.join(" ")]]
    )
  })
}
