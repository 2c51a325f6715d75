/**
 * Exact statistics of decimal columns: integer arithmetic over a common scale, rounded once, to the nearest double, at
 * the end. Definitions are those of numpy and pandas, named per field, so that a sandbox's answer can be compared.
 */
import * as Decimal from "./Decimal.ts"
import * as Rational from "./Rational.ts"

/** A known value: exact, and as the nearest double. */
export interface Exact {
  readonly exact: Rational.Rational
  readonly value: number
}

/** What is known of one column. Empty columns have no summary. */
export interface Summary {
  readonly count: number
  readonly sum: Exact
  readonly mean: Exact
  /** Population variance: divided by n (numpy's default). */
  readonly variance: Exact
  /** Divided by n - 1 (pandas' default); undefined for one value. */
  readonly sampleVariance: Exact | undefined
  readonly min: Exact
  readonly max: Exact
  /** Linear interpolation at (n - 1)p (Hyndman and Fan's type 7: the default of numpy, pandas and R). */
  readonly quantiles: Readonly<Record<"p25" | "p50" | "p75" | "p95" | "p99", Exact>>
}

/** A straight line y = intercept + slope·x. */
export interface Line {
  readonly slope: Exact
  readonly intercept: Exact
}

/** Everything known of one column of values; undefined for none. */
export const summarize = (values: ReadonlyArray<Decimal.Decimal>): Summary | undefined => {
  if (values.length === 0) return undefined
  const { units, scale } = Decimal.align(values)
  const n = BigInt(units.length)
  const s1 = total(units)
  // n·Σx² - (Σx)² is n²·variance, with no rounding and so no cancellation.
  const spread = n * total(units.map((x) => x * x)) - s1 * s1
  const one = 10n ** BigInt(scale)
  const sorted = [...units].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const at = (percent: bigint): Exact => quantileOf(sorted, percent, one)
  return {
    count: units.length,
    sum: known(s1, one),
    mean: known(s1, n * one),
    variance: known(spread, n * n * one * one),
    sampleVariance: n === 1n ? undefined : known(spread, n * (n - 1n) * one * one),
    min: at(0n),
    max: at(100n),
    quantiles: { p25: at(25n), p50: at(50n), p75: at(75n), p95: at(95n), p99: at(99n) }
  }
}

/** The least-squares line through the points; undefined when all x are equal or there is none. Dies on unequal lengths. */
export const bestFit = (x: ReadonlyArray<Decimal.Decimal>, y: ReadonlyArray<Decimal.Decimal>): Line | undefined => {
  if (x.length !== y.length) throw new RangeError("Could not fit a line: unequal lengths.")
  const xs = Decimal.align(x)
  const ys = Decimal.align(y)
  const n = BigInt(xs.units.length)
  const sx = total(xs.units)
  const sy = total(ys.units)
  const sxx = n * total(xs.units.map((value) => value * value)) - sx * sx
  if (sxx === 0n) return undefined
  const sxy = n * total(xs.units.map((value, index) => value * (ys.units[index] ?? 0n))) - sx * sy
  const xOne = 10n ** BigInt(xs.scale)
  const yOne = 10n ** BigInt(ys.scale)
  // Sxy carries both scales and Sxx the x scale twice: the slope is left with yOne below and xOne above.
  const slope = Rational.make(sxy * xOne, sxx * yOne)
  const meanX = Rational.make(sx, n * xOne)
  const meanY = Rational.make(sy, n * yOne)
  const intercept = Rational.subtract(meanY, Rational.multiply(slope, meanX))
  return { slope: exactly(slope), intercept: exactly(intercept) }
}

/** An exact value with its nearest double. */
export const exactly = (exact: Rational.Rational): Exact => ({
  exact,
  value: Rational.toNumber(exact)
})

const known = (numerator: bigint, denominator: bigint): Exact => exactly(Rational.make(numerator, denominator))

const total = (values: ReadonlyArray<bigint>): bigint => values.reduce((sum, value) => sum + value, 0n)

function quantileOf(sorted: ReadonlyArray<bigint>, percent: bigint, one: bigint): Exact {
  const position = BigInt(sorted.length - 1) * percent
  const below = sorted[Number(position / 100n)] ?? 0n
  const above = sorted[Number((position + 99n) / 100n)] ?? below
  return known(below * 100n + (above - below) * (position % 100n), 100n * one)
}
