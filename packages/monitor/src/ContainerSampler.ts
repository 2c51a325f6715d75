/**
 * What two readings of a container say about it: a pure function. Rates are measured over the interval between the readings: by
 * the source's monotonic clock, else by the engine's, cross-checked with the kernel's cpu accounting. Nothing is assumed or defaulted.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { ContainerStats } from "@sbx/engine/Engine"
import * as Schema from "effect/Schema"
import type { Absence, Measured, Sample, SampleSource } from "./Sample.ts"
import { combine, gauge, growth, map, split } from "./Sample.ts"

export const ContainerMetric = Schema.Literals([
  /** Cores in use, averaged over the interval; 0.5 is half a core. */
  "cpuCores",
  /** `cpuCores` in percent of the container's cpu quota. */
  "cpuPercentOfLimit",
  "cpuLimitCores",
  /** How long the quota held the container back during the interval, milliseconds. */
  "cpuThrottledMillis",
  /** Scheduler periods of the interval in which it was held back. */
  "cpuThrottledPeriods",
  /** Working set, bytes: charged memory without inactive page cache (moby#40727; what `docker stats` shows). */
  "memoryBytes",
  /** Charged memory with page cache, bytes: what the cgroup's limit counts. */
  "memoryChargedBytes",
  "memoryLimitBytes",
  "memoryPercentOfLimit",
  /** Highest charged memory since the container started, bytes (v1 `max_usage_in_bytes`, v2 `memory.peak` from Linux 5.19 on). */
  "memoryPeakBytes",
  /** Processes that the kernel killed in the container for want of memory, since it started. */
  "memoryOomKills",
  /** Tasks as the pids cgroup counts them against its limit: every thread, and the dead that wait for their parent. */
  "pids",
  "pidsLimit",
  /** Live processes (thread groups). */
  "processes",
  /** Live threads of all processes; `pids` without the dead. */
  "threads",
  /** Open file descriptors of all processes; measured at a slower pace. */
  "openFiles",
  /** Disk blocks of what was written outside of mounts, bytes; 0 when nothing was. Only where asked for. */
  "writableLayerBytes",
  /** Used, and size, of the container's own bounded file systems (tmpfs with a size, loop devices) outside /dev, bytes, in sum. */
  "mountUsedBytes",
  "mountLimitBytes",
  /** Cumulative bytes over all interfaces. */
  "networkRxBytes",
  "networkTxBytes",
  "networkRxBytesPerSecond",
  "networkTxBytesPerSecond",
  /** Cumulative bytes to and from block devices. */
  "blockReadBytes",
  "blockWriteBytes",
  "blockReadBytesPerSecond",
  "blockWriteBytesPerSecond"
])
export type ContainerMetric = typeof ContainerMetric.Type
export type ContainerSample = Sample<ContainerMetric>

/** What engines do not tell in their statistics. A number, or the reason why there is none. */
export type DetailMetric =
  | "memoryOomKills"
  | "processes"
  | "threads"
  | "openFiles"
  | "writableLayerBytes"
  | "mountUsedBytes"
  | "mountLimitBytes"

/** What a source reads at one instant. */
export interface ContainerReading {
  readonly stats: ContainerStats
  /** The quota in cores; absent when the container has none. */
  readonly cpuLimitCores: number | undefined
  readonly source?: SampleSource
  /** When the cpu counter was read, by a clock that no one sets; rates do not look at the wall clock then. */
  readonly monotonicNanos?: bigint
  /** Another one after a restart, from which on counters count anew. */
  readonly incarnation?: string
  readonly details?: { readonly [K in DetailMetric]?: Measured }
  /** Why the source could not read a metric that it reads otherwise. */
  readonly reasons?: { readonly [K in ContainerMetric]?: Absence }
}

/** Derives a sample from the present reading and the one before it, if there is one. */
export const derive = (
  target: ContainerTarget,
  previous: ContainerReading | undefined,
  current: ContainerReading
): ContainerSample => {
  const before = comparable(previous, current)
  const interval = typeof before === "string" ? before : intervalOf(before, current)
  const measured: Record<ContainerMetric, Measured> = {
    ...cpu(before, current, interval),
    ...memory(current.stats),
    ...pids(current.stats),
    ...io(before, current.stats, interval),
    ...details(current)
  }
  return {
    subject: "container",
    id: target.containerId,
    name: target.name,
    atMillis: current.stats.readAtMillis,
    intervalMillis: typeof interval === "number" ? interval : undefined,
    ...split(withReasons(measured, current.reasons)),
    ...(current.source === undefined ? {} : { source: current.source }),
    ...(current.incarnation === undefined ? {} : { incarnation: current.incarnation })
  }
}

/** The earlier reading where its counters go on in the later one, else why they do not. */
const comparable = (previous: ContainerReading | undefined, current: ContainerReading): ContainerReading | Absence => {
  if (previous === undefined) return "no-previous-reading"
  if (previous.source !== current.source) return "source-changed"
  if (previous.incarnation !== current.incarnation) return "counter-went-back"
  // The kernel's count of a container's cpu time never falls while it runs: it was restarted, and everything counts anew.
  const usage = growth(previous.stats.cpu?.usageNanos, current.stats.cpu?.usageNanos)
  return usage === "counter-went-back" ? usage : previous
}

const intervalOf = (before: ContainerReading, after: ContainerReading): Measured => {
  if (before.monotonicNanos === undefined || after.monotonicNanos === undefined)
    return elapsedMillis(before.stats, after.stats)
  const nanos = after.monotonicNanos - before.monotonicNanos
  return nanos > 0n ? Number(nanos) / 1e6 : "no-interval"
}

