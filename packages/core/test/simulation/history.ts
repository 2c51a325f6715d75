/**
 * One history: runners come, are killed and come again on a faulty machine; then the machine is healthy, a reap runs as often as it
 * takes, within bounded time; then everything is judged. The seed decides all of it.
 */
import { type Judgement } from "@sbx/sim/Exploration"
import { type Process, type Prng, World } from "@sbx/sim/World"
import { Effect, Fiber, Option } from "effect"
import * as SandboxLabels from "../../src/SandboxLabels.ts"
import type { Target } from "./disturbances.ts"
import { foreignOwner, layerOf, type Services } from "./doubles.ts"
import { countEngine, engineDeadlineMillis, strikeEngine } from "./faults.ts"
import { judgeJournals, judgeLeaks } from "./judge.ts"
import { identify, image, type Machine, make, reboot, violate } from "./machine.ts"
import type { Plant } from "./plants.ts"
import * as Runner from "./runner.ts"

export const history = (makePlant: () => Plant): Effect.Effect<Judgement, unknown, World> =>
  Effect.gen(function* () {
    const plant = makePlant()
    const machine = yield* make
    const chance = (yield* World).random("history")
    const strangers = yield* settleStrangers(machine)
    strikeEngine(machine.engine, machine.faults)
    yield* safety(machine, chance, strangers, plant)
    yield* liveness(machine, plant)
    judgeLeaks(machine)
    yield* judgeJournals(machine)
    yield* judgeStrangers(machine, strangers)
    countEngine(machine.engine, machine.faults)
    return { violations: [...machine.violations], reached: machine.faults.counts() }
  })

const unlessStopped = { name: "unless-stopped", maximumRetryCount: 0 } as const

/** Who lives in the engine and is none of ours: nobody may remove it, and what disturbs it has to be undone. */
export const settleStrangers = ({ engine }: Machine) =>
  Effect.gen(function* () {
    const { engine: direct } = engine
    const networkId = yield* direct.createNetwork({ name: "theirs", internal: true, labels: {} })
    const memoryBytes = 64 * 1024 ** 2
    const host = { networkMode: "theirs", memoryBytes, memorySwapBytes: 1024 ** 3, restartPolicy: unlessStopped }
    const containerId = yield* direct.createContainer({ name: "stranger", image, command: ["idle"], host })
    yield* direct.startContainer(containerId)
    yield* direct.createVolume({ name: "their-data", labels: {} })
    yield* direct.createVolume({ name: "sbx-elsewhere", labels: foreignLabels })
    return { containerId, networkId, memoryBytes } satisfies Target
  })

const foreignLabels = SandboxLabels.encode({
  journal: "jrn_elsewhere",
  journalPath: "/elsewhere/journal.sqlite",
  run: "elsewhere",
  stream: "sandbox/sbx_elsewhere",
  intent: 1,
  epoch: 1,
  deadline: 0,
  owner: foreignOwner,
  kind: "volume"
})

export const judgeStrangers = (machine: Machine, target: Target) =>
  Effect.gen(function* () {
    const { volumes } = machine.engine.view()
    for (const name of ["their-data", "sbx-elsewhere"]) {
      if (!volumes.some((volume) => volume.name === name)) violate(machine, `${name} is gone, and was not ours`)
    }
    const { state, host, networks } = yield* machine.engine.engine.inspectContainer(target.containerId)
    if (state.status !== "running") violate(machine, `the stranger is left ${state.status}`)
    if (host.memoryBytes !== target.memoryBytes) violate(machine, `the stranger is left with ${host.memoryBytes} bytes`)
    const connected = Object.values(networks).some(({ networkId }) => networkId === target.networkId)
    if (!connected) violate(machine, "the stranger is left without its network")
  }).pipe(Effect.catchTag("ObjectNotFound", () => Effect.sync(() => violate(machine, "the stranger is gone"))))

/** Starts a process of the machine. */
export const start = <A>(
  machine: Machine,
  name: string,
  plant: Plant,
  program: Effect.Effect<A, unknown, Services>,
  isMortal = false
): Effect.Effect<Process<A, unknown>> =>
  Effect.suspend(() => {
    const self = identify(machine, name, isMortal)
    return Effect.map(machine.world.spawn(name, Effect.provide(program, layerOf(machine, self, plant))), (process) => {
      self.process = process
      return process
    })
  })

