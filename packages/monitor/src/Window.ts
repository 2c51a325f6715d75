/**
 * Summary of a metric over a set of values. Percentiles are nearest-rank: always one of the values, never interpolated.
 * Refuses an empty set: there is no average of nothing. NaN and infinities are no values and count for nothing.
 */
import * as Schema from "effect/Schema"

export interface WindowSummary {
  readonly count: number
  readonly min: number
  readonly avg: number
  readonly max: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** No sample of the window has a value for the metric. */
export class WindowEmpty extends Schema.TaggedError<WindowEmpty>()("WindowEmpty", {
  metric: Schema.String,
  samples: Schema.Int
}) {
  override get message() {
    return `Could not summarise ${this.metric}: none of ${this.samples} samples has a value for it.\nWait for more samples, or see why it is absent in \`sample.absent\`.`
  }
}

/** Summarises the finite ones of the values; `undefined` where there is none. */
export const summarize = (values: ReadonlyArray<number>): WindowSummary | undefined => {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const min = sorted[0]
  const max = sorted.at(-1)
  if (min === undefined || max === undefined) return undefined
  // Divide before adding, so that the sum of large values does not overflow; keep the mean inside its bounds.
  const avg = sorted.reduce((sum, value) => sum + value / sorted.length, 0)
  return {
    count: sorted.length,
    min,
    avg: Math.min(max, Math.max(min, avg)),
    max,
    p50: nearestRank(sorted, 50) ?? min,
    p95: nearestRank(sorted, 95) ?? min,
    p99: nearestRank(sorted, 99) ?? min
  }
}

/** The smallest value that at least `percent` percent of the values do not exceed. `percent` is an integer of 1..100. */
const nearestRank = (sorted: ReadonlyArray<number>, percent: number): number | undefined =>
  sorted[Math.ceil((percent * sorted.length) / 100) - 1]
