/**
 * Whether a series of numbers rises: a slope with a confidence interval, and two measures that one outlier or one curve does not move.
 * Neighbouring readings resemble one another, which makes naive intervals too narrow: they are widened by the residuals' own
 * autocorrelation. Refuses fewer than four points, a single place, and what is not finite.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { twoSidedT } from "./internal/studentT.ts"
import type { Sample } from "./Sample.ts"

export interface Point {
  readonly x: number
  readonly y: number
}

/** Ordinary least squares. All slopes are y per x. */
export interface Trend {
  readonly points: number
  readonly slope: number
  readonly intercept: number
  /** Of the slope, widened for autocorrelation. */
  readonly standardError: number
  /** Of neighbouring residuals; 0 when negative. */
  readonly autocorrelation: number
  /** Two-sided. */
  readonly confidence: number
  /** The interval for the slope. */
  readonly low: number
  readonly high: number
}

/** No slope can be told from these points. */
export class TrendUndetermined extends Schema.TaggedError<TrendUndetermined>()("TrendUndetermined", {
  points: Schema.Int,
  reason: Schema.Literals(["too-few-points", "one-place-only", "not-finite"])
}) {
  override get message() {
    return `Could not tell a trend from ${this.points} points: ${facts[this.reason]}.\n${remedies[this.reason]}`
  }
}

const facts: Record<TrendUndetermined["reason"], string> = {
  "too-few-points": "an interval needs at least four",
  "one-place-only": "all of them are at one place",
  "not-finite": "some are not finite"
}
const remedies: Record<TrendUndetermined["reason"], string> = {
  "too-few-points": "Measure for longer or more often.",
  "one-place-only": "Measure at different times or after different numbers of operations.",
  "not-finite": "Leave out what was not measured."
}

const isFinite = ({ x, y }: Point) => Number.isFinite(x) && Number.isFinite(y)
const sum = (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0)

/**
 * The slope with its interval (default 99 %). The variance is taken over n(1-r)/(1+r) instead of n points, where r is the
 * autocorrelation of neighbouring residuals, and Student's t has two degrees of freedom less (Santer et al., J. Geophys. Res. 105,
 * 2000, 7337-7356). `points` are in the order of `x`.
 */
export const leastSquares = (
  points: ReadonlyArray<Point>,
  options: { readonly confidence?: number } = {}
): Result.Result<Trend, TrendUndetermined> => {
  const { confidence = 0.99 } = options
  const count = points.length
  const undetermined = (reason: TrendUndetermined["reason"]) =>
    Result.fail(new TrendUndetermined({ points: count, reason }))
  if (!points.every(isFinite)) return undetermined("not-finite")
  if (count < 4) return undetermined("too-few-points")
  const meanX = sum(points.map(({ x }) => x)) / count
  const meanY = sum(points.map(({ y }) => y)) / count
  const spread = sum(points.map(({ x }) => (x - meanX) ** 2))
  if (!(spread > 0)) return undetermined("one-place-only")
  const slope = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / spread
  const residuals = points.map(({ x, y }) => y - meanY - slope * (x - meanX))
  const squares = sum(residuals.map((residual) => residual ** 2))
  const lagged = sum(residuals.slice(1).map((residual, i) => residual * (residuals[i] ?? 0)))
  const autocorrelation = squares > 0 ? Math.max(0, lagged / squares) : 0
  const degrees = Math.max(1, (count * (1 - autocorrelation)) / (1 + autocorrelation) - 2)
  const standardError = Math.sqrt(squares / degrees / spread)
  const margin = twoSidedT(confidence, degrees) * standardError
  return Result.succeed({
    points: count,
    slope,
    intercept: meanY - slope * meanX,
    standardError,
    autocorrelation,
    confidence,
    low: slope - margin,
    high: slope + margin
  })
}

/** The median slope over all pairs of points at different places (Theil 1950, Sen 1968); `undefined` when there is no such pair. */
export const theilSen = (points: ReadonlyArray<Point>): number | undefined => {
  const slopes = pairs(points).flatMap(([a, b]) => (a.x === b.x ? [] : [(b.y - a.y) / (b.x - a.x)]))
  slopes.sort((a, b) => a - b)
  const upper = slopes[Math.floor(slopes.length / 2)]
  const lower = slopes[Math.ceil(slopes.length / 2) - 1]
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2
}

/**
 * The probability that points without a trend would rise as steadily as these do, one-sided (Mann 1945, Kendall 1975; normal
 * approximation with ties, good from about eight points). `points` are in the order of `x`.
 */
export const mannKendall = (points: ReadonlyArray<Point>): number => {
  const n = points.length
  const score = sum(pairs(points).map(([a, b]) => Math.sign(b.y - a.y)))
  const ties = new Map<number, number>()
  for (const { y } of points) ties.set(y, (ties.get(y) ?? 0) + 1)
  const tied = sum([...ties.values()].map((t) => t * (t - 1) * (2 * t + 5)))
  const variance = (n * (n - 1) * (2 * n + 5) - tied) / 18
  if (!(variance > 0)) return 1
  return normalTail((score - Math.sign(score)) / Math.sqrt(variance))
}

const pairs = (points: ReadonlyArray<Point>): ReadonlyArray<readonly [Point, Point]> =>
  points.flatMap((a, i) => points.slice(i + 1).map((b) => [a, b] as const))

/** P(Z > z); Abramowitz & Stegun 26.2.17, error below 7.5e-8. */
const normalTail = (z: number): number => {
  if (z < 0) return 1 - normalTail(-z)
  const t = 1 / (1 + 0.231_641_9 * z)
  const series = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429]
  const polynomial = series.reduceRight((total, coefficient) => (total + coefficient) * t, 0)
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial
}

/** A metric of samples over their time in hours; samples without the metric are left out. */
export const perHour = <M extends string>(samples: ReadonlyArray<Sample<M>>, metric: M): ReadonlyArray<Point> =>
  samples.flatMap(({ atMillis, values }) => {
    const y = values[metric]
    return y === undefined ? [] : [{ x: atMillis / 3_600_000, y }]
  })
