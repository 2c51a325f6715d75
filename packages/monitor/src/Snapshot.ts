/**
 * One reading of several containers, and if wanted of the host and this process, at one time; and what changed between two.
 * A snapshot samples on demand, so its first numbers are real. Refuses to compare what is not in both.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { makeId } from "@sbx/core/SandboxId"
import type { AppendError } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ContainerSample } from "./ContainerSampler.ts"
import { ContainerMetric } from "./ContainerSampler.ts"
import type { ReadError } from "./ContainerSource.ts"
import type { HostSample, HostUnreadable } from "./HostSampler.ts"
import { HostMetric, HostSampler } from "./HostSampler.ts"
import type { MetricsDisabled } from "./Monitor.ts"
import { Monitor } from "./Monitor.ts"
import type { RunnerSample } from "./RunnerSampler.ts"
import { RunnerMetric, RunnerSampler } from "./RunnerSampler.ts"
import type { Absence, Absences, Sample, Values } from "./Sample.ts"
import { difference } from "./Sample.ts"
import type { InvalidInterval } from "./Series.ts"

export interface Snapshot {
  /** `snap_` and 16 characters. */
  readonly id: string
  readonly label: string
  /** When it was complete, milliseconds since 1970. */
  readonly atMillis: number
  /** In the order of the targets. */
  readonly containers: ReadonlyArray<ContainerSample>
  readonly host: HostSample | undefined
  readonly runner: RunnerSample | undefined
}

export interface SnapshotOptions {
  readonly label?: string
  /** How long rates are measured; the snapshot takes this long. Default 1 second. */
  readonly window?: Duration.Input
}

/** After minus before. Every metric there is stands in `values` or, with the reason, in `absent`. */
export interface Delta<M extends string> {
  readonly id: string
  readonly name: string
  readonly values: Values<M>
  readonly absent: Absences<M>
}

export interface SnapshotDelta {
  /** After minus before, milliseconds. */
  readonly elapsedMillis: number
  readonly containers: ReadonlyArray<Delta<ContainerMetric>>
  readonly host: Delta<HostMetric> | undefined
  readonly runner: Delta<RunnerMetric> | undefined
  /** Growth of the working set of all containers together; 1 MB is 1,000,000 bytes. */
  readonly memoryUsedMb: number
  /** Growth of the cores in use of all containers together. */
  readonly cpuCores: number
  /** Growth of the tasks of all containers together. */
  readonly pids: number
}

