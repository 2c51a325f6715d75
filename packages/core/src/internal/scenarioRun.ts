/** Runs one scenario: scratch directory, seed, timeout, verdict, events. Never fails; what goes wrong is in the verdict. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Random from "effect/Random"
import type { Settings } from "../Environment.ts"
import type { Scenario } from "../Scenario.ts"
import * as Verdict from "../Verdict.ts"
import type { RunRecorder } from "./runRecorder.ts"
import { makeContext, type Notes } from "./scenarioContext.ts"
import { judge, ScenarioTimeout, textOf } from "./scenarioJudge.ts"

export interface RunContext {
  readonly runSeed: string
  /** Directory of the run, absolute. */
  readonly directory: string
  readonly settings: Settings
  readonly judgeBudgets: boolean
  readonly recorder: RunRecorder
  readonly fs: FileSystem
  /** Fails when the engine does not answer any more. */
  readonly probe: Effect.Effect<unknown, unknown>
  /** Set once the engine is gone: the rest of the run cannot be judged. */
  gone: string | undefined
}

export const runScenario = Effect.fnUntraced(function* <R>(run: RunContext, scenario: Scenario<R>) {
  const { name } = scenario
  const hopeless = run.gone ?? (yield* run.recorder.lost)
  if (hopeless !== undefined) return yield* finishUnrun(run.recorder, name, hopeless)
  const startedAt = yield* Clock.currentTimeMillis
  const seed = `${run.runSeed}/${name}`
  const timeout = Duration.fromInputUnsafe(scenario.timeout ?? run.settings.defaultTimeout)
  const timeoutMillis = Duration.toMillis(timeout)
  yield* run.recorder.record({ _tag: "ScenarioStarted", atMillis: startedAt, scenario: name, seed, timeoutMillis })
  const directory = `${run.directory}/scratch/${name}`
  const notes: Notes = { verdicts: [], artefacts: [] }
  const place = {
    scenario: name,
    seed,
    directory,
    artefacts: `${run.directory}/artefacts/${name}`,
    failures: scenario.failures,
    judgeBudgets: run.judgeBudgets
  }
  const context = makeContext(place, run.recorder, run.fs, notes)
  const exit = yield* run.fs
    .makeDirectory(directory, { recursive: true })
    .pipe(
      Effect.andThen(scenario.run(context)),
      Random.withSeed(seed),
      Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(new ScenarioTimeout({ timeoutMillis })) }),
      Effect.exit
    )
  // To end well is no finding: a scenario that judged nothing has shown nothing.
  const ended = exit._tag === "Success" ? [] : [judge(exit, scenario.failures)]
  const said = Verdict.mergeAll([...ended, ...notes.verdicts])
  const verdict = said._tag === "pass" ? said : yield* doubt(run, said)
  const kept = yield* tidy(run, directory, verdict)
  const atMillis = yield* Clock.currentTimeMillis
  yield* run.recorder.record({
    _tag: "ScenarioFinished",
    atMillis,
    scenario: name,
    verdict,
    durationMillis: atMillis - startedAt,
    artefacts: notes.artefacts,
    ...(kept === undefined ? {} : { kept })
  })
})

/** A scenario that could not even be started, and why. */
export const finishUnrun = (recorder: RunRecorder, scenario: string, reason: string) =>
  Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
    recorder.record({
      _tag: "ScenarioFinished",
      atMillis,
      scenario,
      verdict: Verdict.unknown(reason),
      durationMillis: 0,
      artefacts: []
    })
  )

/** Whatever was found on an engine that died meanwhile is no evidence. */
const doubt = (run: RunContext, said: Exclude<Verdict.Verdict, { readonly _tag: "pass" }>) =>
  run.probe.pipe(
    Effect.timeout("10 seconds"),
    Effect.as<Verdict.Verdict>(said),
    Effect.catch((error) =>
      Effect.sync(() => {
        run.gone ??= `the engine went away: ${textOf(error)}`
        return Verdict.unknown(`${run.gone}\nThe scenario had said: ${said.reason}`)
      })
    )
  )

/** Removes the scratch directory, or keeps it and says where. */
const tidy = Effect.fnUntraced(function* (run: RunContext, directory: string, verdict: Verdict.Verdict) {
  if (verdict._tag !== "pass" && !run.settings.cleanupOnFailure) {
    yield* Effect.logWarning(`kept the scratch directory ${directory}`)
    return directory
  }
  yield* Effect.ignore(run.fs.remove(directory, { recursive: true, force: true }))
  return undefined
})
