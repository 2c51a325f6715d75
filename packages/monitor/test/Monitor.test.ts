import { assert, describe, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { ContainerReading } from "../src/ContainerSampler.ts"
import type { ReadError } from "../src/ContainerSource.ts"
import { ContainerSource, TargetGone, TargetNotRunning } from "../src/ContainerSource.ts"
import * as Monitors from "../src/Monitor.ts"
import { containerStream, family } from "../src/ResourceEvent.ts"
import type { SeriesItem } from "../src/Series.ts"
import { readingAt, target } from "./readings.ts"

const other: ContainerTarget = { containerId: "decaf0", name: "other" }

/** Reads a container that burns a quarter core by the test's clock; `fault` decides what goes wrong, by read number. */
const sourceWith = (fault: (target: ContainerTarget, read: number) => ReadError | undefined, reads = { count: 0 }) =>
  Layer.succeed(
    ContainerSource,
    ContainerSource.of({
      read: Effect.fnUntraced(function* (from: ContainerTarget): Effect.fn.Return<ContainerReading, ReadError> {
        reads.count++
        const error = fault(from, reads.count)
        if (error !== undefined) return yield* error
        return readingAt((yield* Clock.currentTimeMillis) / 1000, 0.25)
      })
    })
  )

const provide = (source: Layer.Layer<ContainerSource>) =>
  Effect.provide(Layer.provideMerge(Monitors.layer, Layer.mergeAll(source, Memory.layer)))

const healthy = () => sourceWith(() => undefined)

/** Collects in the background; returns when the first `started` items are there, so that the clock may move. */
const collecting = Effect.fnUntraced(function* <A, E>(stream: Stream.Stream<A, E>, started = 1) {
  const latch = yield* Latch.make()
  let count = 0
  const counted = Stream.tap(stream, () => (++count >= started ? latch.open : Effect.void))
  const fiber = yield* Effect.forkChild(Stream.runCollect(counted))
  yield* latch.await
  return fiber
})

const advance = (duration: Duration.Input) => TestClock.adjust(duration)

describe("sample", () => {
  it.effect("takes two readings a window apart", () => {
    const reads = { count: 0 }
    return Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const fiber = yield* Effect.forkChild(monitor.sample(target, { window: "2 seconds" }))
      yield* advance("2 seconds")
      const sample = yield* Fiber.join(fiber)
      assert.strictEqual(reads.count, 2)
      assert.strictEqual(sample.intervalMillis, 2000)
      assert.strictEqual(sample.values.cpuCores, 0.25)
      assert.deepStrictEqual(sample.absent, {})
    }).pipe(provide(sourceWith(() => undefined, reads)))
  })

  it.effect.each(["0 seconds", -5, Number.POSITIVE_INFINITY] as const)("refuses a window of %s", (window) =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const error = yield* Effect.flip(monitor.sample(target, { window }))
      assert.strictEqual(error._tag, "InvalidInterval")
    }).pipe(provide(healthy()))
  )

  it.effect("fails for a container that is gone or not running", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      assert.strictEqual((yield* Effect.flip(monitor.sample(target)))._tag, "TargetNotRunning")
      assert.strictEqual((yield* Effect.flip(monitor.sample(other)))._tag, "TargetGone")
    }).pipe(provide(sourceWith((from) => (from === target ? new TargetNotRunning(from) : new TargetGone(from)))))
  )
})

