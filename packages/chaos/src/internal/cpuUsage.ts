/**
 * Cpu use of a container over a window: from its cgroup files where the engine is local, else from two one-shot statistics
 * of the engine. Refuses a container that does not run: it has no usage, which is not the same as none.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { EngineShape } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import { EngineProtocolError } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Measurement } from "../Evidence.ts"
import { TargetGone, TargetNotRunning } from "../FaultError.ts"
import * as Cgroup from "./hostCgroup.ts"

export interface CpuUsage {
  readonly cores: Measurement
  /** Scheduler periods per second in which the quota held it back; absent where not reported. */
  readonly throttled: Measurement | undefined
}

interface Reading {
  readonly atMillis: number
  readonly usageNanos: number
  readonly throttledPeriods: number | undefined
  readonly source: "cgroup-files" | "engine-stats"
}

type MeasureError = TargetGone | TargetNotRunning | CallError

/** Measures for `windowMillis`. `path` is the cgroup's path where it is visible. */
export const measure = Effect.fnUntraced(function* (
  engine: EngineShape,
  target: ContainerTarget,
  path: string | undefined,
  windowMillis: number
): Effect.fn.Return<CpuUsage, MeasureError> {
  const before = yield* read(engine, target, path)
  yield* Effect.sleep(windowMillis)
  const after = yield* read(engine, target, path)
  const seconds = (after.atMillis - before.atMillis) / 1000
  const nanos = after.usageNanos - before.usageNanos
  // A restart sets the counters back, a clock step the time: neither is a measurement.
  if (before.source !== after.source || !(seconds > 0) || !(nanos >= 0))
    return yield* protocolError(`cpu time went from ${before.usageNanos} to ${after.usageNanos} in ${seconds} s`)
  const { source } = after
  const perSecond = (metric: string, value: number): Measurement => ({ metric, value, samples: 2, source })
  return {
    cores: perSecond("targetCpuCores", nanos / 1e9 / seconds),
    throttled:
      before.throttledPeriods === undefined || after.throttledPeriods === undefined
        ? undefined
        : perSecond("targetThrottledPerSecond", (after.throttledPeriods - before.throttledPeriods) / seconds)
  }
})

const read = Effect.fnUntraced(function* (engine: EngineShape, target: ContainerTarget, path: string | undefined) {
  const files = path === undefined ? undefined : yield* readFiles(path)
  return files ?? (yield* readStats(engine, target))
})

const readFiles = Effect.fnUntraced(function* (path: string): Effect.fn.Return<Reading | undefined> {
  const times = Cgroup.cpuTimes(path)
  const atMillis = Number(yield* Clock.monotonicTimeNanos) / 1e6
  return times === undefined ? undefined : { ...times, atMillis, source: "cgroup-files" }
})

const readStats = Effect.fnUntraced(function* (
  engine: EngineShape,
  { containerId, name }: ContainerTarget
): Effect.fn.Return<Reading, MeasureError> {
  const stats = yield* engine
    .statsContainer(containerId)
    .pipe(Effect.catchTag("ObjectNotFound", () => Effect.fail(new TargetGone({ containerId, name }))))
  if (stats === "absent") return yield* new TargetNotRunning({ name, status: "not running" })
  if (stats.cpu === undefined) return yield* protocolError("no cpu time")
  const { throttledPeriods, usageNanos } = stats.cpu
  return { atMillis: stats.readAtMillis, usageNanos, throttledPeriods, source: "engine-stats" }
})

const protocolError = (detail: string) => new EngineProtocolError({ operation: "measure cpu use", detail })
