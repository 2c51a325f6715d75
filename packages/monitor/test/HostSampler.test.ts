import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { closeSync, openSync, readFileSync } from "node:fs"
import * as os from "node:os"
import process from "node:process"
import * as HostSampler from "../src/HostSampler.ts"
import { readDiskTraffic } from "../src/internal/diskTraffic.ts"
import * as RunnerSampler from "../src/RunnerSampler.ts"
import { recorded } from "./recordedHost.ts"

const sampleHost = (window: number, source: HostSampler.HostSource = HostSampler.machine) =>
  Effect.flatMap(HostSampler.HostSampler, (sampler) => sampler.sample({ window })).pipe(
    Effect.provide(HostSampler.layerWith({ diskPath: "/", source }))
  )

/** Keeps this process busy for `millis` without giving up the cpu. */
const burn = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until);
  })

/** Keeps this process busy until it had `millis` of cpu time, however much of it others take. */
const burnCpu = (millis: number) =>
  Effect.sync(() => {
    const before = process.cpuUsage()
    for (;;) {
      const { system, user } = process.cpuUsage(before)
      if (user + system >= millis * 1000) return
    }
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
      const started = Promise.withResolvers<void>()
      // The window begins with the first reading of the load.
      const load = () => HostSampler.machine.load().finally(started.resolve)
      const [sample] = yield* Effect.all(
        [
          sampleHost(250, { ...HostSampler.machine, load }),
          Effect.andThen(
            Effect.promise(() => started.promise),
            burn(600)
          )
        ],
        { concurrency: "unbounded" }
      )
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
      for (const metric of ["memoryTotalBytes", "memoryBytes", "memoryAvailableBytes", "swapUsedBytes"] as const)
        assert.strictEqual(sample.absent[metric], "not-reported", metric)
      assert.strictEqual(sample.absent.cpuPercent, "not-a-number")
      assert.strictEqual(sample.absent.cpuCores, "not-a-number")
    }).pipe(
      Effect.provide(
        HostSampler.layerWith({
          diskPath: "/nowhere",
          source: {
            load: () => Promise.resolve({ currentLoad: Number.NaN }),
            memory: () => Promise.resolve({ total: 0, available: 0, swapused: 0 }),
            disks: () => Promise.resolve([]),
            traffic: () => undefined
          }
        })
      )
    )
  )

  it.effect("measures disk traffic over the window, and not across counters that fell", () =>
    Effect.gen(function* () {
      let readings = 0
      const traffic = () => ({ readBytes: 1000 + 4096 * readings, writeBytes: 9000 - readings++ })
      const load = () => Promise.resolve({ currentLoad: 1 })
      const fiber = yield* Effect.forkChild(sampleHost(2000, { ...HostSampler.machine, load, traffic }))
      yield* Effect.promise(load)
      yield* TestClock.adjust("2 seconds")
      const { absent, values } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([values.diskReadBytes, values.diskReadBytesPerSecond], [5096, 2048])
      assert.strictEqual(absent.diskWriteBytesPerSecond, "counter-went-back")
    })
  )

  it.effect.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses a window of %s", (window) =>
    Effect.gen(function* () {
      const host = yield* Effect.flip(sampleHost(window))
      const runner = yield* RunnerSampler.RunnerSampler.pipe(
        Effect.flatMap((sampler) => Effect.flip(sampler.sample({ window }))),
        Effect.provide(RunnerSampler.layer)
      )
      assert.deepStrictEqual([host._tag, runner._tag], ["InvalidInterval", "InvalidInterval"])
    })
  )

  const idle = { ...HostSampler.machine, load: () => Promise.resolve({ currentLoad: 1 }) }

  it.live("tells how long the window was, not how long it was to be", () =>
    Effect.gen(function* () {
      const [sample] = yield* Effect.all([sampleHost(250, idle), Effect.andThen(Effect.sleep(20), burn(400))], {
        concurrency: "unbounded"
      })
      assert.isAbove(sample.intervalMillis ?? 0, 400)
    })
  )

  // `systeminformation` repeats its last answer, the average since boot at first, until 200 ms passed by the wall clock.
  it.live("has no cpu use where the wall clock went back during the window", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let looks = 0
      const back: Clock.Clock = Object.create(clock, {
        currentTimeMillis: {
          get: () => Effect.sync(() => clock.currentTimeMillisUnsafe() - 3_600_000 * Math.min(1, looks++))
        }
      })
      const { absent } = yield* Effect.provideService(sampleHost(250, idle), Clock.Clock, back)
      assert.deepStrictEqual([absent.cpuPercent, absent.cpuCores], ["clock-went-back", "clock-went-back"])
    })
  )

  it.live("fails where nothing can be read", () =>
    Effect.gen(function* () {
      const sampler = yield* HostSampler.HostSampler
      const error = yield* Effect.flip(sampler.sample())
      assert.strictEqual(error._tag, "HostUnreadable")
      assert.include(error.message, "Error: no /proc")
    }).pipe(
      Effect.provide(
        HostSampler.layerWith({
          diskPath: "/",
          source: {
            load: () => Promise.reject(new Error("no /proc")),
            memory: () => Promise.resolve({ total: 1, available: 1, swapused: 0 }),
            disks: () => Promise.resolve([]),
            traffic: () => undefined
          }
        })
      )
    )
  )
})