/** The snapshots do not show the same things, or something was not measured, so a total would be wrong. */
export class NotComparable extends Schema.TaggedError<NotComparable>()("NotComparable", {
  /** `<name>: <what is missing>`. */
  missing: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not compare two snapshots: ${this.missing.join("; ")}.\nTake both of the same containers, while they run.`
  }
}

type TakeError = ReadError | InvalidInterval | MetricsDisabled | AppendError

/** Samples all targets over the same window and records it. Fails when any of them cannot be read. */
export const takeSnapshot = Effect.fn("Snapshot.takeSnapshot")(function* (
  targets: ContainerTarget | ReadonlyArray<ContainerTarget>,
  options?: SnapshotOptions
): Effect.fn.Return<Snapshot, TakeError, Monitor> {
  const containers = yield* sampleContainers(targets, options)
  return yield* finish(containers, undefined, undefined, options)
})

/** The same with the host and this process in it. */
export const takeFullSnapshot = Effect.fn("Snapshot.takeFullSnapshot")(function* (
  targets: ContainerTarget | ReadonlyArray<ContainerTarget>,
  options?: SnapshotOptions
): Effect.fn.Return<Snapshot, TakeError | HostUnreadable, Monitor | HostSampler | RunnerSampler> {
  const host = yield* HostSampler
  const runner = yield* RunnerSampler
  const [containers, hostSample, runnerSample] = yield* Effect.all(
    [sampleContainers(targets, options), host.sample(options), runner.sample(options)],
    { concurrency: "unbounded" }
  )
  return yield* finish(containers, hostSample, runnerSample, options)
})

const isMany = (targets: ContainerTarget | ReadonlyArray<ContainerTarget>): targets is ReadonlyArray<ContainerTarget> =>
  Array.isArray(targets)

const sampleContainers = Effect.fnUntraced(function* (
  targets: ContainerTarget | ReadonlyArray<ContainerTarget>,
  options?: SnapshotOptions
) {
  const monitor = yield* Monitor
  const all = isMany(targets) ? targets : [targets]
  return yield* Effect.forEach(all, (target) => monitor.sample(target, options), { concurrency: "unbounded" })
})

const finish = Effect.fnUntraced(function* (
  containers: ReadonlyArray<ContainerSample>,
  host: HostSample | undefined,
  runner: RunnerSample | undefined,
  options: SnapshotOptions | undefined
) {
  const monitor = yield* Monitor
  const atMillis = yield* Clock.currentTimeMillis
  const snapshot: Snapshot = {
    id: yield* makeId("snap"),
    label: options?.label ?? "",
    atMillis,
    containers,
    host,
    runner
  }
  const subjects = [...containers, ...(host === undefined ? [] : [host]), ...(runner === undefined ? [] : [runner])]
  yield* monitor.record({
    _tag: "SnapshotTaken",
    snapshotId: snapshot.id,
    label: snapshot.label,
    atMillis,
    subjects: subjects.map(({ id, name, subject, values }) => ({ subject, id, name, metrics: defined(values) }))
  })
  return snapshot
})

const defined = (values: Readonly<Record<string, number | undefined>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))

/**
 * What changed from `before` to `after`, for every metric there is. A counter that fell has no difference, nor has one across a
 * restart, where the source tells one, or a change of source. Refuses totals over something that was not measured, and snapshots that do not show the same subjects.
 */
export const compare = (before: Snapshot, after: Snapshot): Effect.Effect<SnapshotDelta, NotComparable> =>
  Effect.suspend(() => {
    const pairs = pair(before.containers, after.containers)
    const containers = pairs.both.map(([from, to]) => deltaOf(ContainerMetric.literals, from, to))
    const missing = [...pairs.missing, ...oneSided(before, after, "host"), ...oneSided(before, after, "runner")]
    const total = (metric: ContainerMetric) => {
      let sum = 0
      for (const { absent, name, values } of containers) {
        sum += values[metric] ?? 0
        if (values[metric] === undefined) missing.push(`${name}: ${metric} is ${absent[metric] ?? "not-reported"}`)
      }
      return sum
    }
    const totals = {
      memoryUsedMb: total("memoryBytes") / bytesPerMb,
      cpuCores: total("cpuCores"),
      pids: total("pids")
    }
    if (before.containers.length === 0) missing.push("no container in the first snapshot")
    if (missing.length > 0) return Effect.fail(new NotComparable({ missing }))
    return Effect.succeed({
      elapsedMillis: after.atMillis - before.atMillis,
      containers,
      host: bothOrNone(HostMetric.literals, before.host, after.host),
      runner: bothOrNone(RunnerMetric.literals, before.runner, after.runner),
      ...totals
    })
  })

const bytesPerMb = 1_000_000

/** Metrics that only grow while a container, or the host, runs. */
const cumulative: ReadonlySet<string> = new Set<ContainerMetric | HostMetric>([
  "memoryPeakBytes",
  "memoryOomKills",
  "networkRxBytes",
  "networkTxBytes",
  "blockReadBytes",
  "blockWriteBytes",
  "diskReadBytes",
  "diskWriteBytes"
])

/** Whether these are two lives of a container, as far as their source knows. */
export const isRestarted = <M extends string>(before: Sample<M>, after: Sample<M>): boolean =>
  before.incarnation !== undefined && after.incarnation !== undefined && before.source === after.source
    ? before.incarnation !== after.incarnation
    : false

/** Why the counters of the one do not go on in the other. */
const counterBreak = <M extends string>(before: Sample<M>, after: Sample<M>): Absence | undefined => {
  if (before.source !== after.source) return "source-changed"
  return isRestarted(before, after) ? "counter-went-back" : undefined
}

const deltaOf = <M extends string>(metrics: ReadonlyArray<M>, before: Sample<M>, after: Sample<M>): Delta<M> => {
  const found = difference(before, after)
  const values: { [K in M]?: number } = {}
  const absent: { [K in M]?: Absence } = {}
  const broken = counterBreak(before, after)
  for (const metric of metrics) {
    const grown = found.values[metric]
    if (broken !== undefined && cumulative.has(metric)) absent[metric] = found.absent[metric] ?? broken
    else if (grown === undefined) absent[metric] = found.absent[metric] ?? "not-reported"
    else if (grown < 0 && cumulative.has(metric)) absent[metric] = "counter-went-back"
    else values[metric] = grown
  }
  return { id: after.id, name: after.name, values, absent }
}

const bothOrNone = <M extends string>(
  metrics: ReadonlyArray<M>,
  before: Sample<M> | undefined,
  after: Sample<M> | undefined
) => (before === undefined || after === undefined ? undefined : deltaOf(metrics, before, after))

const oneSided = (before: Snapshot, after: Snapshot, subject: "host" | "runner"): ReadonlyArray<string> => {
  if ((before[subject] === undefined) === (after[subject] === undefined)) return []
  return [`${subject}: only in the ${before[subject] === undefined ? "second" : "first"} snapshot`]
}

const pair = (before: ReadonlyArray<ContainerSample>, after: ReadonlyArray<ContainerSample>) => {
  const both: Array<readonly [ContainerSample, ContainerSample]> = []
  const missing: Array<string> = []
  for (const from of before) {
    const to = after.find((candidate) => candidate.id === from.id)
    if (to === undefined) missing.push(`${from.name}: only in the first snapshot`)
    else both.push([from, to])
  }
  for (const to of after)
    if (!before.some((candidate) => candidate.id === to.id)) missing.push(`${to.name}: only in the second snapshot`)
  return { both, missing }
}
