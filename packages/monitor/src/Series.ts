/**
 * The samples of one container over time: taken at an interval that may change while it runs, kept in a bounded ring,
 * offered as a stream. A stopped container or a silent engine leaves a marked gap; only a removed container ends it.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ContainerMetric, ContainerReading, ContainerSample } from "./ContainerSampler.ts"
import { derive } from "./ContainerSampler.ts"
import type { ReadError, ReadOptions, TargetGone } from "./ContainerSource.ts"
import { makeRing } from "./internal/ring.ts"
import type { Ring } from "./internal/ring.ts"
import type { WindowSummary } from "./Window.ts"
import { summarize, WindowEmpty } from "./Window.ts"

/** An interval has to be longer than nothing and finite. */
export class InvalidInterval extends Schema.TaggedError<InvalidInterval>()("InvalidInterval", {
  given: Schema.String
}) {
  override get message() {
    return `Could not sample every ${this.given}: an interval is finite and greater than zero.\nGive e.g. "1 second".`
  }
}

/** A ring holds at least one sample. */
export class InvalidCapacity extends Schema.TaggedError<InvalidCapacity>()("InvalidCapacity", {
  given: Schema.String
}) {
  override get message() {
    return `Could not keep ${this.given} samples: a capacity is a positive integer.`
  }
}

/** What happens in a series. `sequence` counts from 1 without a hole, so that a slow reader sees what it missed. */
export type SeriesItem =
  | { readonly _tag: "Sampled"; readonly sequence: number; readonly sample: ContainerSample }
  /** Nothing could be read this time; the series goes on. */
  | {
      readonly _tag: "Missed"
      readonly sequence: number
      readonly target: ContainerTarget
      readonly error: Exclude<ReadError, TargetGone>
    }
  /** The container was removed. The last item. */
  | { readonly _tag: "Lost"; readonly sequence: number; readonly target: ContainerTarget; readonly error: TargetGone }

export interface Series {
  readonly target: ContainerTarget
  /** What the ring holds, then live; ends after `Lost`, dies with a defect of the source. A reader slower than the ring loses the oldest items. */
  readonly items: Stream.Stream<SeriesItem>
  /** Samples in the ring, oldest first. */
  readonly recent: Effect.Effect<ReadonlyArray<ContainerSample>>
  /**
   * Summary over the ring, or over samples not older than `last` before the newest one. After a jump of the source's clock such a
   * window begins at the jump: ages on both sides of it do not compare.
   */
  readonly window: (
    metric: ContainerMetric,
    options?: { readonly last?: Duration.Input }
  ) => Effect.Effect<WindowSummary, WindowEmpty>
  readonly interval: Effect.Effect<Duration.Duration>
  /** Takes effect at once: the next sample comes one new interval after the last one. */
  readonly setInterval: (interval: Duration.Input) => Effect.Effect<void, InvalidInterval>
  /** Takes the next sample at once; the one after it comes an interval later. */
  readonly sampleNow: Effect.Effect<void>
}

export interface SeriesOptions {
  /** Default 1 second. */
  readonly interval?: Duration.Input
  /** Items kept. Default 600. */
  readonly capacity?: number
  /**
   * Whether what costs more than a counter (open files, mounts, writable layer, an engine's `processes`) is read for every sample.
   * Default `paced`: now and then, and repeated in between, so that such numbers look steadier than they are.
   */
  readonly details?: ReadOptions["details"]
}

/** Starts sampling in the scope. `onLost` runs once when the container is gone, before the series says so. */
export const make = Effect.fnUntraced(function* (options: {
  readonly target: ContainerTarget
  readonly read: Effect.Effect<ContainerReading, ReadError>
  readonly interval?: Duration.Input | undefined
  readonly capacity?: number | undefined
  readonly onLost?: (lost: TargetGone, last: ContainerSample | undefined) => Effect.Effect<void>
}): Effect.fn.Return<Series, InvalidInterval | InvalidCapacity, Scope.Scope> {
  const { capacity = 600, target } = options
  yield* validCapacity(capacity)
  const interval = yield* Ref.make(yield* validInterval(options.interval ?? "1 second"))
  const timer: Timer = { asked: false, sleeper: undefined }
  const wake = Effect.suspend(() => (timer.sleeper === undefined ? Effect.void : Fiber.interrupt(timer.sleeper)))
  const ring = makeRing<SeriesItem>(capacity)
  const live = yield* Effect.acquireRelease(PubSub.sliding<SeriesItem>(capacity), PubSub.shutdown)
  const { onLost = () => Effect.void, read } = options
  const end: End = { defect: undefined }
  // Nobody would hear of it otherwise, and readers would wait for ever.
  const broken = (defect: unknown) =>
    Effect.sync(() => void (end.defect = { value: defect })).pipe(
      Effect.andThen(Effect.logError(`Could not go on sampling ${target.name}`, defect)),
      Effect.andThen(PubSub.shutdown(live))
    )
  yield* Effect.forkScoped(run({ target, read, interval, timer, ring, live, onLost }).pipe(Effect.catchDefect(broken)))
  const recent = Effect.sync(() => samplesOf(ring.toArray()))
  return {
    target,
    items: follow(ring, live, end),
    recent,
    window: (metric, o) => Effect.flatMap(recent, (samples) => windowOf(samples, metric, o?.last)),
    interval: Ref.get(interval),
    setInterval: (input) =>
      Effect.flatMap(validInterval(input), (valid) => Ref.set(interval, valid)).pipe(Effect.andThen(wake)),
    sampleNow: Effect.andThen(
      Effect.sync(() => void (timer.asked = true)),
      wake
    )
  }
})

