import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { record } from "../src/Recorder.ts"
import * as SampleFile from "../src/SampleFile.ts"
import { SampleStore } from "../src/SampleStore.ts"
import { make } from "../src/Series.ts"
import { readingAt, target } from "./readings.ts"

describe("record", () => {
  it.effect("keeps more of a series than its ring does", () =>
    Effect.gen(function* () {
      let second = 0
      const read = Effect.sync(() => readingAt(second++, 0.25))
      const series = yield* make({ target, read, interval: "1 second", capacity: 5 })
      yield* Effect.forkScoped(record(series.items))
      for (let step = 0; step < 30; step++) yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* series.recent).length, 5)
      const store = yield* SampleStore
      const points = yield* store.points({ id: target.containerId, metric: "blockWriteBytes" })
      assert.deepStrictEqual(
        points.map((point) => point._tag === "Measured" && point.value),
        Array.from({ length: 31 }, (_, index) => index * 4096)
      )
      const [bucket] = yield* store.buckets({ id: target.containerId, metric: "pids", count: 1 })
      assert.deepInclude(bucket, { measured: 31, min: 3, max: 3 })
    }).pipe(Effect.scoped, Effect.provide(SampleFile.layerMemory({ flushEvery: "1 hour" })))
  )
})
