/** One sandbox on an engine whose container does what the test says, when it says so, on the test's clock. */
import type { ContainerState, EngineEvent, EngineShape } from "@sbx/engine/Engine"
import { EngineConflict, EngineUnavailable, ObjectNotFound } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import { Clock, Context, Duration, Effect, FileSystem, Layer, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assemble } from "../../src/internal/sandboxAssemble.ts"
import type { SandboxContext } from "../../src/internal/execStart.ts"
import { remember } from "../../src/internal/sandboxInternals.ts"
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
  /** What becomes of the next create: done, refused, done without an answer, or neither. */
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

/** The world's methods; whatever else is called is a defect. */
const methodsOf = (world: World, events: Queue.Queue<EngineEvent>): Partial<EngineShape> => {
  const there = <A>(operation: string, wanted: string, use: (state: Partial<ContainerState>) => A) =>
    Effect.suspend((): Effect.Effect<A, ObjectNotFound | EngineUnavailable> => {
      world.calls.push(operation)
      if (world.deaf) return Effect.fail(silent)
      return world.container !== undefined && isCalled(wanted)
        ? Effect.succeed(use(world.container.state))
        : Effect.fail(new ObjectNotFound({ operation, kind: "container", id: wanted }))
    })
  const isCalled = (wanted: string) => world.container?.id === wanted || world.container?.name === wanted
  const become = (state: Partial<ContainerState>) => {
    if (world.container !== undefined) world.container = { ...world.container, state }
  }
  return {
    ping: Effect.suspend(() => (world.deaf ? Effect.fail(silent) : Effect.void)),
    inspectContainer: (wanted) =>
      there("inspect", wanted, (state) => ({
        ...inspected(state),
        id: world.container?.id ?? wanted
      })),
    waitContainer: (wanted) =>
      there("wait", wanted, (state) => state).pipe(
        Effect.flatMap((state) =>
          state.running === false ? Effect.succeed({ exitCode: state.exitCode ?? 0 }) : Effect.never
        )
      ),
    startContainer: (wanted) =>
      Effect.gen(function* () {
        const startedAtMillis = yield* Clock.currentTimeMillis
        yield* there("start", wanted, () => undefined)
        if (world.hangStarts > 0) {
          world.hangStarts -= 1
          return yield* Effect.never
        }
        if (world.refuseStarts > 0) {
          world.refuseStarts -= 1
          return yield* silent
        }
        become({ startedAtMillis })
        world.starts += 1
        world.afterStart(world.starts)
      }),
    stopContainer: (wanted) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(
          there("stop", wanted, ({ startedAtMillis = 0 }) => become({ startedAtMillis, ...stopped(143, now) }))
        )
      ),
    removeContainer: (wanted) =>
      Effect.suspend(() => {
        world.calls.push("remove")
        if (world.refuseRemovals > 0) {
          world.refuseRemovals -= 1
          return Effect.fail(silent)
        }
        if (isCalled(wanted)) world.container = undefined
        return Effect.void
      }),
    createContainer: ({ name }) =>
      Effect.suspend((): Effect.Effect<string, EngineConflict> => {
        const { nextCreate } = world
        world.calls.push("create")
        world.nextCreate = "done"
        if (nextCreate === "refused") {
          return Effect.fail(new EngineConflict({ operation: "create", id: "", reason: "name-in-use", detail: "" }))
        }
        if (nextCreate === "lost") return Effect.never
        world.creates += 1
        const made = { status: "created", running: false, startedAtMillis: undefined } as const
        world.container = { id: `c${world.creates + 1}`, name, state: made }
        return nextCreate === "unanswered" ? Effect.never : Effect.succeed(world.container.id)
      }),
    inspectVolume: (name) =>
      world.hasVolume
        ? Effect.succeed({ name, driver: "local", mountpoint: "/", labels: {}, options: {} })
        : Effect.fail(new ObjectNotFound({ operation: "inspect", kind: "volume", id: name })),
    events: () => Stream.concat(Stream.fromQueue(events), Stream.never)
  }
}

const service = <I, S>(layer: Layer.Layer<I>, key: Context.Key<I, S>) =>
  Effect.map(Layer.build(layer), (services) => Context.get(services, key))

/** Running since now. */
export const makeWorld = Effect.gen(function* () {
  const journal = yield* Journal
  // Engines' times are never zero.
  yield* TestClock.adjust("1 minute")
  const now = yield* Clock.currentTimeMillis
  const world: World = {
    container: { id: "c1", name: "sbx-j-a-1", state: { startedAtMillis: now } },
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
  }
  const events = yield* Queue.unbounded<EngineEvent>()
  const engine = yield* engineOf(methodsOf(world, events))
  const recorder = yield* Recorder.make(journal, id)
  yield* recorder.submit(create(1))
  yield* Recorder.observe(recorder, inspected({ startedAtMillis: undefined, status: "created", running: false }))
  yield* recorder.submit({ _tag: "Start", atMillis: now })
  yield* Recorder.observe(recorder, inspected({ startedAtMillis: now }))
  const remains = {
    sandboxId: id,
    containerName: "sbx-j-a-1",
    volume: "sbx-j-a-ws",
    recorder,
    uid: 100_000,
    asked: true,
    volumeUntil: undefined,
    removed: false
  }
  const context: SandboxContext = {
    engine,
    recorder,
    id,
    spec,
    uid: 100_000,
    user: "100000:100000",
    execDefaults: { timeout: "30 seconds", outputLimitBytes: 1024 },
    containerId: () => recorder.state().containerId ?? remains.containerName
  }
  const workspaces = yield* service(
    Layer.mock(Workspaces, {
      diskObstacle: undefined,
      remove: () => Effect.sync(() => void world.calls.push("remove workspace"))
    }),
    Workspaces
  )
  const leases = yield* service(Layer.mock(UidLeases, { release: () => Effect.void }), UidLeases)
  const house = { engine, workspaces, leases }
  const midwife = {
    ...house,
    journal,
    run: "run_test",
    journalPath: "memory",
    owner: "owner",
    cgroupVersion: "2" as const,
    engineId: "engine"
  }
  const born = { containerId: "c1", uid: 100_000, createdAtMillis: 0, startedAtMillis: now }
  const fs = FileSystem.makeNoop({})
  const forget = Effect.void
  const made = assemble({ context, born, remains, removers: house, journal, fs, waitTimeout: "1 second", forget })
  const sandbox = remember(made, { context, journal, midwife, remains })
  const end = (exitCode: number, oomKilled = false) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      if (world.container === undefined) return
      const { state } = world.container
      world.container = { ...world.container, state: { ...state, ...stopped(exitCode, at, oomKilled) } }
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
  return { world, sandbox, context, end, tell, facts }
})
