/**
 * Waits until containers have come to rest: a metric below a threshold and steady, for a whole window, of all of them at once.
 * A window with a hole in it proves nothing and begins anew. Refuses criteria that could never hold.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ContainerMetric } from "./ContainerSampler.ts"
import type { TargetGone } from "./ContainerSource.ts"
import type { Run } from "./internal/steadyRun.ts"
import { emptyRun, judge, observe } from "./internal/steadyRun.ts"
import { Monitor } from "./Monitor.ts"
import type { MetricsDisabled } from "./Monitor.ts"
import type { InvalidInterval, SeriesItem } from "./Series.ts"
import { validInterval } from "./Series.ts"
import type { WindowSummary } from "./Window.ts"

export interface Criteria {
  readonly metric: ContainerMetric
  /** Every value of the window is below it, in the metric's unit. */
  readonly below: number
  /**
   * The population standard deviation of the window's values is at most this, in the metric's unit. Default 5 % of `below`: a share
   * of the threshold and not of the mean (the coefficient of variation), because a mean near zero would let no window pass.
   */
  readonly maxDeviation?: number
  /** How long both must hold without a hole. Default 10 seconds. */
  readonly window?: Duration.Input
  /** Between two samples. Default a tenth of the window, at most 1 second. A window holds at least two intervals. */
  readonly interval?: Duration.Input
  /** Default 1 minute. */
  readonly timeout?: Duration.Input
}

/** One container at rest, and the window that shows it. */
export interface Stable {
  readonly target: ContainerTarget
  readonly summary: WindowSummary
  readonly deviation: number
}