interface Slot {
  readonly number: number
  /** Lives that end by SIGKILL, before the last one, which does not. */
  readonly kills: number
}

/** Runners come and go, and whatever can go wrong does. One of them is never killed. */
const safety = (machine: Machine, chance: Prng, target: Target, plant: Plant) =>
  Effect.gen(function* () {
    const slots: ReadonlyArray<Slot> = [
      { number: 0, kills: 1 + chance.below(2) },
      { number: 1, kills: chance.below(2) },
      { number: 2, kills: 0 }
    ]
    const fibers = yield* Effect.forEach(slots, (slot) =>
      Effect.forkDetach(lives(machine, chance, slot, target, plant))
    )
    if (chance.next() < 0.5) {
      yield* Effect.sleep(chance.below(10_000))
      const reaper = yield* start(machine, "early-reap", plant, Runner.reap(machine, plant))
      if (chance.next() < 0.5) {
        yield* Effect.sleep(chance.below(3_000))
        yield* reaper.kill
      }
    }
    yield* Effect.sleep(chance.below(15_000))
    if (machine.faults.strikes("reboot")) yield* reboot(machine)
    // Often the world is healthy soon after the last kill, with much of what the dead began still under way.
    if (chance.next() < 0.6) yield* Fiber.awaitAll(fibers)
    yield* Effect.sleep(chance.below(chance.next() < 0.5 ? 500 : 15_000))
    const killsAll = machine.faults.strikes("kill-all")
    machine.faults.calm()
    machine.engine.faults.clearAll()
    if (killsAll) for (const { process } of machine.identities) if (process !== undefined) yield* process.kill
  })

const lives = (machine: Machine, chance: Prng, { number, kills }: Slot, target: Target, plant: Plant) =>
  Effect.gen(function* () {
    let path = ""
    for (let life = 0; life <= kills; life++) {
      yield* Effect.sleep(chance.below(2_000))
      if (machine.faults.isCalm()) return
      const run = `run-${number}-${life}`
      const inherits = life > 0 && machine.faults.strikes("inherit")
      path = inherits ? path : Runner.pathOf(run)
      const options = { run, path, target, plant, jobs: 1 + chance.below(4), keepsReconciled: chance.next() < 0.7 }
      const process = yield* start(machine, run, plant, Runner.run(machine, options), number < 2)
      if (machine.faults.strikes("freeze")) yield* Effect.forkDetach(freeze(process, chance))
      if (life === kills) return
      yield* Effect.timeoutOption(process.await, 50 + chance.below(12_000))
      if (process.isAlive()) machine.faults.count("kill")
      yield* process.kill
      // Not every dead runner has a successor.
      if (chance.next() < 0.4) return
    }
  })

const freeze = (process: Process, chance: Prng) =>
  Effect.sleep(chance.below(6_000)).pipe(
    Effect.andThen(process.freeze),
    Effect.andThen(Effect.sleep(chance.below(20_000))),
    Effect.andThen(process.thaw)
  )

/** Longest that a healthy machine may take for what was begun, and for one reap. */
const convergence = "10 minutes"
const reapLimit = "2 minutes"
const reaps = 5

/** The machine is healthy: all that runs comes to its end, then a reap or a few leave nothing to do. */
const liveness = (machine: Machine, plant: Plant) =>
  Effect.gen(function* () {
    for (const { name, process } of machine.identities) {
      if (process === undefined) continue
      const end = yield* Effect.timeoutOption(process.await, convergence)
      if (Option.isNone(end)) return violate(machine, `${name} does not end on a healthy machine`)
    }
    for (let turn = 1; turn <= reaps; turn++) {
      const process = yield* start(machine, `reap-${turn}`, plant, Runner.reap(machine, plant))
      const end = yield* Effect.timeoutOption(process.await, reapLimit)
      if (Option.isNone(end)) return violate(machine, "a reap does not end on a healthy machine")
      if (Runner.isClean(end.value)) break
      // The engine may be about to come back.
      yield* Effect.sleep("1 second")
      if (turn === reaps) violate(machine, `the ${reaps}th reap on a healthy machine still has work`)
    }
    // What the engine had begun before is over by now, or never will be.
    yield* Effect.sleep(engineDeadlineMillis)
  })
