import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as SimEngine from "../src/SimEngine.ts"
import { behaviour, named } from "../src/SimProgram.ts"
import * as Simulation from "../src/Simulation.ts"
import { World } from "../src/World.ts"
import { agree, drive } from "./support/engineDriver.ts"
import { simSubject } from "./support/simSubject.ts"
import { simulated } from "./support/simulated.ts"
import { namesIn, running, spec, world } from "./support/simWorlds.ts"

const text = (frames: ReadonlyArray<{ readonly bytes: Uint8Array }>) =>
  Buffer.concat(frames.map(({ bytes }) => bytes)).toString()

const success = <A, E>({ exit }: Simulation.Outcome<A, E>): A => {
  if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
  return exit.value
}

describe("the daemon", () => {
  simulated(
    "goes on when a client is interrupted in the middle of a call",
    Effect.gen(function* () {
      const sim = yield* world({ workMillis: () => [1_000, 1_000] })
      const creating = yield* Effect.forkChild(sim.engine.createContainer(spec("one")))
      yield* Effect.sleep(500)
      yield* Fiber.interrupt(creating)
      assert.deepStrictEqual(namesIn(sim), [])
      yield* Effect.sleep(501)
      assert.deepStrictEqual(namesIn(sim), ["one"])
    })
  )

  it.effect("outlives a process that is killed, and frees what it held", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const sim = yield* world({ workMillis: () => [100, 100] })
        const kernel = yield* World
        const id = yield* running(sim.engine, "one")
        const victim = yield* kernel.spawn(
          "victim",
          Effect.gen(function* () {
            const client = sim.connect()
            yield* kernel.atDeath(client.disconnect)
            const reading = Stream.runForEach(client.engine.getArchive(id, "/"), () => Effect.never)
            yield* Effect.all([reading, Effect.delay(client.engine.createContainer(spec("two")), "150 millis")], {
              concurrency: 2
            })
          })
        )
        yield* Effect.sleep("200 millis")
        const before = sim.view()
        yield* victim.kill
        yield* Effect.sleep("200 millis")
        yield* sim.engine.pauseContainer(id)
        return { before, after: sim.view() }
      })
      for (let seed = 0; seed < 20; seed++) {
        const { after, before } = success(yield* Simulation.runTwice({ seed, program }))
        assert.deepStrictEqual([before.openConnections, before.pendingNames], [1, ["two"]])
        assert.deepStrictEqual([after.openConnections, after.pendingNames, after.inFlight], [0, [], []])
        assert.deepStrictEqual(
          after.containers.map(({ name, status }) => [name, status]),
          [
            ["one", "paused"],
            ["two", "created"]
          ]
        )
      }
    })
  )

  it.effect("ends and removes what is paused, also where it once missed the end", () =>
    Effect.gen(function* () {
      const commands = [
        { does: "create", slot: "a", main: "stubborn" },
        { does: "start", slot: "a" },
        { does: "pause", slot: "a" },
        { does: "remove", slot: "a" }
      ] as const
      const program = Effect.flatMap(simSubject("model"), (subject) => drive(subject, commands))
      for (const seed of [1228, 2732]) yield* agree(success(yield* Simulation.run({ seed, program })))
    })
  )

  it.effect("draws faults from the seed: the same seed tells the same story", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const sim = yield* world({ wireMillis: [0, 20], workMillis: () => [0, 200] })
        for (const kind of ["refusal", "lost-reply", "slow", "engine-restart"] as const)
          sim.faults.set(kind, { rate: 0.2 })
        const names = Array.from({ length: 8 }, (_, index) => `c${index}`)
        yield* Effect.forEach(names, (name) => Effect.ignore(running(sim.engine, name)), { concurrency: 4 })
        return { counts: sim.faults.counts(), names: namesIn(sim) }
      })
      const stories = new Set<string>()
      for (let seed = 0; seed < 20; seed++) {
        const story = success(yield* Simulation.runTwice({ seed, program }))
        assert.deepStrictEqual(story, success(yield* Simulation.run({ seed, program })))
        stories.add(JSON.stringify(story))
      }
      assert.isAbove(stories.size, 10)
    })
  )

  simulated(
    "restarts by policy, removes by itself, and tells the kernel's killing from a crash",
    Effect.gen(function* () {
      const sim = yield* world()
      const { engine } = sim
      yield* running(engine, "again", { host: { restartPolicy: { name: "on-failure", maximumRetryCount: 1 } } })
      yield* running(engine, "once", { host: { autoRemove: true } })
      yield* running(engine, "greedy")
      assert.deepStrictEqual(
        [sim.crash("again", 3), sim.crash("once", 0), sim.crash("greedy", 137, { oom: true }), sim.crash("absent", 1)],
        [true, true, true, false]
      )
      assert.strictEqual((yield* engine.inspectContainer("again")).state.status, "restarting")
      yield* Effect.sleep("1 second")
      assert.deepInclude(yield* engine.inspectContainer("again"), { restartCount: 1 })
      assert.deepInclude((yield* engine.inspectContainer("greedy")).state, { oomKilled: true, exitCode: 137 })
      assert.deepStrictEqual(namesIn(sim), ["again", "greedy"])
      sim.crash("again", 4)
      yield* Effect.sleep("1 second")
      assert.deepInclude((yield* engine.inspectContainer("again")).state, { status: "exited", exitCode: 4 })
    })
  )
})

