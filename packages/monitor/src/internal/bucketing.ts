/** Points in equal slices of time. Pure. */
import type { Bucket, StoredPoint } from "../SampleStore.ts"

/** `count` is at least 1 and `fromMillis` not after `toMillis`. Points outside of the range are left out. */
export const bucketize = (
  points: Iterable<StoredPoint>,
  range: { readonly fromMillis: number; readonly toMillis: number; readonly count: number }
): ReadonlyArray<Bucket> => {
  const { count, fromMillis, toMillis } = range
  const width = (toMillis - fromMillis) / count
  const edge = (index: number) => (index === count ? toMillis : fromMillis + index * width)
  const sums = Array.from({ length: count }, () => ({
    measured: 0,
    absent: 0,
    missed: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    sum: 0
  }))
  for (const point of points) {
    const { atMillis } = point
    if (atMillis < fromMillis || atMillis > toMillis) continue
    const sum = sums[width === 0 ? 0 : Math.min(count - 1, Math.floor((atMillis - fromMillis) / width))]
    if (sum === undefined) continue
    if (point._tag === "Missed") sum.missed++
    else if (point._tag === "Absent") sum.absent++
    else {
      sum.measured++
      sum.sum += point.value
      sum.min = Math.min(sum.min, point.value)
      sum.max = Math.max(sum.max, point.value)
    }
  }
  return sums.map(({ absent, max, measured, min, missed, sum }, index) => ({
    fromMillis: edge(index),
    toMillis: edge(index + 1),
    measured,
    absent,
    missed,
    ...(measured === 0
      ? { min: undefined, avg: undefined, max: undefined }
      : { min, avg: Math.min(max, Math.max(min, sum / measured)), max })
  }))
}
