import { assert, describe, it } from "@effect/vitest"
import type { ContainerReading } from "../src/ContainerSampler.ts"
import { derive, elapsedMillis } from "../src/ContainerSampler.ts"
import { readingAt, statsAt, target } from "./readings.ts"

describe("derive", () => {
  it("measures every rate over the interval between two readings", () => {
    const { absent, intervalMillis, values } = derive(target, readingAt(10, 0.25), readingAt(12, 0.25))
    assert.strictEqual(intervalMillis, 2000)
    assert.deepStrictEqual(values, {
      cpuCores: 0.25,
      cpuLimitCores: 0.5,
      cpuPercentOfLimit: 50,
      cpuThrottledMillis: 1000,
      cpuThrottledPeriods: 20,
      memoryBytes: 50e6,
      memoryChargedBytes: 80e6,
      memoryLimitBytes: 100e6,
      memoryPercentOfLimit: 50,
      memoryPeakBytes: 90e6,
      memoryOomKills: 0,
      pids: 3,
      pidsLimit: 64,
      processes: 2,
      threads: 3,
      openFiles: 12,
      writableLayerBytes: 8192,
      mountUsedBytes: 5e6,
      mountLimitBytes: 10e6,
      networkRxBytes: 12_005,
      networkTxBytes: 30,
      networkRxBytesPerSecond: 1000,
      networkTxBytesPerSecond: 0,
      blockReadBytes: 0,
      blockWriteBytes: 12 * 4096,
      blockReadBytesPerSecond: 0,
      blockWriteBytesPerSecond: 4096
    })
    assert.deepStrictEqual(absent, {})
  })

  it("has no rate in a first reading, and says so instead of zero", () => {
    const { absent, intervalMillis, values } = derive(target, undefined, readingAt(12, 0.25))
    assert.strictEqual(intervalMillis, undefined)
    assert.deepStrictEqual(absent, {
      cpuCores: "no-previous-reading",
      cpuPercentOfLimit: "no-previous-reading",
      cpuThrottledMillis: "no-previous-reading",
      cpuThrottledPeriods: "no-previous-reading",
      networkRxBytesPerSecond: "no-previous-reading",
      networkTxBytesPerSecond: "no-previous-reading",
      blockReadBytesPerSecond: "no-previous-reading",
      blockWriteBytesPerSecond: "no-previous-reading"
    })
    assert.strictEqual(values.memoryBytes, 50e6)
  })

  it("leaves out what the engine did not report", () => {
    const nothing = { cpu: undefined, memory: undefined, pids: undefined, network: undefined, blockIo: undefined }
    const bare = { ...readingAt(2, 1, nothing, "none"), details: {} }
    const { absent, values } = derive(target, readingAt(1, 1, nothing), bare)
    assert.deepStrictEqual(values, {})
    assert.deepStrictEqual([absent.openFiles, absent.memoryOomKills], ["not-reported", "not-reported"])
    assert.strictEqual(absent.cpuCores, "not-reported")
    assert.strictEqual(absent.memoryBytes, "not-reported")
    assert.strictEqual(absent.memoryLimitBytes, "not-reported")
    assert.strictEqual(absent.pidsLimit, "not-reported")
    assert.strictEqual(absent.networkRxBytes, "not-reported")
    assert.strictEqual(absent.blockReadBytesPerSecond, "not-reported")
  })

  it("does not take page cache for the working set when the cache is not reported", () => {
    const memory = { usageBytes: 80e6, inactiveFileBytes: undefined, limitBytes: undefined, maxUsageBytes: undefined }
    const { absent, values } = derive(target, undefined, readingAt(1, 1, { memory }, "none"))
    assert.strictEqual(absent.memoryBytes, "not-reported")
    assert.strictEqual(absent.memoryLimitBytes, "no-limit")
    assert.strictEqual(absent.memoryPercentOfLimit, "not-reported")
    assert.strictEqual(values.memoryChargedBytes, 80e6)
  })

  it("refuses more cache than usage", () => {
    const memory = { usageBytes: 10, inactiveFileBytes: 11, limitBytes: 100, maxUsageBytes: undefined }
    assert.strictEqual(derive(target, undefined, readingAt(1, 1, { memory })).absent.memoryBytes, "inconsistent")
  })

  it("has no percentage without a quota", () => {
    const { absent, values } = derive(target, readingAt(1, 1), readingAt(2, 1, {}, "none"))
    assert.strictEqual(values.cpuCores, 1)
    assert.strictEqual(absent.cpuPercentOfLimit, "no-limit")
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("refuses %s from the engine", (bad) => {
    const cpu = { ...statsAt(2, 1).cpu!, usageNanos: bad, throttledNanos: bad }
    const pids = { current: bad, limit: undefined }
    const { absent } = derive(target, readingAt(1, 1), readingAt(2, 1, { cpu, pids }))
    assert.strictEqual(absent.cpuCores, "not-a-number")
    assert.strictEqual(absent.cpuThrottledMillis, "not-a-number")
    assert.strictEqual(absent.pids, "not-a-number")
    assert.strictEqual(absent.pidsLimit, "no-limit")
  })

  it("refuses counters that fell because the container was restarted", () => {
    const { absent, values } = derive(
      target,
      readingAt(100, 1),
      readingAt(101, 0.01, { network: [{ name: "eth0", rxBytes: 1, txBytes: 1 }] })
    )
    assert.strictEqual(absent.cpuCores, "counter-went-back")
    assert.strictEqual(absent.networkRxBytesPerSecond, "counter-went-back")
    assert.strictEqual(values.networkRxBytes, 1)
  })
})

describe("derive, of readings with a clock of their own", () => {
  const at = (seconds: number, monotonicSeconds: number, over: Partial<ContainerReading> = {}): ContainerReading => ({
    ...readingAt(seconds, 0.25),
    monotonicNanos: BigInt(monotonicSeconds * 1e9),
    incarnation: "7/100",
    ...over
  })

  it("does not look at the wall clock, whichever way it jumps", () => {
    for (const wall of [-3600, 3600]) {
      const after = at(12, 102)
      const jumped = { ...after, stats: { ...after.stats, readAtMillis: after.stats.readAtMillis + wall * 1000 } }
      const { intervalMillis, values } = derive(target, at(10, 100), jumped)
      assert.deepStrictEqual([intervalMillis, values.cpuCores], [2000, 0.25])
    }
  })

  it("has no rate over no time", () => {
    assert.strictEqual(derive(target, at(10, 100), at(12, 100)).absent.cpuCores, "no-interval")
  })

  it("has no rate where the cpu counter shows a restart, even of counters that are higher than before", () => {
    const { absent } = derive(
      target,
      readingAt(100, 1, { network: [{ name: "eth0", rxBytes: 1, txBytes: 1 }] }),
      readingAt(101, 0.01, { network: [{ name: "eth0", rxBytes: 9000, txBytes: 9000 }] })
    )
    assert.strictEqual(absent.networkRxBytesPerSecond, "counter-went-back")
    assert.strictEqual(absent.cpuThrottledMillis, "counter-went-back")
  })

  it("has no rate across a restart, even where every counter is higher than before", () => {
    const { absent, intervalMillis, values } = derive(target, at(10, 100), at(12, 102, { incarnation: "9/200" }))
    assert.isUndefined(intervalMillis)
    for (const metric of ["cpuCores", "cpuThrottledMillis", "networkRxBytesPerSecond"] as const)
      assert.strictEqual(absent[metric], "counter-went-back")
    assert.strictEqual(values.memoryBytes, 50e6)
  })

  it("has no rate across a change of source, and names the source", () => {
    const { absent, source } = derive(target, at(10, 100), at(12, 102, { source: "engine" }))
    assert.deepStrictEqual(
      [source, absent.cpuCores, absent.blockReadBytesPerSecond],
      ["engine", "source-changed", "source-changed"]
    )
  })

  it("gives the source's reason where the source has one", () => {
    const { absent } = derive(target, undefined, {
      ...readingAt(1, 1, { memory: undefined }),
      details: { openFiles: "permission-denied", writableLayerBytes: "not-requested", processes: Number.NaN },
      reasons: { memoryBytes: "permission-denied", pids: "permission-denied" }
    })
    assert.strictEqual(absent.memoryBytes, "permission-denied")
    assert.strictEqual(absent.memoryPeakBytes, "not-reported")
    assert.deepStrictEqual(
      [absent.openFiles, absent.writableLayerBytes, absent.processes, absent.pids],
      ["permission-denied", "not-requested", "not-a-number", undefined]
    )
  })
})

describe("elapsedMillis", () => {
  const at = (readAtMillis: number, systemSeconds: number) =>
    statsAt(0, 0, { readAtMillis, cpu: { ...statsAt(0, 0).cpu!, systemNanos: systemSeconds * 1e9 } })

  it("names the way in which a clock is wrong", () => {
    assert.strictEqual(elapsedMillis(at(5000, 0), at(4000, 2)), "clock-went-back")
    assert.strictEqual(elapsedMillis(at(5000, 0), at(5000, 2)), "no-interval")
    assert.strictEqual(elapsedMillis(at(5000, 0), at(Number.NaN, 2)), "not-a-number")
    // One second passed on two cores; the wall clock says an hour, or a millisecond while a minute passed.
    assert.strictEqual(elapsedMillis(at(5000, 0), at(3_605_000, 2)), "clock-jumped")
    assert.strictEqual(elapsedMillis(at(5000, 0), at(5001, 120)), "clock-jumped")
  })

  it("believes the clock when the kernel agrees or does not say", () => {
    assert.strictEqual(elapsedMillis(at(5000, 0), at(6000, 1.9)), 1000)
    const silent = statsAt(0, 0, { cpu: undefined, readAtMillis: 5000 })
    assert.strictEqual(elapsedMillis(silent, { ...silent, readAtMillis: 99_000 }), 94_000)
  })
})
