/**
 * What a benchmark is: ours and the competitor measured alternately in one process on one engine, and the figures that decide.
 * Refuses a figure without its number of measurements; a target that was not measured is never met.
 */
import * as Verdict from "@sbx/core/Verdict"
import * as Schema from "effect/Schema"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Services } from "../src/Composition.ts"
import type { BenchPlace } from "./internal/place.ts"

/** Nearest-rank percentiles of a series, in the series' own unit. */
export const Figures = Schema.Struct({
  n: Schema.Int,
  mean: Schema.Finite,
  stddev: Schema.Finite,
  p50: Schema.Finite,
  p95: Schema.Finite,
  p99: Schema.Finite,
  min: Schema.Finite,
  max: Schema.Finite
})
export type Figures = typeof Figures.Type

export const Series = Schema.Struct({
  /** `sbx`, or the competitor's name. */
  of: Schema.String,
  /** What one measurement covers. */
  what: Schema.String,
  unit: Schema.String,
  figures: Figures
})
export type Series = typeof Series.Type

/** One promise, judged. */
export const Target = Schema.Struct({
  what: Schema.String,
  measured: Schema.Finite,
  relation: Schema.Literals(["at most", "at least"]),
  limit: Schema.Finite,
  verdict: Verdict.Verdict
})
export type Target = typeof Target.Type

export const Result = Schema.Struct({
  name: Schema.String,
  description: Schema.String,
  series: Schema.Array(Series),
  targets: Schema.Array(Target),
  /** Facts that a reader needs to repeat or to doubt the figures. */
  notes: Schema.Array(Schema.String)
})
export type Result = typeof Result.Type

/** The job could not be done, so nothing was measured. */
export class BenchmarkFailed extends Schema.TaggedError<BenchmarkFailed>()("BenchmarkFailed", {
  benchmark: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not measure ${this.benchmark}: ${this.detail}.\nSee \`sbx doctor\`, and run it again on a quiet machine.`
  }
}

export interface Options {
  /** Measurements of each side; a benchmark has its own default, and a least number below which it does not judge. */
  readonly rounds?: number | undefined
}

export type Measured = Pick<Result, "series" | "targets" | "notes">

export interface Benchmark {
  readonly name: string
  readonly description: string
  readonly run: (options: Options) => Effect.Effect<Measured, BenchmarkFailed, Services | BenchPlace | Scope.Scope>
}

/** How many measurements a verdict needs; with fewer it is unknown. */
export interface Sample {
  readonly n: number
  readonly least: number
}

export const atMost = (what: string, measured: number, limit: number, sample: Sample): Target =>
  judge("at most", what, measured, limit, measured <= limit, sample)

export const atLeast = (what: string, measured: number, limit: number, sample: Sample): Target =>
  judge("at least", what, measured, limit, measured >= limit, sample)

const judge = (
  relation: Target["relation"],
  what: string,
  exact: number,
  limit: number,
  met: boolean,
  { n, least }: Sample
): Target => {
  const measured = Math.round(exact * 1000) / 1000
  const target = { what, measured, relation, limit }
  if (n < least) return { ...target, verdict: Verdict.unknown(`${n} measurements; a verdict takes ${least}`) }
  return { ...target, verdict: met ? Verdict.pass : Verdict.fail(`${measured}, and not ${relation} ${limit}`) }
}
