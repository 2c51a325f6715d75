/** Cpu as the monitor sees it, against the kernel's own word: alone on the machine. */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Monitor } from "../src/Monitor.ts"
import { hostCgroup } from "./hostCgroup.ts"
import { half, live } from "./liveMonitor.ts"
import { container } from "./testEngine.ts"

const busyLoop = ["sh", "-c", "while :; do :; done"]

/** A busy host gives a loop less than its quota of half a core: looks again until it got it, for a minute and a half. */
const untilUnhindered = <A, E, R>(look: Effect.Effect<A, E, R>, cores: (found: A) => number | undefined) =>
  look.pipe(
    Effect.repeat({ until: (found) => (cores(found) ?? 0) >= 0.425, schedule: Schedule.spaced("100 millis") }),
    Effect.timeout("90 seconds")
  )

describe("cpu", () => {
  live("a busy loop moves its own container to its quota and leaves the other below 5 %", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitor
      const busy = yield* container("busy", { command: busyLoop, host: half })
      const idle = yield* container("idle", { command: ["sleep", "600"], host: half })
      const cgroup = yield* hostCgroup(busy)
      const look = Effect.gen(function* () {
        const cpuNanos = cgroup.cpuNanos()
        const startedNanos = yield* Clock.monotonicTimeNanos
        const [a, b] = yield* Effect.all(
          [monitor.sample(busy, { window: "2 seconds" }), monitor.sample(idle, { window: "2 seconds" })],
          { concurrency: "unbounded" }
        )
        const nanos = Number((yield* Clock.monotonicTimeNanos) - startedNanos)
        const cores = a.values.cpuCores ?? Number.NaN
        assert.isBelow(Math.abs(cores - (cgroup.cpuNanos() - cpuNanos) / nanos), 0.075)
        assert.isBelow(b.values.cpuCores ?? Number.NaN, 0.05)
        assert.isBelow(cores, 0.575)
        return a
      })
      const { absent, values } = yield* untilUnhindered(look, (sample) => sample.values.cpuCores)
      assert.isBelow(Math.abs((values.cpuPercentOfLimit ?? Number.NaN) - 100), 15)
      assert.isAbove(values.cpuThrottledPeriods ?? 0, 0)
      assert.isAbove(values.cpuThrottledMillis ?? 0, 0)
      assert.isUndefined(absent.cpuCores)
    })
  )

  live("a series of a busy loop settles at its quota", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitor
      const busy = yield* container("busy", { command: busyLoop, host: half })
      const series = yield* monitor.watch(busy, { interval: "500 millis", capacity: 6 })
      const look = Effect.gen(function* () {
        yield* series.items.pipe(Stream.take(7), Stream.runDrain)
        return yield* series.window("cpuCores", { last: "2 seconds" })
      })
      const window = yield* untilUnhindered(look, (found) => found.avg)
      assert.isAtMost(window.count, 6)
      assert.isAtLeast(window.max, window.avg)
    })
  )
})
