import { assert, describe, it } from "@effect/vitest"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import type { ContainerReading } from "../src/ContainerSampler.ts"
import type { ReadError } from "../src/ContainerSource.ts"
import { TargetGone } from "../src/ContainerSource.ts"
import { makeRing } from "../src/internal/ring.ts"
import { make } from "../src/Series.ts"
import { readingAt, target } from "./readings.ts"

const advance = TestClock.adjust

/** Gives the answers in order, one per read, then the last one for ever. */
const script = (answers: ReadonlyArray<ContainerReading | ReadError>) => {
  let next = 0
  return Effect.suspend((): Effect.Effect<ContainerReading, ReadError> => {
    const answer = answers[Math.min(next++, answers.length - 1)]
    if (answer === undefined) return Effect.die("an empty script")
    return "stats" in answer ? Effect.succeed(answer) : Effect.fail(answer)
  })
}

const memoryAt = (seconds: number, bytes: number) =>
  readingAt(seconds, 0.25, { memory: { usageBytes: bytes, inactiveFileBytes: 0, limitBytes: 1e12, maxUsageBytes: 0 } })

const cut = new EngineUnavailable({
  operation: "read statistics",
  endpoint: "unix:///nowhere",
  detail: "the engine restarts",
  reason: "connection-lost"
})

const Bytes = Schema.Array(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))))
const Capacity = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 20 })))
const LastSeconds = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 30 })))

/** By the definition: the smallest value that at least p % of all values do not exceed. */
const rank = (values: ReadonlyArray<number>, percent: number): number =>
  Math.min(...values.filter((one) => values.filter((other) => other <= one).length * 100 >= percent * values.length))

describe("ring", () => {
  it.effect.prop("holds the newest, in order, and never more than its capacity", [Capacity, Bytes], ([size, values]) =>
    Effect.sync(() => {
      const ring = makeRing<number>(size)
      for (const value of values) ring.push(value)
      assert.deepStrictEqual(ring.toArray(), values.slice(-size))
    })
  )
})

describe("window", () => {
  it.effect.prop(
    "agrees with brute force over what the ring still holds",
    [Bytes, Capacity, LastSeconds],
    ([bytes, capacity, last]) =>
      Effect.gen(function* () {
        if (bytes.length === 0) return
        const read = script(bytes.map((value, second) => memoryAt(second, value)))
        const series = yield* make({ target, read, interval: "1 second", capacity })
        yield* advance(0)
        yield* advance((bytes.length - 1) * 1000)
        const held = bytes.slice(-capacity).slice(-(last + 1))
        const { avg, ...summary } = yield* series.window("memoryBytes", { last: `${last} seconds` })
        assert.deepStrictEqual(summary, {
          count: held.length,
          min: Math.min(...held),
          max: Math.max(...held),
          p50: rank(held, 50),
          p95: rank(held, 95),
          p99: rank(held, 99)
        })
        assert.closeTo(avg, held.reduce((sum, value) => sum + value, 0) / held.length, 1)
      }).pipe(Effect.scoped)
  )

  it.effect("begins at a jump of the source's clock, back or forth", () =>
    Effect.gen(function* () {
      const values = [memoryAt(0, 1), memoryAt(3600, 2), memoryAt(3601, 3), memoryAt(5, 4), memoryAt(6, 5)]
      const series = yield* make({ target, read: script(values), interval: "1 second" })
      const counted = Effect.map(series.window("memoryBytes", { last: "1 minute" }), ({ count, min }) => [count, min])
      yield* advance("2 seconds")
      assert.deepStrictEqual(yield* counted, [2, 2])
      yield* advance("2 seconds")
      assert.deepStrictEqual(yield* counted, [2, 4])
      assert.strictEqual((yield* series.window("memoryBytes")).count, 5)
      const intervals = (yield* series.recent).map(({ intervalMillis }) => intervalMillis)
      assert.deepStrictEqual(intervals.slice(2), [1000, undefined, 1000], "the series goes on")
    }).pipe(Effect.scoped)
  )
})

describe("series", () => {
  it.effect("survives a restart of the engine: what was missed is marked, then it goes on", () =>
    Effect.gen(function* () {
      const read = script([memoryAt(0, 1), cut, cut, memoryAt(3, 2), memoryAt(4, 3)])
      const series = yield* make({ target, read, interval: "1 second" })
      yield* advance("4 seconds")
      const { count, min, max } = yield* series.window("memoryBytes")
      assert.deepStrictEqual([count, min, max], [3, 1, 3])
    }).pipe(Effect.scoped)
  )

  it.effect("samples at once on request, and then an interval later", () =>
    Effect.gen(function* () {
      let reads = 0
      const read = Effect.gen(function* () {
        reads++
        return memoryAt((yield* Clock.currentTimeMillis) / 1000, 1)
      })
      const series = yield* make({ target, read, interval: "1 hour" })
      yield* advance("10 minutes")
      yield* series.sampleNow
      yield* advance(0)
      assert.strictEqual(reads, 2)
      yield* advance("59 minutes")
      assert.strictEqual(reads, 2)
      yield* advance("1 minute")
      assert.strictEqual(reads, 3)
    }).pipe(Effect.scoped)
  )

  it.effect("learns at once that its container is gone, when told to look", () =>
    Effect.gen(function* () {
      let lost = 0
      const series = yield* make({
        target,
        read: script([memoryAt(0, 1), new TargetGone(target)]),
        interval: "1 hour",
        onLost: () => Effect.sync(() => void lost++)
      })
      yield* advance(0)
      yield* series.sampleNow
      yield* advance(0)
      assert.strictEqual(lost, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("fails its readers, early and late, where the source has a defect, and leaves none of them waiting", () =>
    Effect.gen(function* () {
      const series = yield* make({ target, read: Effect.die(new Error("a defect")), interval: "1 second" })
      const early = yield* Effect.forkChild(Effect.exit(Stream.runDrain(series.items)), { startImmediately: true })
      yield* advance("2 seconds")
      const late = yield* Effect.forkChild(Effect.exit(Stream.runDrain(series.items)), { startImmediately: true })
      yield* advance("2 seconds")
      for (const reader of [early, late]) {
        const exit = yield* Fiber.join(reader)
        assert.strictEqual(exit._tag === "Failure" ? String(Cause.squash(exit.cause)) : "success", "Error: a defect")
      }
    }).pipe(Effect.scoped)
  )
})
