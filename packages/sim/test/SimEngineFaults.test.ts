import { assert, describe } from "@effect/vitest"
import { awaitExecExit } from "@sbx/engine/ExecExit"
import { Effect, Fiber, Stream } from "effect"
import type { FaultKind } from "../src/SimFault.ts"
import { FaultKind as Kinds } from "../src/SimFault.ts"
import { simulated } from "./support/simulated.ts"
import { actionsUntilCut, namesIn, running, spec, world } from "./support/simWorlds.ts"

/** Only what was told to fire has fired. */
const assertCounts = (counts: Readonly<Record<FaultKind, number>>, expected: Partial<Record<FaultKind, number>>) =>
  assert.deepStrictEqual(
    counts,
    Object.fromEntries(Kinds.literals.map((kind) => [kind, expected[kind] ?? 0])) as Record<FaultKind, number>
  )

describe("a call that fails", () => {
  simulated(
    "refusal and transport failure do nothing, and stop when they are cleared",
    Effect.gen(function* () {
      const sim = yield* world()
      const { engine, faults } = sim
      faults.set("refusal", { operations: ["create container"], times: 1 })
      const refused = yield* Effect.flip(engine.createContainer(spec("one")))
      assert.deepInclude(refused, { _tag: "EngineFailure", status: 500, retryable: true })
      faults.set("transport-failure", {})
      const lost = yield* Effect.flip(engine.createContainer(spec("one")))
      assert.deepInclude(lost, { _tag: "EngineUnavailable", reason: "connection-lost" })
      assert.deepStrictEqual(namesIn(sim), [])
      faults.clear("transport-failure")
      yield* engine.createContainer(spec("one"))
      assert.deepStrictEqual(namesIn(sim), ["one"])
      assertCounts(faults.counts(), { refusal: 1, "transport-failure": 1 })
    })
  )

  simulated(
    "a lost reply has had its effect",
    Effect.gen(function* () {
      const sim = yield* world()
      sim.faults.set("lost-reply", { times: 1 })
      const lost = yield* Effect.flip(sim.engine.createContainer(spec("one")))
      assert.deepInclude(lost, { _tag: "EngineUnavailable", reason: "connection-lost" })
      assert.deepStrictEqual(namesIn(sim), ["one"])
      assertCounts(sim.faults.counts(), { "lost-reply": 1 })
    })
  )

  simulated(
    "a create that outlasts its client is unseen until it is done, and holds its name (moby#24858)",
    Effect.gen(function* () {
      const sim = yield* world()
      const { engine } = sim.connect({ timeoutMillis: 10_000 })
      sim.faults.set("late-effect", { operations: ["create container"], times: 1, millis: [30_000, 30_000] })
      const creating = yield* Effect.forkChild(Effect.flip(engine.createContainer(spec("late"))))
      assert.deepInclude(yield* Fiber.join(creating), { _tag: "EngineTimeout", timeoutMillis: 10_000 })
      yield* engine.removeContainer("late")
      assert.strictEqual((yield* Effect.flip(engine.inspectContainer("late")))._tag, "ObjectNotFound")
      const again = yield* Effect.flip(engine.createContainer(spec("late")))
      assert.deepInclude(again, { _tag: "EngineConflict", reason: "name-in-use" })
      assert.deepStrictEqual(sim.view().pendingNames, ["late"])
      yield* Effect.sleep("21 seconds")
      assert.deepStrictEqual(namesIn(sim), ["late"])
      assert.deepStrictEqual(sim.view().pendingNames, [])
      assertCounts(sim.faults.counts(), { "late-effect": 1 })
    })
  )
})

describe("a call that takes time", () => {
  simulated(
    "latency and slow work take time, and only that",
    Effect.gen(function* () {
      const sim = yield* world()
      sim.faults.set("latency", { times: 1, millis: [5_000, 5_000] })
      sim.faults.set("slow", { operations: ["remove container"], millis: [7_000, 7_000] })
      const creating = yield* Effect.forkChild(running(sim.engine, "one"))
      yield* Effect.sleep(4_999)
      assert.deepStrictEqual(namesIn(sim), [])
      yield* Fiber.join(creating)
      const removing = yield* Effect.forkChild(sim.engine.removeContainer("one"))
      yield* Effect.sleep(6_999)
      assert.deepStrictEqual(
        sim.view().containers.map(({ status }) => status),
        ["removing"]
      )
      const start = yield* Effect.flip(sim.engine.startContainer("one"))
      assert.deepInclude(start, { _tag: "EngineConflict", reason: "removal-in-progress" })
      yield* Fiber.join(removing)
      assert.deepStrictEqual(namesIn(sim), [])
      assertCounts(sim.faults.counts(), { latency: 1, slow: 1 })
    })
  )

  simulated(
    "an exit code may be recorded after the output has ended",
    Effect.gen(function* () {
      const sim = yield* world()
      const id = yield* running(sim.engine, "one")
      sim.faults.set("late-exit-code", { millis: [300, 300] })
      const { execId, output } = yield* sim.engine.exec(id, { argv: ["exits", "6"] })
      yield* Stream.runDrain(output)
      assert.deepInclude(yield* sim.engine.inspectExec(execId), { running: true, exitCode: undefined })
      const exit = yield* Effect.forkChild(awaitExecExit(sim.engine, execId, "1 second"))
      assert.deepStrictEqual(yield* Fiber.join(exit), { exitCode: 6 })
      assertCounts(sim.faults.counts(), { "late-exit-code": 1 })
    })
  )
})

