/** A run with one scenario of each kind, as the fold of its events. */
import type { RunEvent } from "@sbx/core/RunEvent"
import * as RunReport from "@sbx/core/RunReport"
import * as Verdict from "@sbx/core/Verdict"

const at = 1_700_000_000_000
const names = ["a/passes", "a/fails", "b/unknown", "b/skipped", "b/unfinished"] as const

const finished = (scenario: string, verdict: Verdict.Verdict, durationMillis: number): RunEvent => ({
  _tag: "ScenarioFinished",
  atMillis: at + 2000,
  scenario,
  verdict,
  durationMillis,
  artefacts: []
})

export const events: ReadonlyArray<RunEvent> = [
  { _tag: "RunStarted", atMillis: at, runId: "run_sample", seed: "42", scenarios: names },
  { _tag: "ScenarioStarted", atMillis: at + 10, scenario: "a/passes", seed: "42/a/passes", timeoutMillis: 30_000 },
  {
    _tag: "StepFinished",
    atMillis: at + 500,
    scenario: "a/passes",
    step: "start",
    ordinal: 1,
    outcome: "ok",
    durationMillis: 480
  },
  {
    _tag: "EvidenceRecorded",
    atMillis: at + 510,
    scenario: "a/passes",
    key: "startMillis",
    value: { mean: 212.3456, p95: 260 }
  },
  { _tag: "FindingRecorded", atMillis: at + 520, scenario: "a/passes", what: "it starts", verdict: Verdict.pass },
  finished("a/passes", Verdict.pass, 1234),
  {
    _tag: "EvidenceRecorded",
    atMillis: at + 1500,
    scenario: "a/fails",
    key: "said",
    value: 'bell \u0007, escape \u001b[31m, nul \u0000, lone \ud800, <tag> & "quotes"'
  },
  finished("a/fails", Verdict.fail("expected 1 | 2,\nfound \u001b[31m3\u001b[0m"), 400),
  finished("b/unknown", Verdict.unknown("no engine answered"), 0),
  { _tag: "ScenarioSkipped", atMillis: at + 2000, scenario: "b/skipped", reason: "it takes long" },
  { _tag: "RunFinished", atMillis: at + 2500, verdict: Verdict.fail("expected 1 | 2"), durationMillis: 2500 }
]

export const sample = RunReport.fromEvents(events)
