/**
 * What this very process costs: cpu, memory, open files, and how late its event loop runs. Never a stand-in for a sandbox's numbers.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as os from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import process from "node:process"
import { hostFiles, isUnreadable } from "./internal/hostFiles.ts"
import type { Measured, Sample } from "./Sample.ts"
import { combine, gauge, growth, split } from "./Sample.ts"
import type { InvalidInterval } from "./Series.ts"
import { validInterval } from "./Series.ts"

export const RunnerMetric = Schema.Literals([
  /** Cores in use over the window, user and system time of all threads. */
  "cpuCores",
  /** Resident set, bytes. */
  "memoryBytes",
  /** JavaScript objects in use, bytes, garbage not yet collected included. */
  "heapBytes",
  /** What V8 took for them. */
  "heapTotalBytes",
  /** Buffers and the like, held by JavaScript objects outside of the heap, bytes. */
  "externalBytes",
  /** Open file descriptors; Linux only. */
  "openFiles",
  /** How late a timer of 10 ms fired during the window; absent where it did not fire twice. */
  "eventLoopDelayP99Millis",
  /** The latest that any timer fired, that of the window's own end included. */
  "eventLoopDelayMaxMillis"
])
export type RunnerMetric = typeof RunnerMetric.Type
export type RunnerSample = Sample<RunnerMetric>

export class RunnerSampler extends Context.Service<
  RunnerSampler,
  {
    /** Takes as long as `window`. Default 1 second. */
    readonly sample: (options?: { readonly window?: Duration.Input }) => Effect.Effect<RunnerSample, InvalidInterval>
  }
>()("@sbx/monitor/RunnerSampler") {}

/** A timer of this period is watched; what it is late is the delay. */
const resolutionMillis = 10

const loopDelay = Effect.acquireRelease(
  Effect.sync(() => {
    const histogram = monitorEventLoopDelay({ resolution: resolutionMillis })
    histogram.enable()
    return histogram
  }),
  (histogram) => Effect.sync(() => histogram.disable())
)

export const layer: Layer.Layer<RunnerSampler> = Layer.succeed(
  RunnerSampler,
  RunnerSampler.of({
    sample: Effect.fn("RunnerSampler.sample")(function* (options?: { readonly window?: Duration.Input }) {
      const window = yield* validInterval(options?.window ?? "1 second")
      const delay = yield* loopDelay
      const before = yield* read
      yield* Effect.sleep(window)
      const after = yield* read
      const intervalMillis = Number(after.nanos - before.nanos) / 1e6
      return {
        subject: "runner" as const,
        id: String(process.pid),
        name: `${os.hostname()}/${process.pid}`,
        atMillis: yield* Clock.currentTimeMillis,
        intervalMillis,
        ...split<RunnerMetric>({
          cpuCores: cores(growth(before.cpuMicros, after.cpuMicros), intervalMillis),
          ...memory(),
          openFiles: openFiles(),
          eventLoopDelayP99Millis: delay.count === 0 ? "not-reported" : lateMillis(delay.percentile(99)),
          // A loop that is held up all the time records no period at all.
          eventLoopDelayMaxMillis: Math.max(
            delay.count === 0 ? 0 : lateMillis(delay.max),
            intervalMillis - Duration.toMillis(window)
          )
        })
      } satisfies RunnerSample
    }, Effect.scoped)
  })
)

const read = Effect.gen(function* () {
  const { system, user } = process.cpuUsage()
  return { nanos: yield* Clock.monotonicTimeNanos, cpuMicros: user + system }
})

const cores = (micros: Measured, intervalMillis: number): Measured =>
  combine(micros, intervalMillis > 0 ? intervalMillis : "no-interval", (used, millis) => used / 1e3 / millis)

const memory = () => {
  const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
  return {
    memoryBytes: gauge(rss),
    heapBytes: gauge(heapUsed),
    heapTotalBytes: gauge(heapTotal),
    externalBytes: gauge(external)
  }
}

/** Without the descriptor that a listing takes for itself. */
const openFiles = (): Measured => {
  const listed = hostFiles.list("/proc/self/fd")
  return isUnreadable(listed) ? "not-reported" : listed.names.length - 1
}

/** Of a whole period between two firings, in nanoseconds. */
const lateMillis = (nanos: number) => Math.max(0, nanos / 1e6 - resolutionMillis)
