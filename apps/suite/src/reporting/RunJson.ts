/** What `run --json` prints: one object, the run's outcome without its evidence. `report.json` has the rest. */
import type { RunReport } from "@sbx/core/RunReport"
import * as Schema from "effect/Schema"

const Word = Schema.Literals(["pass", "fail", "unknown"])

export const RunJson = Schema.Struct({
  runId: Schema.String,
  verdict: Word,
  durationMillis: Schema.Finite,
  /** In the order in which they were selected; a skipped one is unknown, with `skipped: ` and the reason. */
  scenarios: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      verdict: Word,
      reason: Schema.optionalKey(Schema.String),
      durationMillis: Schema.Finite
    })
  )
})
export type RunJson = typeof RunJson.Type

export const make = (report: RunReport): RunJson => ({
  runId: report.runId,
  verdict: report.verdict._tag,
  durationMillis: report.durationMillis,
  scenarios: report.scenarios.map((scenario) => {
    const reason = scenario.verdict._tag === "pass" ? scenario.reason : scenario.verdict.reason
    return {
      name: scenario.name,
      verdict: scenario.verdict._tag,
      ...(reason === undefined ? {} : { reason }),
      durationMillis: scenario.durationMillis
    }
  })
})
