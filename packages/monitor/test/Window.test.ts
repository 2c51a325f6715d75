import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { summarize } from "../src/Window.ts"

/** Brute force, by the definition: the smallest value that at least p % of all values do not exceed. */
const oracle = (values: ReadonlyArray<number>, percent: number): number => {
  const candidates = values.filter(
    (candidate) => values.filter((value) => value <= candidate).length * 100 >= percent * values.length
  )
  return candidates.reduce((least, value) => Math.min(least, value))
}

const Values = Schema.NonEmptyArray(
  Schema.Finite.pipe(Schema.check(Schema.isBetween({ minimum: -1e12, maximum: 1e12 })))
)

describe("summarize", () => {
  it.effect.prop("agrees with brute force", [Values], ([values]) =>
    Effect.sync(() => {
      const summary = summarize(values)
      assert.isDefined(summary)
      assert.strictEqual(summary.count, values.length)
      assert.strictEqual(summary.min, Math.min(...values))
      assert.strictEqual(summary.max, Math.max(...values))
      assert.strictEqual(summary.p50, oracle(values, 50))
      assert.strictEqual(summary.p95, oracle(values, 95))
      assert.strictEqual(summary.p99, oracle(values, 99))
      const avg = values.reduce((sum, value) => sum + value, 0) / values.length
      const scale = Math.max(1, ...values.map(Math.abs))
      assert.isAtMost(Math.abs(summary.avg - avg), scale * 1e-9)
    })
  )

  it("gives known percentiles of one to a hundred", () => {
    const values = Array.from({ length: 100 }, (_, index) => ((index * 37) % 100) + 1)
    assert.deepStrictEqual(summarize(values), { count: 100, min: 1, avg: 50.5, max: 100, p50: 50, p95: 95, p99: 99 })
  })

  it("orders numbers as numbers, not as text", () => {
    assert.deepInclude(summarize([10, 9, 100, 1]), { min: 1, p50: 9, max: 100 })
  })

  it.effect.prop("is not moved by what is no number", [Values], ([values]) =>
    Effect.sync(() => {
      const spoilt = values.flatMap((value) => [Number.NaN, value, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      assert.deepStrictEqual(summarize(spoilt), summarize(values))
    })
  )

  it("refuses an empty set, and one without a number in it", () => {
    assert.isUndefined(summarize([]))
    assert.isUndefined(summarize([Number.NaN]))
  })
})
