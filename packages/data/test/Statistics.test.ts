import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Decimal from "../src/Decimal.ts"
import * as Rational from "../src/Rational.ts"
import * as Statistics from "../src/Statistics.ts"
import * as Oracle from "./statisticsOracle.ts"

const value = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -50_000, maximum: 50_000 }))),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })))
  ]),
  ([units, scale]): Decimal.Decimal => ({ units: BigInt(units), scale })
)
const decimals = (...texts: ReadonlyArray<string>) => texts.map((text) => Decimal.parse(text) ?? assert.fail(text))
const values = (exact: Record<string, Statistics.Exact>) =>
  Object.fromEntries(Object.entries(exact).map(([key, known]) => [key, known.value]))

describe("Statistics", () => {
  it("gives the textbook values of 2, 4, 4, 4, 5, 5, 7, 9", () => {
    const known = Statistics.summarize(decimals("2", "4", "4", "4", "5.0", "5", "7", "9"))
    assert.isDefined(known)
    assert.strictEqual(known.count, 8)
    assert.strictEqual(known.sum.value, 40)
    assert.strictEqual(known.mean.value, 5)
    assert.strictEqual(known.variance.value, 4)
    assert.strictEqual(known.sampleVariance?.value, 32 / 7)
    assert.deepStrictEqual([known.min.value, known.max.value], [2, 9])
    // numpy.percentile([2,4,4,4,5,5,7,9], [25,50,75,95,99])
    assert.deepStrictEqual(values(known.quantiles), {
      p25: 4,
      p50: 4.5,
      p75: 5.5,
      p95: 8.3,
      p99: 8.86
    })
  })

  it("keeps what doubles cancel away", () => {
    const known = Statistics.summarize(decimals("1000000000000.1", "1000000000000.2"))
    assert.deepStrictEqual(known?.variance.exact, Rational.make(1n, 400n))
  })

  it("has no summary of nothing and no sample variance of one value", () => {
    assert.isUndefined(Statistics.summarize([]))
    const one = Statistics.summarize(decimals("7.5"))
    assert.deepStrictEqual([one?.variance.value, one?.sampleVariance], [0, undefined])
    assert.strictEqual(one?.quantiles.p99.value, 7.5)
  })

  it.prop("agrees with the definitions, computed another way", [Arbitrary.array(value, { minLength: 1 })], ([list]) => {
    const known = Statistics.summarize(list)
    assert.isDefined(known)
    const texts = list.map(Decimal.format)
    assert.deepStrictEqual(known.sum.exact, Oracle.sum(texts))
    assert.deepStrictEqual(known.mean.exact, Oracle.mean(texts))
    assert.deepStrictEqual(known.variance.exact, Oracle.variance(texts))
    assert.deepStrictEqual(known.min.exact, Oracle.quantile(texts, 0n))
    assert.deepStrictEqual(known.max.exact, Oracle.quantile(texts, 100n))
    assert.deepStrictEqual(known.quantiles.p95.exact, Oracle.quantile(texts, 95n))
    assert.deepStrictEqual(known.quantiles.p50.exact, Oracle.quantile(texts, 50n))
  })

  it.prop(
    "fits the line whose residuals are orthogonal to 1 and x",
    [Arbitrary.array(Arbitrary.all([value, value]), { minLength: 2 })],
    ([points]) => {
      const [x, y] = [points.map(([a]) => a), points.map(([, b]) => b)]
      const line = Statistics.bestFit(x, y)
      const texts = [x.map(Decimal.format), y.map(Decimal.format)] as const
      if (line === undefined) assert.deepStrictEqual(Oracle.variance(texts[0]), Oracle.zero)
      else {
        const residuals = Oracle.residuals(...texts, line.slope.exact, line.intercept.exact)
        assert.deepStrictEqual(residuals, { plain: Oracle.zero, timesX: Oracle.zero })
      }
    }
  )

  it("fits no line through one abscissa, and dies on unequal lengths", () => {
    assert.isUndefined(Statistics.bestFit(decimals("1", "1.0"), decimals("2", "3")))
    assert.isUndefined(Statistics.bestFit([], []))
    assert.throws(() => Statistics.bestFit(decimals("1"), []), /unequal lengths/)
  })
})
