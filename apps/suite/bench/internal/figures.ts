/** Percentiles and ratios of measurements. Refuses an empty series: there is nothing to say about it. */
import type { Figures } from "../Benchmark.ts"

/** Nearest-rank percentile of sorted values; `p` from 0 to 1. */
const percentile = (sorted: ReadonlyArray<number>, p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? Number.NaN

export const summarise = (values: ReadonlyArray<number>): Figures => {
  if (values.length === 0) throw new RangeError("no measurement to summarise")
  const sorted = values.toSorted((a, b) => a - b)
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length
  return {
    n: sorted.length,
    mean: round(mean),
    stddev: round(Math.sqrt(variance)),
    p50: round(percentile(sorted, 0.5)),
    p95: round(percentile(sorted, 0.95)),
    p99: round(percentile(sorted, 0.99)),
    min: round(sorted[0] ?? Number.NaN),
    max: round(sorted.at(-1) ?? Number.NaN)
  }
}

const round = (value: number): number => Math.round(value * 1000) / 1000

/** Slope of the least-squares line through (x, y). */
export const slope = (points: ReadonlyArray<readonly [number, number]>): number => {
  const n = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return covariance / variance
}
