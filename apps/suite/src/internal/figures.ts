/** Figures of a series of measurements, rounded to a tenth. */

export interface Figures {
  readonly n: number
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly min: number
  readonly max: number
}

/** Nearest-rank percentile of sorted values; `p` from 0 to 1. */
const percentile = (sorted: ReadonlyArray<number>, p: number): number =>
  sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN

const rounded = (value: number): number => Math.round(value * 10) / 10

/** Of at least one value; of none every figure is NaN, which no budget accepts. */
export const summarise = (values: ReadonlyArray<number>): Figures => {
  const sorted = [...values].sort((a, b) => a - b)
  return {
    n: sorted.length,
    mean: rounded(sorted.reduce((sum, value) => sum + value, 0) / sorted.length),
    p50: rounded(percentile(sorted, 0.5)),
    p95: rounded(percentile(sorted, 0.95)),
    min: rounded(sorted[0] ?? Number.NaN),
    max: rounded(sorted.at(-1) ?? Number.NaN)
  }
}
