/**
 * What two readings of a container say about it: a pure function. Rates are measured over the interval between the
 * readings by the engine's clock, cross-checked with the kernel's cpu accounting; nothing is assumed or defaulted.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { ContainerStats } from "@sbx/engine/Engine"
import * as Schema from "effect/Schema"
import type { Measured, Sample } from "./Sample.ts"
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
  /** Highest charged memory since the container started, bytes; cgroup v1 only. */
  "memoryPeakBytes",
  /** Tasks (processes and threads), as the pids cgroup counts them. */
  "pids",
  "pidsLimit",
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

/** What a source reads at one instant. */
export interface ContainerReading {
  readonly stats: ContainerStats
  /** The quota in cores; absent when the container has none. */
  readonly cpuLimitCores: number | undefined
}

/** Derives a sample from the present reading and the one before it, if there is one. */
export const derive = (
  target: ContainerTarget,
  previous: ContainerReading | undefined,
  current: ContainerReading
): ContainerSample => {
  const interval = elapsedMillis(previous?.stats, current.stats)
  return {
    subject: "container",
    id: target.containerId,
    name: target.name,
    atMillis: current.stats.readAtMillis,
    intervalMillis: typeof interval === "number" ? interval : undefined,
    ...split<ContainerMetric>({
      ...cpu(previous, current, interval),
      ...memory(current.stats),
      ...pids(current.stats),
      ...io(previous?.stats, current.stats, interval)
    })
  }
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

const cpu = (previous: ContainerReading | undefined, current: ContainerReading, interval: Measured) => {
  const before = previous?.stats.cpu
  const after = current.stats.cpu
  const over = (from: number | undefined, to: number | undefined): Measured =>
    to === undefined ? "not-reported" : previous === undefined ? "no-previous-reading" : growth(from, to)
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

const io = (before: ContainerStats | undefined, after: ContainerStats, interval: Measured) => {
  const rate = (from: Measured | undefined, to: Measured): Measured => {
    if (typeof to !== "number") return to
    if (from === undefined) return "no-previous-reading"
    const grown = typeof from === "number" ? growth(from, to) : from
    return combine(grown, interval, (bytes, millis) => bytes / (millis / 1000))
  }
  const from = before === undefined ? undefined : ioCounters(before)
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
