/**
 * The facts of one run of scenarios, in the journal's category `run`, stream `run/<run id>`. The report is a fold of them.
 */
import * as EventFamily from "@sbx/journal/EventFamily"
import * as Schema from "effect/Schema"
import { Verdict } from "./Verdict.ts"

export const category = "run"

const at = { atMillis: Schema.Finite }
const scenario = { ...at, scenario: Schema.String }

export const StepOutcome = Schema.Literals(["ok", "failed", "interrupted"])
export type StepOutcome = typeof StepOutcome.Type

export const RunEvent = Schema.TaggedUnion({
  RunStarted: {
    ...at,
    runId: Schema.String,
    /** Replays every random choice of the run. */
    seed: Schema.String,
    scenarios: Schema.Array(Schema.String)
  },
  ScenarioScheduled: { ...scenario, exclusive: Schema.Boolean },
  ScenarioStarted: { ...scenario, seed: Schema.String, timeoutMillis: Schema.Finite },
  StepStarted: { ...scenario, step: Schema.String, ordinal: Schema.Int },
  StepFinished: {
    ...scenario,
    step: Schema.String,
    ordinal: Schema.Int,
    outcome: StepOutcome,
    durationMillis: Schema.Finite,
    reason: Schema.optionalKey(Schema.String)
  },
  EvidenceRecorded: { ...scenario, key: Schema.String, value: Schema.Json },
  /** A judgement made inside the scenario; the worst of them is its verdict. */
  FindingRecorded: { ...scenario, what: Schema.String, verdict: Verdict },
  ScenarioFinished: {
    ...scenario,
    verdict: Verdict,
    durationMillis: Schema.Finite,
    /** Files the scenario handed out, absolute. */
    artefacts: Schema.Array(Schema.String),
    /** Its scratch directory, when it was kept. */
    kept: Schema.optionalKey(Schema.String)
  },
  /** Left out on purpose; does not count in the verdict. */
  ScenarioSkipped: { ...scenario, reason: Schema.String },
  RunFinished: { ...at, verdict: Verdict, durationMillis: Schema.Finite },
  RunInterrupted: { ...at, reason: Schema.String }
})
export type RunEvent = typeof RunEvent.Type

/** Typed append, read and live stream of the category. */
export const RunEvents = EventFamily.make({ category, union: RunEvent })
