/**
 * What our metrics are called elsewhere: OpenTelemetry's semantic conventions where they have a name for the very thing
 * (opentelemetry.io/docs/specs/semconv/system: container, system and process metrics), `sbx.` in front where they have none.
 */
import type { ContainerMetric } from "./ContainerSampler.ts"
import type { HostMetric } from "./HostSampler.ts"
import type { RunnerMetric } from "./RunnerSampler.ts"
import type { Sample } from "./Sample.ts"

export interface MetricName {
  /** OpenTelemetry name. */
  readonly id: string
  /** UCUM, case sensitive; braces hold an annotation. */
  readonly unit: string
  /** `counter` only grows; `amount` is a quantity that adds up over subjects; `gauge` does not add up. */
  readonly kind: "counter" | "amount" | "gauge"
  readonly help: string
  /** Exported number = measured number x scale. Default 1. */
  readonly scale?: number
  /** Tells apart metrics of one name. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** `derived`: a rate of a counter that is exported; the receiver computes it over any window. */
type Names<M extends string> = Readonly<Record<M, MetricName | "derived">>

const percent = 0.01
const millis = 0.001

const cpu = (id: string, help: string): MetricName => ({ id, unit: "{cpu}", kind: "gauge", help })
const bytes = (id: string, help: string): MetricName => ({ id, unit: "By", kind: "amount", help })
const share = (id: string, help: string): MetricName => ({ id, unit: "1", kind: "gauge", help, scale: percent })
const number = (id: string, unit: string, help: string): MetricName => ({ id, unit, kind: "amount", help })

const network = (direction: string): MetricName => ({
  id: "container.network.io",
  unit: "By",
  kind: "counter",
  help: "Bytes over all network interfaces of the container",
  attributes: { "network.io.direction": direction }
})

const disk = (id: string, direction: string): MetricName => ({
  id,
  unit: "By",
  kind: "counter",
  help: "Bytes to and from block devices",
  attributes: { "disk.io.direction": direction }
})

export const container: Names<ContainerMetric> = {
  cpuCores: cpu("container.cpu.usage", "Cores in use, averaged over the sampling interval"),
  cpuPercentOfLimit: share("sbx.container.cpu.limit.utilization", "Cores in use as a share of the quota"),
  cpuLimitCores: cpu("sbx.container.cpu.limit", "Quota in cores"),
  cpuThrottledMillis: {
    id: "sbx.container.cpu.throttled.interval.time",
    unit: "s",
    kind: "gauge",
    help: "How long the quota held the container back in the last sampling interval",
    scale: millis
  },
  cpuThrottledPeriods: {
    id: "sbx.container.cpu.throttled.interval.periods",
    unit: "{period}",
    kind: "gauge",
    help: "Scheduler periods of the last sampling interval in which the quota held the container back"
  },
  // The conventions call usage a counter up to 1.37; memory falls too, so it is exported as the sum that may.
  memoryBytes: bytes("container.memory.working_set", "Charged memory without inactive page cache"),
  memoryChargedBytes: bytes("container.memory.usage", "Charged memory with page cache: what the limit counts"),
  memoryLimitBytes: bytes("sbx.container.memory.limit", "Memory limit"),
  memoryPercentOfLimit: share("sbx.container.memory.limit.utilization", "Working set as a share of the limit"),
  memoryPeakBytes: {
    id: "sbx.container.memory.peak",
    unit: "By",
    kind: "gauge",
    help: "Highest charged memory since the container started"
  },
  memoryOomKills: {
    id: "sbx.container.memory.oom_kills",
    unit: "{process}",
    kind: "counter",
    help: "Processes that the kernel killed for want of memory since the container started"
  },
  pids: number("sbx.container.tasks", "{task}", "Processes and threads, the dead that wait for their parent included"),
  pidsLimit: number("sbx.container.tasks.limit", "{task}", "Most processes and threads allowed"),
  processes: number("sbx.container.processes", "{process}", "Live processes"),
  threads: number("sbx.container.threads", "{thread}", "Live threads of all processes"),
  openFiles: number("sbx.container.open_files", "{file}", "Open file descriptors of all processes"),
  writableLayerBytes: bytes("sbx.container.writable_layer.usage", "Disk blocks of what was written outside of mounts"),
  mountUsedBytes: bytes("sbx.container.mounts.usage", "Bytes in use on the container's own bounded file systems"),
  mountLimitBytes: bytes("sbx.container.mounts.limit", "Size of the container's own bounded file systems"),
  networkRxBytes: network("receive"),
  networkTxBytes: network("transmit"),
  networkRxBytesPerSecond: "derived",
  networkTxBytesPerSecond: "derived",
  blockReadBytes: disk("container.disk.io", "read"),
  blockWriteBytes: disk("container.disk.io", "write"),
  blockReadBytesPerSecond: "derived",
  blockWriteBytesPerSecond: "derived"
}

const load = (minutes: number): MetricName => ({
  id: `sbx.host.load_average.${minutes}m`,
  unit: "{task}",
  kind: "gauge",
  help: `Runnable and uninterruptible tasks, averaged over ${minutes} min`
})

export const host: Names<HostMetric> = {
  cpuCores: cpu("sbx.host.cpu.usage", "Cores in use over the window"),
  cpuPercent: share("sbx.host.cpu.utilization", "Busy share of all cores over the window"),
  cpuCount: number("system.cpu.logical.count", "{cpu}", "Logical cores"),
  load1: load(1),
  load5: load(5),
  load15: load(15),
  memoryTotalBytes: bytes("system.memory.limit", "Memory of the machine"),
  memoryBytes: bytes("sbx.host.memory.usage", "Memory that could not be handed out without swapping"),
  memoryAvailableBytes: bytes("system.linux.memory.available", "Memory that could be handed out without swapping"),
  swapUsedBytes: bytes("sbx.host.swap.usage", "Swap in use"),
  diskTotalBytes: bytes("sbx.host.disk.limit", "Size of the watched file system"),
  diskUsedBytes: bytes("sbx.host.disk.usage", "Bytes in use on the watched file system"),
  diskAvailableBytes: bytes("sbx.host.disk.available", "Bytes that may still be written to the watched file system"),
  diskReadBytes: disk("system.disk.io", "read"),
  diskWriteBytes: disk("system.disk.io", "write"),
  diskReadBytesPerSecond: "derived",
  diskWriteBytesPerSecond: "derived"
}

const delay = (which: string, help: string): MetricName => ({
  id: `nodejs.eventloop.delay.${which}`,
  unit: "s",
  kind: "gauge",
  help,
  scale: millis
})

export const runner: Names<RunnerMetric> = {
  cpuCores: cpu("sbx.runner.cpu.usage", "Cores in use by this process"),
  memoryBytes: bytes("process.memory.usage", "Resident set of this process"),
  heapBytes: bytes("sbx.runner.heap.usage", "JavaScript heap in use by this process"),
  heapTotalBytes: bytes("sbx.runner.heap.size", "JavaScript heap reserved by this process"),
  externalBytes: bytes("sbx.runner.external.usage", "Memory of this process's objects outside the JavaScript heap"),
  openFiles: number("process.open_file_descriptor.count", "{file_descriptor}", "Open file descriptors of this process"),
  eventLoopDelayP99Millis: delay("p99", "How late timers fired: 99 of 100 were no later"),
  eventLoopDelayMaxMillis: delay("max", "How late the latest timer fired")
}

const tables: Readonly<Record<Sample<string>["subject"], Readonly<Record<string, MetricName | "derived">>>> = {
  container,
  host,
  runner
}

/** One exported number: its name and its value in the exported unit. */
export interface Exported {
  readonly name: MetricName
  readonly value: number
}

/** What a sample exports; a metric that is absent in it is absent here. */
export const exported = (sample: Sample<string>): ReadonlyArray<Exported> => {
  const table = tables[sample.subject]
  return Object.entries(sample.values).flatMap(([metric, value]) => {
    const name = table[metric]
    if (value === undefined || name === undefined || name === "derived") return []
    return [{ name, value: scaled(value, name.scale) }]
  })
}

/** Divides by the whole number that the scale stands for: 25 x 0.01 is not 0.25 in binary, 25 / 100 is. */
const scaled = (value: number, scale = 1): number => (scale < 1 ? value / Math.round(1 / scale) : value * scale)

/** What tells one subject from another, in OpenTelemetry's words; `run` where it belongs to one. */
export const attributesOf = (sample: Sample<string>, runId: string | undefined): Readonly<Record<string, string>> => ({
  ...identity(sample),
  ...(runId === undefined ? {} : { "sbx.run.id": runId })
})

const identity = ({ id, name, subject }: Sample<string>): Readonly<Record<string, string>> => {
  switch (subject) {
    case "container":
      return { "container.id": id, "container.name": name }
    case "host":
      return { "host.name": name }
    case "runner":
      return { "process.pid": id, "sbx.runner.name": name }
  }
}

/** Suffixes by unit, as OpenTelemetry's Prometheus compatibility page has them; annotations have none. */
const suffixes: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds", "1": "_ratio" }

/** `container.network.io` of bytes that only grow is `container_network_io_bytes_total`. */
export const prometheusName = ({ id, kind, unit }: MetricName): string =>
  `${id.replaceAll(".", "_")}${suffixes[unit] ?? ""}${kind === "counter" ? "_total" : ""}`
