/** One sandbox on an engine whose container does what the test says, when it says so, on the test's clock. */
import type { ContainerState, Engine, EngineEvent, EngineShape } from "@sbx/engine/Engine"
import { EngineConflict, EngineUnavailable, ObjectNotFound } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import { Clock, Context, Duration, Effect, FileSystem, Layer, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assemble } from "../../src/internal/sandboxAssemble.ts"
import type { SandboxContext } from "../../src/internal/execStart.ts"
import { remember } from "../../src/internal/sandboxInternals.ts"
import * as ExecEnds from "../../src/internal/execEnds.ts"
import * as Recorder from "../../src/internal/sandboxRecorder.ts"
import { type SandboxEvent, SandboxEvents } from "../../src/SandboxEvent.ts"
import { UidLeases } from "../../src/UidLease.ts"
import { Workspaces } from "../../src/Workspace.ts"
import { engineOf, inspected } from "./contextOn.ts"
import { create } from "./lifecycle.ts"
import { spec } from "./spec.ts"

/** Virtual time in small steps, so that what one step sets going is done before the next: nobody is overtaken by the clock. */
export const pass = Effect.fnUntraced(function* (duration: Duration.Input) {
  const settle = Effect.repeat(Effect.yieldNow, { times: 20 })
  yield* settle
  for (let left = Duration.toMillis(duration); left > 0; left -= stepMillis) {
    yield* TestClock.adjust(Math.min(left, stepMillis))
    yield* settle
  }
})

const stepMillis = 100

interface World {
  /** Absent: the engine has no such container. */
  container: { readonly id: string; readonly name: string; readonly state: Partial<ContainerState> } | undefined
  /** How many of the next starts the engine refuses. */
  refuseStarts: number
  /** How many of the next starts it does not answer. */
  hangStarts: number
  /** What becomes of the next create: done, refused, done without an answer, or neither done nor answered. */
  nextCreate: "done" | "refused" | "unanswered" | "lost"
  /** How many of the next removals of a container fail. */
  refuseRemovals: number
  /** Whether the engine answers at all. */
  deaf: boolean
  /** What a start does to a main process, given how many there were. */
  afterStart: (starts: number) => void
  starts: number
  creates: number
  hasVolume: boolean
  readonly calls: Array<string>
}

const stopped = (exitCode: number, finishedAtMillis: number, oomKilled = false): Partial<ContainerState> => ({
  status: "exited",
  running: false,
  exitCode,
  finishedAtMillis,
  oomKilled
})

const id = "sbx_aaaaaaaaaaaaaaaa"
const silent = new EngineUnavailable({ operation: "call", endpoint: "x", reason: "connection-lost", detail: "" })

const isCalled = ({ container }: World, wanted: string) => container?.id === wanted || container?.name === wanted

/** What the engine says of the container, if it says anything and has it. */
const there = <A>(world: World, operation: string, wanted: string, use: (state: Partial<ContainerState>) => A) =>
  Effect.suspend((): Effect.Effect<A, ObjectNotFound | EngineUnavailable> => {
    world.calls.push(operation)
    if (world.deaf) return Effect.fail(silent)
    return world.container !== undefined && isCalled(world, wanted)
      ? Effect.succeed(use(world.container.state))
      : Effect.fail(new ObjectNotFound({ operation, kind: "container", id: wanted }))
  })

const become = (world: World, state: Partial<ContainerState>) => {
  if (world.container !== undefined) world.container = { ...world.container, state }
}

const looks = (world: World, events: Queue.Queue<EngineEvent>): Partial<EngineShape> => ({
  ping: Effect.suspend(() => (world.deaf ? Effect.fail(silent) : Effect.void)),
  inspectContainer: (wanted) =>
    there(world, "inspect", wanted, (state) => ({ ...inspected(state), id: world.container?.id ?? wanted })),
  waitContainer: (wanted) =>
    there(world, "wait", wanted, (state) => state).pipe(
      Effect.flatMap((state) =>
        state.running === false ? Effect.succeed({ exitCode: state.exitCode ?? 0 }) : Effect.never
      )
    ),
  inspectVolume: (name) =>
    world.hasVolume
      ? Effect.succeed({ name, driver: "local", mountpoint: "/", labels: {}, options: {} })
      : Effect.fail(new ObjectNotFound({ operation: "inspect", kind: "volume", id: name })),
  events: () => Stream.concat(Stream.fromQueue(events), Stream.never)
})

const changes = (world: World): Partial<EngineShape> => ({
  startContainer: (wanted) => startIn(world, wanted),
  stopContainer: (wanted) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      there(world, "stop", wanted, ({ startedAtMillis = 0 }) =>
        become(world, { startedAtMillis, ...stopped(143, now) })
      )
    ),
  pauseContainer: (wanted) =>
    there(world, "pause", wanted, (state) => become(world, { ...state, status: "paused", paused: true })),
  unpauseContainer: (wanted) =>
    there(world, "unpause", wanted, (state) => become(world, { ...state, status: "running", paused: false })),
  removeContainer: (wanted) =>
    Effect.suspend(() => {
      world.calls.push("remove")
      if (world.refuseRemovals > 0) {
        world.refuseRemovals -= 1
        return Effect.fail(silent)
      }
      if (isCalled(world, wanted)) world.container = undefined
      return Effect.void
    }),
  createContainer: ({ name }) => Effect.suspend(() => createIn(world, name))
})