/** A number of items that a ring can hold. */
export const validCapacity = (capacity: number): Effect.Effect<number, InvalidCapacity> =>
  Number.isSafeInteger(capacity) && capacity >= 1
    ? Effect.succeed(capacity)
    : Effect.fail(new InvalidCapacity({ given: String(capacity) }))

/** A duration that can be waited for; refuses zero, negative and infinite ones. */
export const validInterval = (input: Duration.Input): Effect.Effect<Duration.Duration, InvalidInterval> =>
  Option.match(Duration.fromInput(input), {
    onNone: () =>
      Effect.fail(new InvalidInterval({ given: typeof input === "object" ? "not a duration" : String(input) })),
    onSome: (duration) =>
      Duration.isFinite(duration) && Duration.toMillis(duration) > 0
        ? Effect.succeed(duration)
        : Effect.fail(new InvalidInterval({ given: Duration.format(duration) }))
  })

/** A fiber that sleeps until the next sample is due; interrupting it makes the loop look again. Half the price of a race. */
interface Timer {
  /** Whether a sample is wanted before it is due. */
  asked: boolean
  sleeper: Fiber.Fiber<void> | undefined
}

interface Loop {
  readonly target: ContainerTarget
  readonly read: Effect.Effect<ContainerReading, ReadError>
  readonly interval: Ref.Ref<Duration.Duration>
  readonly timer: Timer
  readonly ring: Ring<SeriesItem>
  readonly live: PubSub.PubSub<SeriesItem>
  readonly onLost: (lost: TargetGone, last: ContainerSample | undefined) => Effect.Effect<void>
}

const run = Effect.fnUntraced(function* (loop: Loop) {
  const { target } = loop
  let previous: ContainerReading | undefined
  let last: ContainerSample | undefined
  for (let sequence = 1; ; sequence++) {
    const startedNanos = yield* Clock.monotonicTimeNanos
    const reading = yield* Effect.result(loop.read)
    if (reading._tag === "Success") {
      last = derive(target, previous, reading.success)
      previous = reading.success
      yield* publish(loop, { _tag: "Sampled", sequence, sample: last })
    } else if (reading.failure._tag === "TargetGone") {
      // First on record, then said: who reads `Lost` may close the scope.
      yield* loop.onLost(reading.failure, last)
      return yield* publish(loop, { _tag: "Lost", sequence, target, error: reading.failure })
    } else {
      // After a gap a rate would average over a time in which the container did not run, or counted from zero.
      previous = undefined
      yield* publish(loop, { _tag: "Missed", sequence, target, error: reading.failure })
    }
    yield* untilDue(loop, startedNanos)
  }
})

const publish = ({ live, ring }: Loop, item: SeriesItem) =>
  Effect.suspend(() => {
    ring.push(item)
    return PubSub.publish(live, item)
  })

/** Waits until one interval after `startedNanos`; a change of the interval or a request while waiting counts at once. */
const untilDue = Effect.fnUntraced(function* ({ interval, timer }: Loop, startedNanos: bigint) {
  for (;;) {
    const elapsedMillis = Number((yield* Clock.monotonicTimeNanos) - startedNanos) / 1e6
    const restMillis = Duration.toMillis(yield* Ref.get(interval)) - elapsedMillis
    if (restMillis <= 0 || timer.asked) break
    timer.sleeper = yield* Effect.forkChild(Effect.sleep(restMillis), { startImmediately: true })
    yield* Fiber.await(timer.sleeper)
  }
  timer.asked = false
})

/** A defect of the source, once there is one. */
interface End {
  defect: { readonly value: unknown } | undefined
}

const follow = (ring: Ring<SeriesItem>, live: PubSub.PubSub<SeriesItem>, end: End): Stream.Stream<SeriesItem> => {
  const defect = Stream.suspend(() => (end.defect === undefined ? Stream.empty : Stream.die(end.defect.value)))
  const items = Stream.unwrap(
    Effect.gen(function* () {
      if (end.defect !== undefined) return Stream.fromIterable(ring.toArray())
      // Subscribe first, then read the ring: what arrives in between is in both and is dropped by its sequence.
      const subscription = yield* PubSub.subscribe(live)
      const past = ring.toArray()
      const seen = past.at(-1)?.sequence ?? 0
      return Stream.concat(
        Stream.fromIterable(past),
        Stream.filter(Stream.fromSubscription(subscription), (item) => item.sequence > seen)
      ).pipe(Stream.takeUntil((item) => item._tag === "Lost"))
    })
  )
  return Stream.concat(items, defect)
}

const samplesOf = (items: ReadonlyArray<SeriesItem>): ReadonlyArray<ContainerSample> =>
  items.flatMap((item) => (item._tag === "Sampled" ? [item.sample] : []))

const windowOf = (
  samples: ReadonlyArray<ContainerSample>,
  metric: ContainerMetric,
  last: Duration.Input | undefined
) => {
  const chosen = last === undefined ? samples : newest(samples, Duration.toMillis(last))
  const values = chosen.flatMap((sample) => sample.values[metric] ?? [])
  const summary = summarize(values)
  return summary === undefined
    ? Effect.fail(new WindowEmpty({ metric, samples: chosen.length }))
    : Effect.succeed(summary)
}

/** The samples not older than `spanMillis` before the newest one, back to the first that the same clock cannot have stamped. */
const newest = (samples: ReadonlyArray<ContainerSample>, spanMillis: number): ReadonlyArray<ContainerSample> => {
  let from = samples.length
  let later = samples.at(-1)?.atMillis ?? 0
  const since = later - spanMillis
  for (let index = samples.length - 1; index >= 0; index--) {
    const { atMillis } = samples[index] ?? { atMillis: Number.NaN }
    if (!(atMillis >= since && atMillis <= later)) break
    later = atMillis
    from = index
  }
  return samples.slice(from)
}