describe("series", () => {
  it.effect("gives the first sample at once and one more per interval", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const fiber = yield* collecting(Stream.take(monitor.series(target, { interval: "5 seconds" }), 3))
      yield* advance("10 seconds")
      const samples = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        samples.map((sample) => sample.intervalMillis),
        [undefined, 5000, 5000]
      )
      assert.deepStrictEqual(
        samples.map((sample) => sample.values.cpuCores ?? sample.absent.cpuCores),
        ["no-previous-reading", 0.25, 0.25]
      )
    }).pipe(provide(healthy()))
  )

  it.effect.each(["0 millis", -1, Number.NaN, Number.POSITIVE_INFINITY] as const)(
    "refuses an interval of %s",
    (interval) =>
      Effect.gen(function* () {
        const monitor = yield* Monitors.Monitor
        const error = yield* Effect.flip(Stream.runDrain(monitor.series(target, { interval })))
        assert.strictEqual(error._tag, "InvalidInterval")
      }).pipe(provide(healthy()))
  )

  it.effect.each([0, -1, 1.5])("refuses a capacity of %s", (capacity) =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const error = yield* Effect.flip(monitor.watch(target, { capacity }))
      assert.strictEqual(error._tag, "InvalidCapacity")
    }).pipe(Effect.scoped, provide(healthy()))
  )

  it.effect("changes its spacing while it runs, from the last sample on", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const series = yield* monitor.watch(target, { interval: "10 seconds" })
      yield* advance("10 seconds")
      yield* advance("3 seconds")
      yield* series.setInterval("2 seconds")
      yield* advance("4 seconds")
      yield* series.setInterval("1 minute")
      yield* advance("59 seconds")
      const intervals = (yield* series.recent).map((sample) => sample.intervalMillis)
      // Due at 12 s when the change came at 13 s, so taken at 13 s; then 15 s and 17 s; then nothing for a minute.
      assert.deepStrictEqual(intervals, [undefined, 10_000, 3000, 2000, 2000])
      assert.strictEqual((yield* Effect.flip(series.setInterval(0)))._tag, "InvalidInterval")
      yield* advance("1 second")
      assert.strictEqual((yield* series.recent).length, 6)
    }).pipe(Effect.scoped, provide(healthy()))
  )

  it.effect("keeps a bounded number of samples and summarises them", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const series = yield* monitor.watch(target, { interval: "1 second", capacity: 5 })
      yield* advance("20 seconds")
      const recent = yield* series.recent
      assert.strictEqual(recent.length, 5)
      const received = recent.map((sample) => sample.values.blockWriteBytes ?? Number.NaN)
      const all = yield* series.window("blockWriteBytes")
      assert.deepStrictEqual([all.count, all.min, all.max], [5, Math.min(...received), Math.max(...received)])
      const last = yield* series.window("blockWriteBytes", { last: "2 seconds" })
      assert.deepStrictEqual([last.count, last.min, last.p50], [3, 18 * 4096, 19 * 4096])
    }).pipe(Effect.scoped, provide(healthy()))
  )

  it.effect("has no summary of a metric without values", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const series = yield* monitor.watch(target)
      yield* advance(0)
      const error = yield* Effect.flip(series.window("cpuCores"))
      assert.deepStrictEqual([error._tag, error.samples], ["WindowEmpty", 1])
    }).pipe(Effect.scoped, provide(healthy()))
  )

  it.effect("marks a gap, has no rate after it and goes on", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const fiber = yield* collecting(Stream.take(monitor.seriesAll([target]), 6))
      yield* advance("5 seconds")
      const items = yield* Fiber.join(fiber)
      const described = items.map((item) =>
        item._tag === "Sampled" ? (item.sample.values.cpuCores ?? item.sample.absent.cpuCores) : item.error._tag
      )
      assert.deepStrictEqual(described, [
        "no-previous-reading",
        0.25,
        "TargetNotRunning",
        "EngineUnavailable",
        "no-previous-reading",
        0.25
      ])
    }).pipe(
      provide(
        sourceWith((from, read) => {
          if (read === 3) return new TargetNotRunning(from)
          const facts = { operation: "read statistics", endpoint: "unix:///nowhere", detail: "cut" }
          return read === 4 ? new EngineUnavailable({ ...facts, reason: "connection-lost" }) : undefined
        })
      )
    )
  )

  it.effect("goes on for the others when one container dies, and records the loss", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const journal = yield* Journal
      const fiber = yield* collecting(
        monitor
          .seriesAll([target, other])
          .pipe(Stream.takeUntil((item) => item._tag === "Sampled" && item.sequence === 8)),
        2
      )
      yield* advance("7 seconds")
      const items = yield* Fiber.join(fiber)
      const of = ({ containerId }: ContainerTarget) => items.filter((item) => idOf(item) === containerId)
      assert.deepStrictEqual(
        of(other).map((item) => item._tag),
        ["Sampled", "Sampled", "Lost"]
      )
      assert.strictEqual(of(target).filter((item) => item._tag === "Sampled").length, 8)
      const [event] = yield* Stream.runCollect(family.read(journal, containerStream(other.containerId)))
      assert.deepStrictEqual(event?.payload, {
        _tag: "SamplerTargetLost",
        containerId: other.containerId,
        name: other.name,
        lastSampleAtMillis: 1_001_000
      })
    }).pipe(
      provide(
        (() => {
          let reads = 0
          return sourceWith((from) => (from === other && ++reads > 2 ? new TargetGone(from) : undefined))
        })()
      )
    )
  )

  it.effect("fails with TargetGone where only one container is asked for", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const fiber = yield* Effect.forkChild(Effect.flip(Stream.runDrain(monitor.series(target))))
      yield* advance("3 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "TargetGone")
    }).pipe(provide(sourceWith((from, read) => (read > 2 ? new TargetGone(from) : undefined))))
  )

  it.effect("gives a late reader what the ring holds, without duplicates, and ends with its scope", () => {
    const reads = { count: 0 }
    return Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const scope = yield* Scope.make()
      const series = yield* Scope.provide(monitor.watch(target), scope)
      yield* advance("3 seconds")
      const fiber = yield* collecting(Stream.take(series.items, 6))
      yield* advance("2 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).map((item) => item.sequence),
        [1, 2, 3, 4, 5, 6]
      )
      yield* Scope.close(scope, Exit.void)
      yield* advance("1 minute")
      assert.strictEqual(reads.count, 6)
    }).pipe(provide(sourceWith(() => undefined, reads)))
  })
})

describe("layerDisabled", () => {
  it.effect("starts no sampler and says why", () =>
    Effect.gen(function* () {
      const monitor = yield* Monitors.Monitor
      const errors = yield* Effect.all([
        Effect.flip(monitor.sample(target)),
        Effect.flip(Stream.runDrain(monitor.series(target))),
        Effect.flip(Stream.runDrain(monitor.seriesAll([target, other]))),
        Effect.flip(Effect.scoped(monitor.watch(target)))
      ])
      for (const error of errors) assert.strictEqual(error._tag, "MetricsDisabled")
    }).pipe(Effect.provide(Monitors.layerDisabled))
  )
})

const idOf = (item: SeriesItem) => (item._tag === "Sampled" ? item.sample.id : item.target.containerId)
