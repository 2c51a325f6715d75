/** The services that a running scenario sees, each call recorded as an event of the run. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { FileSystem } from "effect/FileSystem"
import type { StepOutcome } from "../RunEvent.ts"
import type { ScenarioContext } from "../Scenario.ts"
import * as Verdict from "../Verdict.ts"
import type { RunRecorder } from "./runRecorder.ts"
import { judge } from "./scenarioJudge.ts"

export interface Notes {
  readonly verdicts: Array<Verdict.Verdict>
  readonly artefacts: Array<string>
}

interface Place {
  readonly scenario: string
  readonly seed: string
  readonly directory: string
  readonly artefacts: string
  readonly failures: ReadonlyArray<string>
  readonly judgeBudgets: boolean
}

export const makeContext = (
  place: Place,
  recorder: RunRecorder,
  fs: FileSystem,
  notes: Notes
): ScenarioContext["Service"] => {
  const { scenario } = place
  const finding = (what: string, verdict: Verdict.Verdict) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMillis) => {
      notes.verdicts.push(verdict)
      return recorder.record({ _tag: "FindingRecorded", atMillis, scenario, what, verdict })
    })
  const evidence: ScenarioContext["Service"]["evidence"] = (key, value) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
      recorder.record({ _tag: "EvidenceRecorded", atMillis, scenario, key, value })
    )
  const check: ScenarioContext["Service"]["check"] = (what, holds, facts) =>
    finding(what, holds ? Verdict.pass : Verdict.fail(refutation(what, facts))).pipe(Effect.as(holds))
  return {
    name: scenario,
    seed: place.seed,
    directory: place.directory,
    step: makeStep(place, recorder),
    finding,
    evidence,
    check,
    budget: (what, holds, facts) =>
      place.judgeBudgets
        ? Effect.asVoid(check(what, holds, facts))
        : evidence(`not judged: ${what}`, `${facts.actual}, budget ${facts.expected}`),
    unknown: (reason) => finding(reason, Verdict.unknown(reason)),
    artefact: (fileName, content) => keep(fs, place.artefacts, fileName, content, notes)
  }
}

const refutation = (what: string, facts?: { readonly expected: string; readonly actual: string }) =>
  facts === undefined ? `${what} does not hold` : `${what}: expected ${facts.expected}, found ${facts.actual}`

const makeStep = ({ scenario, failures }: Place, recorder: RunRecorder): ScenarioContext["Service"]["step"] => {
  let count = 0
  return (name, effect) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const ordinal = ++count
        const startedAt = yield* Clock.currentTimeMillis
        yield* recorder.record({ _tag: "StepStarted", atMillis: startedAt, scenario, step: name, ordinal })
        const exit = yield* Effect.exit(restore(effect))
        const atMillis = yield* Clock.currentTimeMillis
        yield* recorder.record({
          _tag: "StepFinished",
          atMillis,
          scenario,
          step: name,
          ordinal,
          ...outcomeOf(exit, failures),
          durationMillis: atMillis - startedAt
        })
        return yield* exit
      })
    )
}

const outcomeOf = (
  exit: Exit.Exit<unknown, unknown>,
  failures: ReadonlyArray<string>
): { readonly outcome: StepOutcome; readonly reason?: string } => {
  const verdict = judge(exit, failures)
  if (verdict._tag === "pass") return { outcome: "ok" }
  return { outcome: Exit.hasInterrupts(exit) ? "interrupted" : "failed", reason: verdict.reason }
}

const fileNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

const keep = Effect.fnUntraced(function* (
  fs: FileSystem,
  directory: string,
  fileName: string,
  content: Uint8Array | string,
  notes: Notes
) {
  if (!fileNamePattern.test(fileName))
    return yield* Effect.die(new Error(`artefact name "${fileName}" is not a file name`))
  const path = `${directory}/${fileName}`
  yield* fs.makeDirectory(directory, { recursive: true })
  yield* typeof content === "string" ? fs.writeFileString(path, content) : fs.writeFile(path, content)
  notes.artefacts.push(path)
  return path
})
