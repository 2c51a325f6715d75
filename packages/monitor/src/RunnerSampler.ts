/**
 * Memory and cpu of this very process: what the suite itself costs. Never a stand-in for a sandbox's numbers.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as os from "node:os"
import process from "node:process"
import type { Sample } from "./Sample.ts"
import { gauge, growth, split } from "./Sample.ts"

export const RunnerMetric = Schema.Literals([
  /** Cores in use over the window, user and system time of all threads. */
  "cpuCores",
  /** Resident set, bytes. */
  "memoryBytes"
])
export type RunnerMetric = typeof RunnerMetric.Type
export type RunnerSample = Sample<RunnerMetric>

export class RunnerSampler extends Context.Service<
  RunnerSampler,
  {
    /** Takes as long as `window`. Default 1 second. */
    readonly sample: (options?: { readonly window?: Duration.Input }) => Effect.Effect<RunnerSample>
  }
>()("@sbx/monitor/RunnerSampler") {}

export const layer: Layer.Layer<RunnerSampler> = Layer.succeed(
  RunnerSampler,
  RunnerSampler.of({
    sample: Effect.fn("RunnerSampler.sample")(function* (options?: { readonly window?: Duration.Input }) {
      const before = yield* read
      yield* Effect.sleep(options?.window ?? "1 second")
      const after = yield* read
      const intervalMillis = Number(after.nanos - before.nanos) / 1e6
      const micros = growth(before.cpuMicros, after.cpuMicros)
      return {
        subject: "runner" as const,
        id: String(process.pid),
        name: `${os.hostname()}/${process.pid}`,
        atMillis: yield* Clock.currentTimeMillis,
        intervalMillis,
        ...split<RunnerMetric>({
          cpuCores:
            typeof micros === "number" ? (intervalMillis > 0 ? micros / 1e3 / intervalMillis : "no-interval") : micros,
          memoryBytes: gauge(after.rss)
        })
      } satisfies RunnerSample
    })
  })
)

const read = Effect.gen(function* () {
  const { system, user } = process.cpuUsage()
  return { nanos: yield* Clock.monotonicTimeNanos, cpuMicros: user + system, rss: process.memoryUsage.rss() }
})