describe("a program", () => {
  it.effect("neither speaks nor ends while its container is paused", () =>
    Effect.gen(function* () {
      const program = named("speaker", behaviour({ duration: "1 second", exitCode: 5 }))
      const { engine } = yield* world({ programs: [program] })
      const id = yield* running(engine, "one", { command: ["speaker"] })
      yield* engine.pauseContainer(id)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* engine.inspectContainer(id)).state.status, "paused")
      yield* engine.unpauseContainer(id)
      assert.deepStrictEqual(yield* engine.waitContainer(id), { exitCode: 5 })
    })
  )

  it.effect("can be told as data: what it reads, prints, ignores, and how it ends", () =>
    Effect.gen(function* () {
      const told = behaviour({
        readsStdin: true,
        stdout: "out",
        stderr: "err",
        duration: "2 seconds",
        exitCode: 9,
        ignoresSignals: ["TERM"]
      })
      const { engine } = yield* world({ programs: [named("told", told)] })
      const id = yield* running(engine, "one")
      const open = yield* engine.exec(id, { argv: ["told"], stdin: true })
      const reading = yield* Effect.forkChild(Stream.runCollect(open.output))
      yield* open.writeStdin(Buffer.from("in"))
      yield* TestClock.adjust("1 hour")
      assert.isTrue((yield* engine.inspectExec(open.execId)).running)
      yield* open.endStdin
      yield* TestClock.adjust("2 seconds")
      const frames = yield* Fiber.join(reading)
      assert.deepStrictEqual(
        frames.map(({ bytes, channel }) => [channel, text([{ bytes }])]),
        [
          ["stdout", "out"],
          ["stderr", "err"]
        ]
      )
      assert.strictEqual((yield* engine.inspectExec(open.execId)).exitCode, 9)
    })
  )

  it.effect("is ended by signals of its neighbours as Linux would, and PID 1 is not", () =>
    Effect.gen(function* () {
      const killer = named("killer", ({ neighbours, signal }) =>
        Effect.sync(
          () => neighbours().filter(({ argv, hostPid }) => argv[0] === "sleep" && signal(hostPid, "TERM")).length
        )
      )
      const { engine } = yield* world({ programs: [killer] })
      const id = yield* running(engine, "one")
      const { execId } = yield* engine.exec(id, { argv: ["sleep", "infinity"] })
      const open = yield* engine.exec(id, { argv: ["killer"] })
      yield* Stream.runDrain(open.output)
      assert.strictEqual((yield* engine.inspectExec(open.execId)).exitCode, 2)
      assert.strictEqual((yield* engine.inspectExec(execId)).exitCode, 143)
      assert.strictEqual((yield* engine.inspectContainer(id)).state.status, "running")
      const tame = yield* running(engine, "two", { host: { init: true } })
      yield* engine.killContainer(tame, "TERM")
      assert.deepStrictEqual(yield* engine.waitContainer(tame), { exitCode: 143 })
    })
  )

  it.effect("that dies of a defect ends with 134, and the defect is kept", () =>
    Effect.gen(function* () {
      const sim = yield* world({ programs: [named("broken", () => Effect.die("a bug in the test"))] })
      const id = yield* running(sim.engine, "one", { command: ["broken"] })
      assert.deepStrictEqual(yield* sim.engine.waitContainer(id), { exitCode: 134 })
      assert.deepStrictEqual(sim.view().defects, ["a bug in the test"])
    })
  )
})

it.layer(SimEngine.layer)("the default layer", (it) => {
  it.effect("has one image and nothing else", () =>
    Effect.gen(function* () {
      const sim = yield* SimEngine.SimEngine
      const id = yield* sim.engine.createContainer({ name: "one", image: "sim:latest" })
      yield* sim.engine.startContainer(id)
      assert.deepStrictEqual(namesIn(sim), ["one"])
      assert.lengthOf(yield* sim.engine.listNetworks({}), 3)
    })
  )
})
