/**
 * Cpu, load, memory and disk of the machine that runs this process, through `systeminformation` (this file only); disk traffic from
 * /proc/diskstats. That is the engine's host when the engine is local. Rates are measured over a window, never since boot.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as os from "node:os"
import * as si from "systeminformation"
import { readDiskTraffic } from "./internal/diskTraffic.ts"
import { hostFiles } from "./internal/hostFiles.ts"
import type { Absence, Measured, Sample } from "./Sample.ts"
import { combine, gauge, growth, map, split } from "./Sample.ts"
import type { InvalidInterval } from "./Series.ts"
import { validInterval } from "./Series.ts"

export const HostMetric = Schema.Literals([
  /** Cores in use over the window. */
  "cpuCores",
  /** Busy share of all cores over the window. */
  "cpuPercent",
  "cpuCount",
  /** Load averages of 1, 5 and 15 minutes (runnable and uninterruptible tasks, not divided by cores). */
  "load1",
  "load5",
  "load15",
  "memoryTotalBytes",
  /** Total minus what the kernel could hand out without swapping (MemAvailable). */
  "memoryBytes",
  "memoryAvailableBytes",
  "swapUsedBytes",
  /** Of the file system mounted at the layer's `diskPath`. */
  "diskTotalBytes",
  "diskUsedBytes",
  "diskAvailableBytes",
  /** Cumulative bytes to and from all disks with a device behind them, so not counting loop devices and RAID twice. */
  "diskReadBytes",
  "diskWriteBytes",
  "diskReadBytesPerSecond",
  "diskWriteBytesPerSecond"
])
export type HostMetric = typeof HostMetric.Type
export type HostSample = Sample<HostMetric>

/** `systeminformation` could not answer at all. */
export class HostUnreadable extends Schema.TaggedError<HostUnreadable>()("HostUnreadable", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not sample the host: ${this.detail}.\nIs /proc readable?`
  }
}

export class HostSampler extends Context.Service<
  HostSampler,
  {
    /** Takes as long as `window`, at least 250 ms. Default 1 second. */
    readonly sample: (options?: {
      readonly window?: Duration.Input
    }) => Effect.Effect<HostSample, HostUnreadable | InvalidInterval>
  }
>()("@sbx/monitor/HostSampler") {}

/** What the layer reads; a test gives its own to make a reading fail or be absent. */
export interface HostSource {
  readonly load: () => Promise<{ readonly currentLoad: number }>
  readonly memory: () => Promise<{
    readonly total: number
    readonly available: number
    readonly swapused: number
  }>
  readonly disks: () => Promise<
    ReadonlyArray<{ readonly mount: string; readonly size: number; readonly used: number; readonly available: number }>
  >
  /** Bytes since boot; absent where the machine does not say. */
  readonly traffic: () => { readonly readBytes: number; readonly writeBytes: number } | undefined
}

/** This machine, as the layer reads it. */
export const machine: HostSource = {
  load: () => si.currentLoad(),
  memory: () => si.mem(),
  disks: () => si.fsSize(),
  // `systeminformation` starts lsblk for it and adds loop devices to the disks that they lie on.
  traffic: () => readDiskTraffic(hostFiles)
}

/** `currentLoad` measures since its previous call, process-wide, and repeats itself within 200 ms of the wall clock: one window at a time. */
const loadWindow = Semaphore.makeUnsafe(1)
const repeatsMillis = 200
/** A timer may fire a moment early by the wall clock. */
const shortestWindowMillis = 250

export const layerWith = (options: {
  readonly diskPath: string
  readonly source?: HostSource
}): Layer.Layer<HostSampler> => {
  const source = options.source ?? machine
  return Layer.succeed(
    HostSampler,
    HostSampler.of({
      sample: (o) =>
        Effect.flatMap(validInterval(o?.window ?? "1 second"), (window) =>
          loadWindow.withPermit(sample(source, options.diskPath, Duration.toMillis(window)))
        )
    })
  )
}

export const layer: Layer.Layer<HostSampler> = layerWith({ diskPath: "/" })

const attempt = <A>(read: () => Promise<A>) =>
  Effect.tryPromise({ try: read, catch: (cause) => new HostUnreadable({ detail: String(cause) }) })

const sample = Effect.fn("HostSampler.sample")(function* (source: HostSource, diskPath: string, window: number) {
  const startedWall = yield* Clock.currentTimeMillis
  yield* attempt(source.load)
  const startedNanos = yield* Clock.monotonicTimeNanos
  const before = source.traffic()
  yield* Effect.sleep(Duration.millis(Math.max(shortestWindowMillis, window)))
  const after = source.traffic()
  const intervalMillis = Number((yield* Clock.monotonicTimeNanos) - startedNanos) / 1e6
  const passedWall = (yield* Clock.currentTimeMillis) - startedWall
  const [load, memory, disks] = yield* Effect.all(
    [attempt(source.load), attempt(source.memory), attempt(source.disks)],
    { concurrency: "unbounded" }
  )
  const cpuCount = os.cpus().length
  const [load1, load5, load15] = os.loadavg()
  const disk = disks.find((candidate) => candidate.mount === diskPath)
  const cpuPercent: Measured = passedWall < repeatsMillis ? "clock-went-back" : gauge(load.currentLoad)
  const memoryTotalBytes = positive(memory.total)
  const memoryAvailableBytes = positive(memory.available)
  return {
    subject: "host" as const,
    id: os.hostname(),
    name: os.hostname(),
    atMillis: yield* Clock.currentTimeMillis,
    intervalMillis,
    ...split<HostMetric>({
      cpuPercent,
      cpuCount: gauge(cpuCount),
      cpuCores: map(cpuPercent, (percent) => (percent / 100) * cpuCount),
      load1: gauge(load1),
      load5: gauge(load5),
      load15: gauge(load15),
      memoryTotalBytes,
      memoryAvailableBytes,
      memoryBytes: combine(memoryTotalBytes, memoryAvailableBytes, (total, available) => total - available),
      // No swap is 0 too: a reading where the rest is one.
      swapUsedBytes: map(memoryTotalBytes, () => memory.swapused),
      diskTotalBytes: positive(disk?.size),
      diskUsedBytes: gauge(disk?.used),
      diskAvailableBytes: gauge(disk?.available),
      diskReadBytes: gauge(after?.readBytes),
      diskWriteBytes: gauge(after?.writeBytes),
      diskReadBytesPerSecond: perSecond(before?.readBytes, after?.readBytes, intervalMillis),
      diskWriteBytesPerSecond: perSecond(before?.writeBytes, after?.writeBytes, intervalMillis)
    })
  } satisfies HostSample
})

const perSecond = (before: number | undefined, after: number | undefined, millis: number): Measured =>
  combine(growth(before, after), gauge(millis), (bytes, over) => bytes / (over / 1000))

/** systeminformation answers 0 where it could not read; a total of 0 is not a reading, nor is 0 available: it falls back to what is free. */
const positive = (value: number | undefined): Measured => {
  const absent: Absence = "not-reported"
  return value === 0 ? absent : gauge(value)
}