describe("readDiskTraffic", () => {
  const host = (diskstats: string) =>
    recorded(
      new Map([
        ["/proc/diskstats", diskstats],
        ["/sys/block/vda/device/vendor", ""],
        ["/sys/block/sda/device/vendor", ""],
        ["/sys/block/loop0/size", ""]
      ])
    ).files

  it("adds up disks, without their partitions and what lies on them", () => {
    const found = readDiskTraffic(
      host(
        " 7 0 loop0 1 0 999 0 1 0 999 0 0 0 0\n 254 0 vda 34003 494 10 7269 38040 2409 20 606246 0 0 0\n 254 1 vda1 1 0 10 0 1 0 20 0 0 0 0\n 8 0 sda 1 1 1 1 1 1 2 1 0 0 0\n"
      )
    )
    assert.deepStrictEqual(found, { readBytes: 11 * 512, writeBytes: 22 * 512 })
  })

  it("is absent where no disk is shown", () => {
    assert.isUndefined(readDiskTraffic(host(" 7 0 loop0 1 0 999 0 1 0 999 0 0 0 0\n")))
    assert.isUndefined(readDiskTraffic(recorded(new Map()).files))
  })
})

describe("RunnerSampler", () => {
  it.effect("sees its own cpu, by the clock that it is given", () =>
    Effect.gen(function* () {
      const sampler = yield* RunnerSampler.RunnerSampler
      const fiber = yield* Effect.forkChild(sampler.sample({ window: "2 seconds" }), { startImmediately: true })
      yield* burnCpu(300)
      yield* TestClock.adjust("2 seconds")
      const { absent, values } = yield* Fiber.join(fiber)
      // No real time passed in which a timer could have fired.
      assert.deepStrictEqual(absent, { eventLoopDelayP99Millis: "not-reported" })
      assert.isAtLeast(values.cpuCores ?? 0, 0.15)
      assert.isBelow(values.cpuCores ?? Number.NaN, 1)
    }).pipe(Effect.provide(RunnerSampler.layer))
  )

  it.live("sees its own memory and open files, and a loop that was held up", () =>
    Effect.gen(function* () {
      const sampler = yield* RunnerSampler.RunnerSampler
      const [{ values }] = yield* Effect.all([sampler.sample({ window: "100 millis" }), burn(300)], {
        concurrency: "unbounded"
      })
      const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024
      assert.isBelow(Math.abs((values.memoryBytes ?? Number.NaN) - rss), rss * 0.2)
      const { heapTotal, heapUsed } = process.memoryUsage()
      assert.isBelow(Math.abs((values.heapBytes ?? Number.NaN) - heapUsed), heapUsed * 0.5)
      assert.isBelow(Math.abs((values.heapTotalBytes ?? Number.NaN) - heapTotal), heapTotal * 0.5)
      assert.isAbove(values.externalBytes ?? 0, 0)
      // It was to end after 100 ms and could not before 300.
      assert.isAtLeast(values.eventLoopDelayMaxMillis ?? 0, 150)
    }).pipe(Effect.provide(RunnerSampler.layer))
  )

  it.live("sees a loop that was held up and goes on", () =>
    Effect.gen(function* () {
      const sampler = yield* RunnerSampler.RunnerSampler
      const held = Effect.andThen(Effect.sleep("50 millis"), burn(100))
      const [{ absent, values }] = yield* Effect.all([sampler.sample({ window: "300 millis" }), held], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(absent, {})
      assert.isAtLeast(values.eventLoopDelayMaxMillis ?? 0, 80)
      assert.isAtMost(values.eventLoopDelayP99Millis ?? Number.NaN, values.eventLoopDelayMaxMillis ?? Number.NaN)
    }).pipe(Effect.provide(RunnerSampler.layer))
  )

  it.live("counts the files that it opens", () =>
    Effect.gen(function* () {
      const sampler = yield* RunnerSampler.RunnerSampler
      const open = Effect.map(sampler.sample({ window: "1 millis" }), ({ values }) => values.openFiles ?? Number.NaN)
      const before = yield* open
      const files = Array.from({ length: 9 }, () => openSync("/proc/self/stat", "r"))
      const after = yield* open
      files.forEach(closeSync)
      assert.strictEqual(after - before, 9)
    }).pipe(Effect.provide(RunnerSampler.layer))
  )
})
