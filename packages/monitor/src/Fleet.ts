/**
 * All running containers of the engine with certain labels, watched while they come and go. Listing decides, events only hasten it. What
 * is removed is forgotten with everything that was kept for it; an engine that does not answer costs nobody a place.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { ContainerStatus, ContainerSummary, EngineShape, LabelFilter } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { SeriesError } from "./Monitor.ts"
import { Monitor } from "./Monitor.ts"
import type { InvalidInterval, Series, SeriesItem, SeriesOptions } from "./Series.ts"
import { validCapacity, validInterval } from "./Series.ts"

export interface FleetOptions extends SeriesOptions {
  /** Labels and their values that a container must have. Default: none, so all containers. */
  readonly labels?: LabelFilter
  /** Between two listings where no event hastens one. Default 5 seconds. */
  readonly refreshEvery?: Duration.Input
  /** Runs for every item, in its container's own fiber: what it does late, only that container's next item waits for. */
  readonly onItem?: (item: SeriesItem) => Effect.Effect<void>
}

export interface Fleet {
  /** Who is watched at this moment. */
  readonly targets: Effect.Effect<ReadonlyArray<ContainerTarget>>
  /** The series of one of them. */
  readonly series: (containerId: string) => Effect.Effect<Series | undefined>
  /** Items of all of them from the moment of subscribing on. A slow reader loses the oldest; nobody waits for it. */
  readonly items: Stream.Stream<SeriesItem>
  /** For one target from now on; without a target, for all that have none of their own, and for those to come. */
  readonly setInterval: (interval: Duration.Input, target?: ContainerTarget) => Effect.Effect<void, InvalidInterval>
  /** Lists now. What is running is watched when it returns; what is gone is looked at for the last time. */
  readonly refresh: Effect.Effect<void, CallError | SeriesError>
}

/** Items that a reader may be behind. */
const readerCapacity = 4096

/** At least this long between two listings, however many events there are. */
const restBetweenListings = Duration.millis(250)

interface Member {
  readonly target: ContainerTarget
  readonly series: Series
}

interface State {
  readonly engine: EngineShape
  readonly monitor: Monitor["Service"]
  readonly scope: Scope.Scope
  readonly labels: LabelFilter
  readonly capacity: number
  readonly details: SeriesOptions["details"]
  readonly emit: (item: SeriesItem) => Effect.Effect<void>
  readonly members: Map<string, Member>
  /** Intervals of members that have one of their own. */
  readonly own: Map<string, Duration.Duration>
  interval: Duration.Duration
}

/** Follows the engine as long as the scope. Fails when the first listing does; later ones are tried again. */
export const watchAll = Effect.fn("Fleet.watchAll")(function* (
  options: FleetOptions = {}
): Effect.fn.Return<Fleet, CallError | SeriesError, Engine | Monitor | Scope.Scope> {
  const { onItem = () => Effect.void } = options
  const refreshEvery = yield* validInterval(options.refreshEvery ?? "5 seconds")
  const live = yield* Effect.acquireRelease(PubSub.sliding<SeriesItem>(readerCapacity), PubSub.shutdown)
  const state: State = {
    engine: yield* Engine,
    monitor: yield* Monitor,
    scope: yield* Effect.scope,
    labels: options.labels ?? {},
    capacity: yield* validCapacity(options.capacity ?? 600),
    details: options.details ?? "paced",
    emit: (item) =>
      onItem(item).pipe(
        Effect.catchCause((cause) => Effect.logError("Could not hand over an item", cause)),
        Effect.andThen(PubSub.publish(live, item)),
        Effect.asVoid
      ),
    members: new Map(),
    own: new Map(),
    interval: yield* validInterval(options.interval ?? "1 second")
  }
  const one = yield* Semaphore.make(1)
  const refresh = one.withPermits(1)(look(state))
  yield* refresh
  yield* follow(state, refresh, refreshEvery)
  return {
    targets: Effect.sync(() => [...state.members.values()].map(({ target }) => target)),
    series: (containerId) => Effect.sync(() => state.members.get(containerId)?.series),
    items: Stream.fromPubSub(live),
    setInterval: (interval, target) => setInterval(state, interval, target),
    refresh
  }
})

const running: ReadonlySet<ContainerStatus> = new Set<ContainerStatus>(["running", "paused", "restarting"])

/** One comparison of who is watched with who is there. */
const look = Effect.fnUntraced(function* (state: State) {
  const listed = yield* state.engine.listContainers(state.labels)
  const present = new Set(listed.map(({ id }) => id))
  // The series itself finds out, says `Lost` and ends: a listing alone is no proof, and the last word belongs to its items.
  for (const [id, { series }] of state.members) if (!present.has(id)) yield* series.sampleNow
  for (const summary of listed)
    if (running.has(summary.status) && !state.members.has(summary.id)) yield* add(state, summary)
})

const add = Effect.fnUntraced(function* (state: State, { id: containerId, name }: ContainerSummary) {
  const target: ContainerTarget = { containerId, name }
  const { capacity, details, emit, interval, members, monitor, own } = state
  const scope = yield* Scope.fork(state.scope)
  const leave = Effect.suspend(() => {
    members.delete(containerId)
    own.delete(containerId)
    return Scope.close(scope, Exit.void)
  })
  const watched = Scope.provide(monitor.watch(target, { interval, capacity, details }), scope)
  const series = yield* Effect.onError(watched, () => leave)
  members.set(containerId, { target, series })
  yield* Stream.runForEach(series.items, emit).pipe(Effect.ensuring(leave), Effect.forkIn(state.scope))
})

/** Hears the engine's events and looks; a broken stream of events is one more reason to look. */
const follow = Effect.fnUntraced(function* (state: State, refresh: Fleet["refresh"], refreshEvery: Duration.Duration) {
  const wakes = yield* Effect.acquireRelease(Queue.sliding<void>(1), Queue.shutdown)
  const wake = Queue.offer(wakes, undefined)
  const hear = Stream.runForEach(state.engine.events({ labels: state.labels }), ({ action, type }) =>
    type === "container" && (action === "start" || action === "destroy") ? wake : Effect.void
  )
  yield* Effect.forkScoped(
    Effect.ignore(hear).pipe(Effect.andThen(wake), Effect.andThen(Effect.sleep(refreshEvery)), Effect.forever)
  )
  let failing = false
  const looked = Effect.matchEffect(refresh, {
    onFailure: (error) => {
      const first = !failing
      failing = true
      return first ? Effect.logWarning(error.message) : Effect.void
    },
    onSuccess: () => Effect.sync(() => void (failing = false))
  })
  yield* Effect.forkScoped(
    Effect.timeoutOption(Queue.take(wakes), refreshEvery).pipe(
      Effect.andThen(looked),
      Effect.andThen(Effect.sleep(restBetweenListings)),
      Effect.forever
    )
  )
})

const setInterval = Effect.fnUntraced(function* (state: State, input: Duration.Input, target?: ContainerTarget) {
  const interval = yield* validInterval(input)
  const { members, own } = state
  if (target === undefined) state.interval = interval
  else if (members.has(target.containerId)) own.set(target.containerId, interval)
  for (const [id, { series }] of members)
    if (target === undefined ? !own.has(id) : id === target.containerId) yield* series.setInterval(interval)
})