const startIn = Effect.fnUntraced(function* (world: World, wanted: string) {
  const startedAtMillis = yield* Clock.currentTimeMillis
  yield* there(world, "start", wanted, () => undefined)
  if (world.hangStarts > 0) {
    world.hangStarts -= 1
    return yield* Effect.never
  }
  if (world.refuseStarts > 0) {
    world.refuseStarts -= 1
    return yield* silent
  }
  become(world, { startedAtMillis })
  world.starts += 1
  world.afterStart(world.starts)
})

const createIn = (world: World, name: string): Effect.Effect<string, EngineConflict | EngineUnavailable> => {
  const { nextCreate } = world
  world.calls.push("create")
  world.nextCreate = "done"
  if (nextCreate === "refused") {
    return Effect.fail(new EngineConflict({ operation: "create", id: "", reason: "name-in-use", detail: "" }))
  }
  if (nextCreate === "lost") return Effect.fail(silent)
  world.creates += 1
  const state = { status: "created", running: false, startedAtMillis: undefined } as const
  world.container = { id: `c${world.creates + 1}`, name, state }
  return nextCreate === "unanswered" ? Effect.never : Effect.succeed(world.container.id)
}

const service = <I, S>(layer: Layer.Layer<I>, key: Context.Key<I, S>) =>
  Effect.map(Layer.build(layer), (services) => Context.get(services, key))

const begin = (startedAtMillis: number): World => ({
  container: { id: "c1", name: "sbx-j-a-1", state: { startedAtMillis } },
  refuseStarts: 0,
  hangStarts: 0,
  nextCreate: "done",
  refuseRemovals: 0,
  deaf: false,
  afterStart: () => undefined,
  starts: 0,
  creates: 0,
  hasVolume: true,
  calls: []
})

/** Its record, as if it had been made and started by `Sandboxes`. */
const recordOf = Effect.fnUntraced(function* (journal: Journal["Service"], now: number) {
  const recorder = yield* Recorder.make(journal, id)
  yield* recorder.submit(create(1))
  yield* Recorder.observe(recorder, inspected({ startedAtMillis: undefined, status: "created", running: false }))
  yield* recorder.submit({ _tag: "Start", atMillis: now })
  yield* Recorder.observe(recorder, inspected({ startedAtMillis: now }))
  return recorder
})

const handleOn = Effect.fnUntraced(function* (
  world: World,
  engine: Engine["Service"],
  journal: Journal["Service"],
  recorder: Recorder.Recorder
) {
  const volume = "sbx-j-a-ws"
  const made = { sandboxId: id, containerName: "sbx-j-a-1", volume, recorder, uid: 100_000 }
  const remains = { ...made, asked: true, made: undefined, volumeUntil: undefined, removed: false }
  const context: SandboxContext = {
    engine,
    recorder,
    id,
    spec,
    uid: 100_000,
    user: "100000:100000",
    execDefaults: { timeout: "30 seconds", outputLimitBytes: 1024 },
    execEnds: ExecEnds.silent,
    containerId: () => recorder.state().containerId ?? remains.containerName
  }
  const removal = () => Effect.sync(() => void world.calls.push("remove workspace"))
  const workspaces = yield* service(Layer.mock(Workspaces, { diskObstacle: undefined, remove: removal }), Workspaces)
  const leases = yield* service(Layer.mock(UidLeases, { release: () => Effect.void }), UidLeases)
  const removers = { engine, workspaces, leases }
  const labels = { run: "run_test", journalPath: "memory", owner: "owner", engineId: "engine" }
  const midwife = { ...removers, ...labels, journal, cgroupVersion: "2" as const }
  const { startedAtMillis = 0 } = recorder.state()
  const born = { containerId: "c1", uid: 100_000, createdAtMillis: 0, startedAtMillis }
  const parts = { context, born, remains, removers, journal, fs: FileSystem.makeNoop({}), forget: Effect.void }
  return remember(assemble({ ...parts, waitTimeout: "1 second" }), { context, journal, midwife, remains })
})

/** Running since now. */
export const makeWorld = Effect.gen(function* () {
  const journal = yield* Journal
  // Engines' times are never zero.
  yield* TestClock.adjust("1 minute")
  const now = yield* Clock.currentTimeMillis
  const world = begin(now)
  const events = yield* Queue.unbounded<EngineEvent>()
  const engine = yield* engineOf({ ...looks(world, events), ...changes(world) })
  const recorder = yield* recordOf(journal, now)
  const sandbox = yield* handleOn(world, engine, journal, recorder)
  const end = (exitCode: number, oomKilled = false) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      if (world.container !== undefined) {
        become(world, { ...world.container.state, ...stopped(exitCode, at, oomKilled) })
      }
    })
  const facts = SandboxEvents.read(journal, recorder.stream).pipe(
    Stream.map(({ payload }) => payload),
    Stream.filter((payload): payload is SandboxEvent => payload._tag !== "UnknownEvent"),
    Stream.runCollect
  )
  const tell = (action: string, attributes: Readonly<Record<string, string>> = {}) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
      Queue.offer(events, {
        atMillis,
        timeNano: String(atMillis * 1e6),
        type: "container",
        action,
        detail: undefined,
        actorId: world.container?.id ?? "",
        attributes
      })
    )
  return { world, sandbox, end, tell, facts }
})