describe("a fault of the work", () => {
  simulated(
    "does not count where a call is refused before there is work",
    Effect.gen(function* () {
      const sim = yield* world()
      yield* running(sim.engine, "one")
      for (const kind of ["slow", "late-effect", "engine-restart"] as const) sim.faults.set(kind, {})
      assert.strictEqual((yield* Effect.flip(sim.engine.createContainer(spec("one"))))._tag, "EngineConflict")
      assertCounts(sim.faults.counts(), {})
    })
  )
})

describe("a subscriber of events", () => {
  simulated(
    "is told an event twice, misses one, and is cut, each when told so",
    Effect.gen(function* () {
      const sim = yield* world()
      const watching = yield* Effect.forkChild(actionsUntilCut(sim.engine))
      yield* Effect.sleep(1)
      sim.faults.set("duplicate-event", { operations: ["create"] })
      sim.faults.set("missed-event", { operations: ["start"] })
      sim.faults.set("cut-events", { operations: ["destroy"] })
      const id = yield* running(sim.engine, "one", { command: ["exits", "0"] })
      yield* sim.engine.waitContainer(id)
      // What is on its way when a stream is cut is lost.
      yield* Effect.sleep(1)
      yield* sim.engine.removeContainer(id)
      assert.deepStrictEqual(yield* Fiber.join(watching), {
        error: "EngineUnavailable",
        seen: ["create", "create", "die"]
      })
      assertCounts(sim.faults.counts(), { "duplicate-event": 1, "missed-event": 1, "cut-events": 1 })
      sim.faults.clearAll()
      const again = yield* Effect.forkChild(actionsUntilCut(sim.engine, 0))
      yield* Effect.sleep(1)
      sim.cutEvents()
      assert.deepStrictEqual((yield* Fiber.join(again)).seen, ["create", "start", "die", "destroy"])
    })
  )

  simulated(
    "finds the last 256 events replayed, and no more",
    Effect.gen(function* () {
      const sim = yield* world()
      for (let count = 0; count < 200; count++) {
        yield* sim.engine.createVolume({ name: `v${count}`, labels: {} })
        yield* sim.engine.removeVolume(`v${count}`)
      }
      const watching = yield* Effect.forkChild(actionsUntilCut(sim.engine, 0))
      yield* Effect.sleep(1)
      sim.cutEvents()
      assert.lengthOf((yield* Fiber.join(watching)).seen, 256)
    })
  )
})

describe("an engine that restarts", () => {
  simulated(
    "has exited what ran, forgotten execs, cut what was open, and left half-removed ones dead",
    Effect.gen(function* () {
      const sim = yield* world()
      const { engine } = sim
      const id = yield* running(engine, "one")
      yield* running(engine, "always", { host: { restartPolicy: { name: "always" } } })
      yield* running(engine, "going")
      const { execId } = yield* engine.exec(id, { argv: ["sleep", "infinity"] })
      const watching = yield* Effect.forkChild(actionsUntilCut(engine))
      const waiting = yield* Effect.forkChild(Effect.flip(engine.waitContainer(id)))
      sim.faults.set("slow", { operations: ["remove container"], times: 1, millis: [60_000, 60_000] })
      const removing = yield* Effect.forkChild(Effect.flip(engine.removeContainer("going")))
      yield* Effect.sleep(1)
      const restarting = yield* Effect.forkChild(sim.restart({ downMillis: 2_000 }))
      yield* Effect.sleep(1_999)
      assert.deepInclude(yield* Effect.flip(engine.ping), { _tag: "EngineUnavailable", reason: "refused" })
      yield* Fiber.join(restarting)
      for (const lost of [yield* Fiber.join(waiting), yield* Fiber.join(removing)]) {
        assert.deepInclude(lost, { _tag: "EngineUnavailable", reason: "connection-lost" })
      }
      assert.strictEqual((yield* Fiber.join(watching)).error, "EngineUnavailable")
      assert.deepStrictEqual(
        sim.view().containers.map(({ name, status }) => [name, status]),
        [
          ["one", "exited"],
          ["always", "running"],
          ["going", "dead"]
        ]
      )
      assert.strictEqual((yield* engine.inspectContainer(id)).state.exitCode, 255)
      assert.strictEqual((yield* Effect.flip(engine.inspectExec(execId)))._tag, "ObjectNotFound")
      yield* engine.removeContainer("going")
    })
  )

  simulated(
    "may do so in the middle of a call",
    Effect.gen(function* () {
      const sim = yield* world({ workMillis: () => [1_000, 1_000] })
      sim.faults.set("engine-restart", { operations: ["create container"], millis: [0, 0] })
      const creating = yield* Effect.forkChild(Effect.flip(sim.engine.createContainer(spec("one"))))
      assert.deepInclude(yield* Fiber.join(creating), { _tag: "EngineUnavailable", reason: "connection-lost" })
      assert.deepInclude(sim.view(), { containers: [], pendingNames: [], inFlight: [], starts: 2 })
      assertCounts(sim.faults.counts(), { "engine-restart": 1 })
    })
  )
})