const withReasons = (
  measured: Record<ContainerMetric, Measured>,
  reasons: ContainerReading["reasons"]
): Record<ContainerMetric, Measured> => {
  if (reasons === undefined) return measured
  for (const metric of ContainerMetric.literals) {
    // A limit that may not be read looks like none.
    const isOpen = measured[metric] === "not-reported" || measured[metric] === "no-limit"
    const reason = reasons[metric]
    if (isOpen && reason !== undefined) measured[metric] = reason
  }
  return measured
}

/** Slack for the tick resolution of the kernel's accounting (USER_HZ) and for stolen time, milliseconds. */
const clockSlackMillis = 1000

/** Time between two readings, milliseconds; refuses clocks that stand still, go back or jump. */
export const elapsedMillis = (before: ContainerStats | undefined, after: ContainerStats): Measured => {
  if (before === undefined) return "no-previous-reading"
  const wall = after.readAtMillis - before.readAtMillis
  if (!Number.isFinite(wall)) return "not-a-number"
  if (wall < 0) return "clock-went-back"
  if (wall === 0) return "no-interval"
  // The host's cpu time over all cores grows by cores x time whatever the wall clock does.
  const hostNanos = growth(before.cpu?.systemNanos, after.cpu?.systemNanos)
  const cores = after.cpu?.onlineCpus
  if (typeof hostNanos === "number" && cores !== undefined && cores > 0 && hostNanos > 0) {
    const kernel = hostNanos / cores / 1e6
    if (wall > 2 * kernel + clockSlackMillis || kernel > 2 * wall + clockSlackMillis) return "clock-jumped"
  }
  return wall
}

const limitOf = (limit: number | undefined): Measured => (limit === undefined ? "no-limit" : gauge(limit))

const percent = (value: Measured, limit: Measured): Measured =>
  limit === 0 ? "no-limit" : combine(value, limit, (v, l) => (v / l) * 100)

const cpu = (previous: ContainerReading | Absence, current: ContainerReading, interval: Measured) => {
  const before = typeof previous === "string" ? undefined : previous.stats.cpu
  const after = current.stats.cpu
  const over = (from: number | undefined, to: number | undefined): Measured =>
    to === undefined ? "not-reported" : typeof previous === "string" ? previous : growth(from, to)
  const usage = over(before?.usageNanos, after?.usageNanos)
  const cpuCores = combine(usage, interval, (nanos, millis) => nanos / 1e6 / millis)
  const cpuLimitCores = limitOf(current.cpuLimitCores)
  const throttled = over(before?.throttledNanos, after?.throttledNanos)
  return {
    cpuCores,
    cpuLimitCores,
    cpuPercentOfLimit: percent(cpuCores, cpuLimitCores),
    cpuThrottledMillis: map(throttled, (nanos) => nanos / 1e6),
    cpuThrottledPeriods: over(before?.throttledPeriods, after?.throttledPeriods)
  }
}

const memory = ({ memory: reading }: ContainerStats) => {
  const charged = gauge(reading?.usageBytes)
  const cache = gauge(reading?.inactiveFileBytes)
  const workingSet: Measured =
    typeof charged === "number" && typeof cache === "number" && cache > charged
      ? "inconsistent"
      : combine(charged, cache, (usage, inactive) => usage - inactive)
  const limit = reading === undefined ? "not-reported" : limitOf(reading.limitBytes)
  return {
    memoryBytes: workingSet,
    memoryChargedBytes: charged,
    memoryLimitBytes: limit,
    memoryPercentOfLimit: percent(workingSet, limit),
    memoryPeakBytes: gauge(reading?.maxUsageBytes)
  }
}

const pids = ({ pids: reading }: ContainerStats) => ({
  pids: gauge(reading?.current),
  pidsLimit: reading === undefined ? ("not-reported" as const) : limitOf(reading.limit)
})

const details = ({ details: read }: ContainerReading): Record<DetailMetric, Measured> => ({
  memoryOomKills: check(read?.memoryOomKills),
  processes: check(read?.processes),
  threads: check(read?.threads),
  openFiles: check(read?.openFiles),
  writableLayerBytes: check(read?.writableLayerBytes),
  mountUsedBytes: check(read?.mountUsedBytes),
  mountLimitBytes: check(read?.mountLimitBytes)
})

const check = (value: Measured | undefined): Measured => (typeof value === "string" ? value : gauge(value))

const io = (before: ContainerReading | Absence, after: ContainerStats, interval: Measured) => {
  const rate = (from: Measured | undefined, to: Measured): Measured => {
    if (typeof to !== "number") return to
    if (typeof before === "string") return before
    const grown = typeof from === "number" ? growth(from, to) : (from ?? "not-reported")
    return combine(grown, interval, (bytes, millis) => bytes / (millis / 1000))
  }
  const from = typeof before === "string" ? undefined : ioCounters(before.stats)
  const to = ioCounters(after)
  return {
    networkRxBytes: to.rx,
    networkTxBytes: to.tx,
    networkRxBytesPerSecond: rate(from?.rx, to.rx),
    networkTxBytesPerSecond: rate(from?.tx, to.tx),
    blockReadBytes: to.read,
    blockWriteBytes: to.write,
    blockReadBytesPerSecond: rate(from?.read, to.read),
    blockWriteBytesPerSecond: rate(from?.write, to.write)
  }
}

const ioCounters = (stats: ContainerStats) => ({
  rx: total(stats.network?.map((network) => network.rxBytes)),
  tx: total(stats.network?.map((network) => network.txBytes)),
  read: gauge(stats.blockIo?.readBytes),
  write: gauge(stats.blockIo?.writeBytes)
})

const total = (values: ReadonlyArray<number> | undefined): Measured =>
  values === undefined
    ? "not-reported"
    : values.reduce<Measured>((sum, value) => combine(sum, gauge(value), (a, b) => a + b), 0)
