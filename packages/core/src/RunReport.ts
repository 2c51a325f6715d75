/**
 * What a run came to, as a versioned value: a fold of its events, so the report of an interrupted or crashed run is read
 * from its journal. Refuses to call a run passed that did not finish.
 */
import * as Schema from "effect/Schema"
import { type RunEvent, StepOutcome } from "./RunEvent.ts"
import * as Verdict from "./Verdict.ts"

/** Raised when a field changes its meaning. */
export const version = 1

export const StepReport = Schema.Struct({
  name: Schema.String,
  outcome: StepOutcome,
  durationMillis: Schema.Finite,
  reason: Schema.optionalKey(Schema.String)
})

export const ScenarioReport = Schema.Struct({
  name: Schema.String,
  status: Schema.Literals(["finished", "skipped", "unfinished"]),
  /** Of a skipped scenario unknown, and not counted in the run's: it has shown nothing. */
  verdict: Verdict.Verdict,
  reason: Schema.optionalKey(Schema.String),
  seed: Schema.optionalKey(Schema.String),
  startedAtMillis: Schema.optionalKey(Schema.Finite),
  durationMillis: Schema.Finite,
  steps: Schema.Array(StepReport),
  evidence: Schema.Record(Schema.String, Schema.Json),
  findings: Schema.Array(Schema.Struct({ what: Schema.String, verdict: Verdict.Verdict })),
  artefacts: Schema.Array(Schema.String),
  kept: Schema.optionalKey(Schema.String)
})
export type ScenarioReport = typeof ScenarioReport.Type

export const RunReport = Schema.Struct({
  version: Schema.Literal(version),
  runId: Schema.String,
  seed: Schema.String,
  verdict: Verdict.Verdict,
  /** True when it was stopped from outside. */
  interrupted: Schema.Boolean,
  startedAtMillis: Schema.Finite,
  durationMillis: Schema.Finite,
  /** In the order in which they were given. */
  scenarios: Schema.Array(ScenarioReport)
})
export type RunReport = typeof RunReport.Type

const unfinished = (name: string): ScenarioReport => ({
  name,
  status: "unfinished",
  verdict: Verdict.unknown("it did not finish"),
  durationMillis: 0,
  steps: [],
  evidence: {},
  findings: [],
  artefacts: []
})

const initial: RunReport = {
  version,
  runId: "",
  seed: "",
  verdict: Verdict.unknown("the run did not start"),
  interrupted: false,
  startedAtMillis: 0,
  durationMillis: 0,
  scenarios: []
}

/** The report of the events of one run, oldest first. */
export const fromEvents = (events: Iterable<RunEvent>): RunReport => {
  let report = initial
  for (const event of events) report = evolve(report, event)
  return report
}

export const evolve = (report: RunReport, event: RunEvent): RunReport => {
  switch (event._tag) {
    case "RunStarted":
      return {
        ...report,
        runId: event.runId,
        seed: event.seed,
        startedAtMillis: event.atMillis,
        verdict: Verdict.unknown("the run did not finish"),
        scenarios: event.scenarios.map(unfinished)
      }
    case "RunFinished":
      return { ...report, verdict: event.verdict, durationMillis: event.durationMillis }
    case "RunInterrupted":
      return {
        ...report,
        interrupted: true,
        verdict: Verdict.mergeAll([Verdict.unknown(event.reason), ...counted(report)]),
        durationMillis: event.atMillis - report.startedAtMillis
      }
    default:
      return {
        ...report,
        scenarios: report.scenarios.map((one) => (one.name === event.scenario ? withEvent(one, event) : one))
      }
  }
}

/** Verdicts of what was run or should have been. */
export const counted = (report: RunReport): ReadonlyArray<Verdict.Verdict> =>
  report.scenarios.filter((one) => one.status !== "skipped").map((one) => one.verdict)

type ScenarioEvent = Extract<RunEvent, { readonly scenario: string }>

const withEvent = (report: ScenarioReport, event: ScenarioEvent): ScenarioReport => {
  switch (event._tag) {
    case "ScenarioScheduled":
    case "StepStarted":
      return report
    case "ScenarioStarted":
      return { ...report, seed: event.seed, startedAtMillis: event.atMillis }
    case "StepFinished":
      return { ...report, steps: [...report.steps, stepOf(event)] }
    case "EvidenceRecorded":
      return { ...report, evidence: { ...report.evidence, [event.key]: event.value } }
    case "FindingRecorded":
      return { ...report, findings: [...report.findings, { what: event.what, verdict: event.verdict }] }
    case "ScenarioFinished":
      return finished(report, event)
    case "ScenarioSkipped":
      return {
        ...report,
        status: "skipped",
        verdict: Verdict.unknown(`skipped: ${event.reason}`),
        reason: event.reason
      }
  }
}

const stepOf = (event: Extract<RunEvent, { readonly _tag: "StepFinished" }>): typeof StepReport.Type => ({
  name: event.step,
  outcome: event.outcome,
  durationMillis: event.durationMillis,
  ...(event.reason === undefined ? {} : { reason: event.reason })
})

const finished = (
  report: ScenarioReport,
  event: Extract<RunEvent, { readonly _tag: "ScenarioFinished" }>
): ScenarioReport => ({
  ...report,
  status: "finished",
  verdict: event.verdict,
  ...(event.verdict._tag === "pass" ? {} : { reason: event.verdict.reason }),
  durationMillis: event.durationMillis,
  artefacts: event.artefacts,
  ...(event.kept === undefined ? {} : { kept: event.kept })
})
