import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { twoSidedT, withinT } from "../src/internal/studentT.ts"
import type { Point } from "../src/Trend.ts"
import { leastSquares, mannKendall, perHour, theilSen } from "../src/Trend.ts"

const line = (values: ReadonlyArray<number>): ReadonlyArray<Point> => values.map((y, x) => ({ x, y }))
const trend = (points: ReadonlyArray<Point>, confidence?: number) =>
  Result.getOrThrow(leastSquares(points, confidence === undefined ? {} : { confidence }))

describe("Student's t", () => {
  // Two-sided quantiles as printed in the table of the NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
  it.each([
    [0.9, 1, 6.314],
    [0.95, 1, 12.706],
    [0.99, 1, 63.657],
    [0.95, 2, 4.303],
    [0.99, 2, 9.925],
    [0.95, 3, 3.182],
    [0.98, 4, 3.747],
    [0.99, 4, 4.604],
    [0.95, 5, 2.571],
    [0.998, 6, 5.208],
    [0.95, 10, 2.228],
    [0.99, 10, 3.169],
    [0.8, 15, 1.341],
    [0.99, 29, 2.756],
    [0.95, 30, 2.042],
    [0.95, 60, 2.0],
    [0.99, 100, 2.626],
    [0.95, 1_000_000, 1.96]
  ])("at %d and %d degrees is %d", (confidence, degrees, expected) => {
    assert.closeTo(twoSidedT(confidence, degrees), expected, 0.0006)
  })

  it("goes back to the confidence it came from", () => {
    for (const degrees of [1, 2, 3, 7, 8, 50, 333])
      for (const confidence of [0.5, 0.9, 0.99, 0.9967, 0.9999])
        assert.closeTo(withinT(twoSidedT(confidence, degrees), degrees), confidence, 1e-9)
  })
})

describe("least squares", () => {
  // NIST/ITL Statistical Reference Datasets, Norris: certified slope and intercept.
  const norris: ReadonlyArray<readonly [y: number, x: number]> = [
    [0.1, 0.2],
    [338.8, 337.4],
    [118.1, 118.2],
    [888, 884.6],
    [9.2, 10.1],
    [228.1, 226.5],
    [668.5, 666.3],
    [998.5, 996.3],
    [449.1, 448.6],
    [778.9, 777],
    [559.2, 558.2],
    [0.3, 0.4],
    [0.1, 0.6],
    [778.1, 775.5],
    [668.8, 666.9],
    [339.3, 338],
    [448.9, 447.5],
    [10.8, 11.6],
    [557.7, 556],
    [228.3, 228.1],
    [998, 995.8],
    [888.8, 887.6],
    [119.6, 120.2],
    [0.3, 0.3],
    [0.6, 0.3],
    [557.6, 556.8],
    [339.3, 339.1],
    [888, 887.2],
    [998.5, 999],
    [778.9, 779],
    [10.2, 11.1],
    [117.6, 118.3],
    [228.9, 229.2],
    [668.4, 669.1],
    [449.2, 448.9],
    [0.2, 0.5]
  ]

  it("gives the certified slope and intercept, and the certified error of the slope widened by the autocorrelation", () => {
    const found = trend(norris.map(([y, x]) => ({ x, y })))
    assert.closeTo(found.slope, 1.002_116_818_020_45, 1e-12)
    assert.closeTo(found.intercept, -0.262_323_073_774_029, 1e-10)
    const certified = 0.000_429_796_848_199_937
    assert.closeTo(found.autocorrelation, 0.3637, 0.0001)
    const effective = (36 * (1 - found.autocorrelation)) / (1 + found.autocorrelation)
    assert.closeTo(found.standardError, certified * Math.sqrt(34 / (effective - 2)), 1e-13)
    // Neighbours that differ more than strangers do narrow nothing.
    const zigzag = trend(line([-1, 3, 3, 7, 7, 11, 11, 15, 15, 19]))
    assert.strictEqual(zigzag.autocorrelation, 0)
    assert.closeTo(zigzag.standardError, 0.121_212_121_212_121, 1e-12)
  })

  it("has an interval around the slope that is wider with more confidence", () => {
    const points = line([1, 3, 2, 5, 4, 6, 5, 8])
    const [narrow, wide] = [trend(points, 0.9), trend(points, 0.999)]
    assert.isTrue(wide.low < narrow.low && narrow.low < narrow.slope && narrow.slope < narrow.high)
    assert.closeTo(narrow.high - narrow.slope, narrow.slope - narrow.low, 1e-12)
  })

  it("takes no part of a saw-tooth for a rise", () => {
    for (let from = 0; from < 25; from++) {
      const teeth = line(Array.from({ length: 110 }, (_, x) => (x + from) % 25))
      const { autocorrelation, low } = trend(teeth)
      assert.isAbove(autocorrelation, 0.5)
      assert.isBelow(low, 0, `from ${from}`)
    }
  })

  it("is certain of what has no noise", () => {
    const { high, low, slope } = trend(line([1, 2, 3, 4, 5]))
    assert.deepStrictEqual([low, slope, high], [1, 1, 1])
  })

  it.each([
    ["too-few-points", line([1, 2, 3])],
    ["one-place-only", [1, 2, 3, 4].map((y) => ({ x: 1, y }))],
    ["not-finite", line([1, 2, Number.NaN, 4])]
  ] as const)("refuses %s", (reason, points) => {
    const refused = leastSquares(points)
    assert.isTrue(Result.isFailure(refused) && refused.failure.reason === reason)
    assert.isTrue(Result.isFailure(refused) && refused.failure.message.startsWith("Could not tell a trend"))
  })
})

describe("robust measures", () => {
  it("give the median slope, which one outlier does not move", () => {
    assert.strictEqual(theilSen(line([0, 2, 4, 600, 8, 10])), 2)
    assert.strictEqual(theilSen(line([5])), undefined)
    assert.strictEqual(theilSen([1, 2].map((y) => ({ x: 1, y }))), undefined)
  })

  it("tell a steady rise from none", () => {
    assert.isBelow(mannKendall(line([1, 2, 3, 4, 5, 6, 7, 8])), 0.001)
    assert.isAbove(mannKendall(line([8, 7, 6, 5, 4, 3, 2, 1])), 0.999)
    assert.strictEqual(mannKendall(line([4, 4, 4, 4, 4, 4])), 1)
    // S = 11 over 10 points, variance 125: z = 10 / sqrt(125), p = 0.1856.
    const mixed = line([1, 3, 2, 5, 4, 0, 6, 3.5, 2.5, 4.5])
    assert.closeTo(mannKendall(mixed), 0.185_55, 1e-4)
  })
})

describe("points of samples", () => {
  it("leave out what was not measured", () => {
    const sample = (atMillis: number, values: { readonly memoryBytes?: number }) => ({
      subject: "container" as const,
      id: "c0ffee",
      name: "web",
      atMillis,
      intervalMillis: undefined,
      values,
      absent: {}
    })
    const samples = [sample(0, { memoryBytes: 5 }), sample(1_800_000, {}), sample(3_600_000, { memoryBytes: 7 })]
    assert.deepStrictEqual(perHour(samples, "memoryBytes"), [
      { x: 0, y: 5 },
      { x: 1, y: 7 }
    ])
  })
})
