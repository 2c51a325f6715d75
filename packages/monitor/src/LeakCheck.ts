/**
 * Repeats an operation, reads what the host has in between, and judges every counter. A counter that could not be read is unknown, never
 * pass; one that nobody asked for is left out. Refuses options with which nothing could be judged.
 */
import * as Verdicts from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { InvalidLeakOptions, LeakFinding, LeakOptions, LeakPoint } from "./LeakDetector.ts"
import { judge } from "./LeakDetector.ts"
import type { LeakReading } from "./LeakSources.ts"
import { LeakCounter, LeakSources } from "./LeakSources.ts"

export interface LeakCheckOptions extends Omit<LeakOptions, "tolerance" | "resolution"> {
  /** Per counter; what is not given is {@link defaultTolerance}. */
  readonly tolerance?: { readonly [C in LeakCounter]?: LeakOptions["tolerance"] }
}

export interface CounterFinding {
  readonly counter: LeakCounter
  readonly verdict: Verdicts.Verdict
  /** Absent when the counter was not in all readings. */
  readonly finding: LeakFinding | undefined
  /** Of the first and the last reading that have it. */
  readonly first: number | undefined
  readonly last: number | undefined
}

export interface LeakReport {
  /** The worst of the counters; unknown when there is none. */
  readonly verdict: Verdicts.Verdict
  readonly counters: ReadonlyArray<CounterFinding>
  readonly readings: ReadonlyArray<LeakReading>
}

/** Half of a leak of 1 MB per 100 operations; one thing in 1,000 operations, which takes 3,000 and more of them to pass. */
export const defaultTolerance = (counter: LeakCounter): LeakOptions["tolerance"] => ({
  "per-1000-operations": counter === "memoryBytes" ? 5e6 : 1
})

/** Runs the operation one after another, with a reading before, after, and evenly in between. Its failure ends the check. */
export const run = Effect.fn("LeakCheck.run")(function* <E, R>(
  operation: Effect.Effect<unknown, E, R>,
  options: LeakCheckOptions & {
    /** How often. */
    readonly operations: number
    /** How many readings, about. Default 60; no more than one an operation. */
    readonly readings?: number
  }
): Effect.fn.Return<LeakReport, E | InvalidLeakOptions, LeakSources | R> {
  const { read } = yield* LeakSources
  const { operations, readings: wanted = 60 } = options
  const every = Math.max(1, Math.floor(operations / Math.max(1, wanted)))
  const readings = [yield* read(0)]
  for (let done = 1; done <= operations; done++) {
    yield* operation
    if (done % every === 0 || done === operations) readings.push(yield* read(done))
  }
  return yield* Effect.fromResult(judgeReadings(readings, options))
})

/** Judges readings that were taken by other means. */
export const judgeReadings = (
  readings: ReadonlyArray<LeakReading>,
  options: LeakCheckOptions = {}
): Result.Result<LeakReport, InvalidLeakOptions> => {
  const counters: Array<CounterFinding> = []
  for (const counter of LeakCounter.literals) {
    if (readings.every(({ absent, values }) => values[counter] === undefined && isNotAsked(absent[counter]))) continue
    const judged = judgeCounter(readings, counter, options)
    if (Result.isFailure(judged)) return Result.fail(judged.failure)
    counters.push(judged.success)
  }
  return Result.succeed({ verdict: Verdicts.mergeAll(counters.map(({ verdict }) => verdict)), counters, readings })
}

const isNotAsked = (reason: string | undefined) => reason === undefined || reason === "not-asked"

const judgeCounter = (
  readings: ReadonlyArray<LeakReading>,
  counter: LeakCounter,
  { tolerance, ...options }: LeakCheckOptions
): Result.Result<CounterFinding, InvalidLeakOptions> => {
  const points: Array<LeakPoint> = []
  const reasons = new Set<string>()
  for (const { absent, atMillis, operations, values } of readings) {
    const value = values[counter]
    if (value === undefined) reasons.add(absent[counter] ?? "failed")
    else points.push({ operations, atMillis, value })
  }
  const ends = { counter, first: points[0]?.value, last: points.at(-1)?.value }
  const resolution = counter === "memoryBytes" ? 0 : 1
  const judged = judge(points, { ...options, resolution, tolerance: tolerance?.[counter] ?? defaultTolerance(counter) })
  return Result.map(judged, (finding) => {
    // What was seen to grow has grown, whatever a reading in between would have said.
    if (reasons.size === 0 || finding.verdict._tag === "fail")
      return { ...ends, finding, verdict: named(counter, finding.verdict) }
    const missed = readings.length - points.length
    const reason = `${counter}: ${missed} of ${readings.length} readings lack it (${[...reasons].join(", ")})`
    return { ...ends, finding: undefined, verdict: Verdicts.unknown(reason) }
  })
}

const named = (counter: LeakCounter, verdict: Verdicts.Verdict): Verdicts.Verdict => {
  switch (verdict._tag) {
    case "pass":
      return verdict
    case "fail":
      return Verdicts.fail(`${counter} ${verdict.reason}`)
    case "unknown":
      return Verdicts.unknown(`${counter} ${verdict.reason}`)
  }
}
