/** The values of one container without a hole, as far back as a window needs them, and whether they are at rest. Pure. */
import type { WindowSummary } from "../Window.ts"
import { summarize } from "../Window.ts"

interface Point {
  readonly atMillis: number
  readonly value: number
}

export interface Run {
  /** Oldest first; the first is the newest one that is at least a window old, or the first after a hole. */
  readonly values: ReadonlyArray<Point>
  /** Why the last look had no value; it ended the run before it. */
  readonly absent: string | undefined
}

export const emptyRun = (): Run => ({ values: [], absent: undefined })

export interface Span {
  readonly windowMillis: number
  /** Longer than this without a value is a hole: a reading that hung shows nothing of the time meanwhile. */
  readonly holeMillis: number
}

/** Adds what was seen: a value, or the reason why there is none, which begins the run anew. Times are of one monotonic clock. */
export const observe = (run: Run, seen: number | string, atMillis: number, span: Span): Run => {
  if (typeof seen === "string") return { values: [], absent: seen }
  const before = silence(run, atMillis) > span.holeMillis ? [] : run.values
  const values = [...before, { atMillis, value: seen }]
  const second = values.findIndex((point) => point.atMillis > atMillis - span.windowMillis)
  return { values: values.slice(Math.max(0, second - 1)), absent: undefined }
}

/** How long ago the newest value was seen, milliseconds. */
const silence = ({ values }: Run, nowMillis: number): number => nowMillis - (values.at(-1)?.atMillis ?? nowMillis)

export type Reached =
  | { readonly _tag: "stable"; readonly summary: WindowSummary; readonly deviation: number }
  | { readonly _tag: "unrest"; readonly finding: string }

/** At rest: the run covers the window up to now, every value is below the threshold, and they deviate little. */
export const judge = (
  run: Run,
  nowMillis: number,
  criteria: Span & { readonly below: number; readonly maxDeviation: number }
): Reached => {
  const { absent, values } = run
  const unrest = (finding: string): Reached => ({ _tag: "unrest", finding })
  const numbers = values.map(({ value }) => value)
  const summary = summarize(numbers)
  if (summary === undefined) return unrest(absent === undefined ? "no sample yet" : `no value (${absent})`)
  const silent = silence(run, nowMillis)
  if (silent > criteria.holeMillis) return unrest(`no sample for ${Math.round(silent)} ms`)
  const deviation = deviationOf(numbers)
  if (!(summary.max < criteria.below)) return unrest(`up to ${short(summary.max)}`)
  if (!(deviation <= criteria.maxDeviation)) return unrest(`deviates by ${short(deviation)}`)
  const covered = (values.at(-1)?.atMillis ?? 0) - (values[0]?.atMillis ?? 0)
  if (covered < criteria.windowMillis) return unrest(`at rest for ${Math.round(covered)} ms only`)
  return { _tag: "stable", summary, deviation }
}

/** Population standard deviation, by the two-pass formula: the difference of two large sums would lose small deviations. */
const deviationOf = (values: ReadonlyArray<number>): number => {
  const mean = values.reduce((sum, value) => sum + value / values.length, 0)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0))
}

const short = (value: number): string => String(Math.round(value * 1000) / 1000)