/** These criteria could never hold, or would hold of anything. */
export class InvalidCriteria extends Schema.TaggedError<InvalidCriteria>()("InvalidCriteria", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not wait for stabilization: ${this.detail}.`
  }
}

/** What was last seen of a container when the time was up. */
export const Unrest = Schema.Struct({
  containerId: Schema.String,
  name: Schema.String,
  stable: Schema.Boolean,
  /** Why it is not at rest: too high, unsteady, too short, or without values; with the figures. */
  finding: Schema.String,
  /** Values of the last window without a hole, oldest first; the newest 60. */
  values: Schema.Array(Schema.Finite)
})

/** The containers were not at rest, all at once, before the time was up. */
export class NotStabilized extends Schema.TaggedError<NotStabilized>()("NotStabilized", {
  metric: Schema.String,
  below: Schema.Finite,
  maxDeviation: Schema.Finite,
  windowMillis: Schema.Finite,
  timeoutMillis: Schema.Finite,
  targets: Schema.Array(Unrest)
}) {
  override get message() {
    const lines = this.targets.map(({ finding, name, values }) => {
      const last = values.slice(-5).map((value) => Math.round(value * 1000) / 1000)
      return `\n  ${name}: ${finding}${last.length === 0 ? "" : `; last values ${last.join(", ")}`}`
    })
    return (
      `Could not see ${this.metric} stay below ${this.below} with a deviation of at most ${this.maxDeviation} for ` +
      `${this.windowMillis} ms within ${this.timeoutMillis} ms.${lines.join("")}`
    )
  }
}

export type StabilizationError = NotStabilized | TargetGone | InvalidCriteria | InvalidInterval | MetricsDisabled

/**
 * Samples all targets until every one is at rest at the same time. Fails with `NotStabilized`, which carries the last values, when
 * the time is up, and with `TargetGone` as soon as one of them is removed.
 */
export const waitForStabilization = Effect.fn("Stabilization.waitForStabilization")(function* (
  targets: ContainerTarget | ReadonlyArray<ContainerTarget>,
  criteria: Criteria
): Effect.fn.Return<ReadonlyArray<Stable>, StabilizationError, Monitor> {
  const valid = yield* validate(criteria)
  const all: ReadonlyArray<ContainerTarget> = isMany(targets) ? targets : [targets]
  if (all.length === 0) return yield* new InvalidCriteria({ detail: "no container was given" })
  const runs = new Map(all.map((target) => [target.containerId, emptyRun()]))
  return yield* Effect.timeoutOrElse(watchUntilStable(all, valid, runs), {
    duration: valid.timeoutMillis,
    orElse: () => notStabilized(all, valid, runs)
  })
})

const isMany = (targets: ContainerTarget | ReadonlyArray<ContainerTarget>): targets is ReadonlyArray<ContainerTarget> =>
  Array.isArray(targets)

interface Valid {
  readonly metric: ContainerMetric
  readonly below: number
  readonly maxDeviation: number
  readonly windowMillis: number
  readonly intervalMillis: number
  readonly holeMillis: number
  readonly timeoutMillis: number
}

const validate = Effect.fnUntraced(function* (
  criteria: Criteria
): Effect.fn.Return<Valid, InvalidCriteria | InvalidInterval> {
  const { below, maxDeviation = Math.abs(below) * 0.05, metric } = criteria
  const windowMillis = Duration.toMillis(yield* validInterval(criteria.window ?? "10 seconds"))
  const timeoutMillis = Duration.toMillis(yield* validInterval(criteria.timeout ?? "1 minute"))
  const interval = criteria.interval ?? Math.min(1000, windowMillis / 10)
  const intervalMillis = Duration.toMillis(yield* validInterval(interval))
  const refuse = (detail: string) => Effect.fail(new InvalidCriteria({ detail }))
  if (!Number.isFinite(below)) return yield* refuse(`${below} is no threshold`)
  if (!(Number.isFinite(maxDeviation) && maxDeviation >= 0)) return yield* refuse(`${maxDeviation} is no deviation`)
  if (windowMillis < 2 * intervalMillis)
    return yield* refuse(`a window of ${windowMillis} ms does not hold two intervals of ${intervalMillis} ms`)
  if (timeoutMillis < windowMillis)
    return yield* refuse(`a window of ${windowMillis} ms cannot pass within ${timeoutMillis} ms`)
  const holeMillis = Math.max(2 * intervalMillis, windowMillis / 4)
  return { metric, below, maxDeviation, windowMillis, intervalMillis, holeMillis, timeoutMillis }
})

/** A series repeats these for a while unless it is told not to, and what is repeated deviates from nothing. */
const slow: ReadonlySet<ContainerMetric> = new Set<ContainerMetric>([
  "processes",
  "openFiles",
  "writableLayerBytes",
  "mountUsedBytes",
  "mountLimitBytes"
])

/** The series are this call's own and small: what counts is kept in the runs. */
const watchUntilStable = Effect.fnUntraced(function* (
  targets: ReadonlyArray<ContainerTarget>,
  criteria: Valid,
  runs: Map<string, Run>
) {
  const monitor = yield* Monitor
  const items = monitor.seriesAll(targets, {
    interval: criteria.intervalMillis,
    capacity: 16,
    details: slow.has(criteria.metric) ? "fresh" : "paced"
  })
  const found = Stream.mapEffect(items, (item) => take(item, targets, criteria, runs))
  const stable = yield* Stream.runHead(Stream.filter(found, (all) => all !== undefined)).pipe(
    // The capacity is a constant.
    Effect.catchTag("InvalidCapacity", Effect.die)
  )
  // A series ends only with a lost container, which has failed by then.
  return stable._tag === "Some" ? stable.value : yield* Effect.die(new Error("the series ended"))
})

const take = Effect.fnUntraced(function* (
  item: SeriesItem,
  targets: ReadonlyArray<ContainerTarget>,
  criteria: Valid,
  runs: Map<string, Run>
): Effect.fn.Return<ReadonlyArray<Stable> | undefined, TargetGone> {
  if (item._tag === "Lost") return yield* item.error
  const atMillis = yield* monotonicMillis
  const id = item._tag === "Sampled" ? item.sample.id : item.target.containerId
  const seen =
    item._tag === "Missed"
      ? item.error._tag
      : (item.sample.values[criteria.metric] ?? item.sample.absent[criteria.metric] ?? "not-reported")
  runs.set(id, observe(runs.get(id) ?? emptyRun(), seen, atMillis, criteria))
  const all: Array<Stable> = []
  for (const target of targets) {
    const reached = judge(runs.get(target.containerId) ?? emptyRun(), atMillis, criteria)
    if (reached._tag === "unrest") return undefined
    all.push({ target, summary: reached.summary, deviation: reached.deviation })
  }
  return all
})

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const notStabilized = Effect.fnUntraced(function* (
  targets: ReadonlyArray<ContainerTarget>,
  criteria: Valid,
  runs: Map<string, Run>
) {
  const { below, maxDeviation, metric, timeoutMillis, windowMillis } = criteria
  const now = yield* monotonicMillis
  return yield* new NotStabilized({
    metric,
    below,
    maxDeviation,
    windowMillis,
    timeoutMillis,
    targets: targets.map(({ containerId, name }) => {
      const run = runs.get(containerId) ?? emptyRun()
      const reached = judge(run, now, criteria)
      const stable = reached._tag === "stable"
      const finding = stable ? "at rest, but others were not" : reached.finding
      return { containerId, name, stable, finding, values: run.values.slice(-60).map(({ value }) => value) }
    })
  })
})
