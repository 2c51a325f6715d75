import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import * as os from "node:os"
import * as HostSampler from "../src/HostSampler.ts"
import * as RunnerSampler from "../src/RunnerSampler.ts"

const sampleHost = (window: number) =>
  Effect.flatMap(HostSampler.HostSampler, (sampler) => sampler.sample({ window })).pipe(
    Effect.provide(HostSampler.layer)
  )

/** Keeps this process busy for `millis` without giving up the cpu. */
const burn = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until);
  })

describe("HostSampler", () => {
  it.live("agrees with /proc about memory and load", () =>
    Effect.gen(function* () {
      const sample = yield* sampleHost(300)
      const kib = (name: string) =>
        Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024
      assert.strictEqual(sample.values.memoryTotalBytes, kib("MemTotal"))
      const available = sample.values.memoryAvailableBytes ?? Number.NaN
      assert.isBelow(Math.abs(available - kib("MemAvailable")), kib("MemTotal") * 0.05)
      assert.strictEqual(sample.values.memoryBytes, kib("MemTotal") - available)
      const load1 = Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0])
      assert.isBelow(Math.abs((sample.values.load1 ?? Number.NaN) - load1), 0.5)
      assert.isAbove(sample.values.diskTotalBytes ?? 0, sample.values.diskAvailableBytes ?? Number.NaN)
      assert.deepStrictEqual(sample.absent, {})
    })
  )

  it.live("sees a core that is busy during the window", () =>
    Effect.gen(function* () {
      const [sample] = yield* Effect.all([sampleHost(250), Effect.andThen(Effect.sleep(5), burn(600))], {
        concurrency: "unbounded"
      })
      // Of this process alone; whatever else runs here can only add to it.
      assert.isAbove(sample.values.cpuCores ?? 0, 0.6)
      assert.isAtMost(sample.values.cpuCores ?? Number.NaN, os.cpus().length)
    })
  )

  it.live("leaves out a disk that is not mounted and readings of zero size", () =>
    Effect.gen(function* () {
      const sampler = yield* HostSampler.HostSampler
      const sample = yield* sampler.sample({ window: "200 millis" })
      assert.strictEqual(sample.absent.diskTotalBytes, "not-reported")
      assert.strictEqual(sample.absent.memoryTotalBytes, "not-reported")
      assert.strictEqual(sample.absent.cpuPercent, "not-a-number")
      assert.strictEqual(sample.absent.cpuCores, "not-a-number")
    }).pipe(
      Effect.provide(
        HostSampler.layerWith({
          diskPath: "/nowhere",
          source: {
            load: () => Promise.resolve({ currentLoad: Number.NaN }),
            memory: () => Promise.resolve({ total: 0, available: 0, swapused: 0 }),
            disks: () => Promise.resolve([])
          }
        })
      )
    )
  )

  it.live("fails where nothing can be read", () =>
    Effect.gen(function* () {
      const sampler = yield* HostSampler.HostSampler
      const error = yield* Effect.flip(sampler.sample())
      assert.deepStrictEqual([error._tag, error.detail], ["HostUnreadable", "Error: no /proc"])
    }).pipe(
      Effect.provide(
        HostSampler.layerWith({
          diskPath: "/",
          source: {
            load: () => Promise.reject(new Error("no /proc")),
            memory: () => Promise.resolve({ total: 1, available: 1, swapused: 0 }),
            disks: () => Promise.resolve([])
          }
        })
      )
    )
  )
})

describe("RunnerSampler", () => {
  it.live("sees its own cpu and memory", () =>
    Effect.gen(function* () {
      const sampler = yield* RunnerSampler.RunnerSampler
      const idle = yield* sampler.sample({ window: "500 millis" })
      const [busy] = yield* Effect.all(
        [sampler.sample({ window: "100 millis" }), Effect.andThen(Effect.sleep(5), burn(600))],
        {
          concurrency: "unbounded"
        }
      )
      assert.isAbove(busy.values.cpuCores ?? 0, 0.6)
      assert.isBelow(idle.values.cpuCores ?? Number.NaN, busy.values.cpuCores ?? Number.NaN)
      const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024
      assert.isBelow(Math.abs((busy.values.memoryBytes ?? Number.NaN) - rss), rss * 0.2)
    }).pipe(Effect.provide(RunnerSampler.layer))
  )
})
