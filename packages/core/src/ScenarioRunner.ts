/**
 * Runs scenarios and judges the run: every step an event, each scenario within its time, those that measure time alone on the
 * machine. Refuses nothing silently: what is left out is reported with its reason, what cannot be judged is unknown.
 */
import { Journal } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { Environment, type Settings, variables } from "./Environment.ts"
import { makeRecorder, type RunRecorder } from "./internal/runRecorder.ts"
import { finishUnrun, type RunContext, runScenario } from "./internal/scenarioRun.ts"
import { type LockMode, MachineLock } from "./MachineLock.ts"
import * as RunReport from "./RunReport.ts"
import type { Scenario } from "./Scenario.ts"
import * as Verdict from "./Verdict.ts"

export interface RunOptions {
  readonly runId: string
  readonly seed: string
  /** Directory of the run, absolute; scratch and artefacts lie below it. */
  readonly directory: string
  /** Scenarios at the same time, of those that do not measure time. Default 4. */
  readonly concurrency?: number
  /** Whether dangerous scenarios may run: the engine is sbx's private one, or the user allowed it. Default false. */
  readonly allowDangerous?: boolean
  /** False under a test framework: see `ScenarioContext.budget`. Default true. */
  readonly judgeBudgets?: boolean
  /** Why a capability that a scenario needs is not there; nothing when it is. Default: all are there. */
  readonly missing?: (need: string) => string | undefined
  /** Fails when the engine does not answer any more; asked after a scenario that did not pass. */
  readonly probe?: Effect.Effect<unknown, unknown>
}

/**
 * Runs all and resolves to the report, whatever the verdicts. Interrupted, it stops the scenarios, records `RunInterrupted`
 * and interrupts on; the report is then `RunReport.fromEvents` of the journal. Two scenarios of one name are a defect.
 */
export const run = Effect.fn("ScenarioRunner.run")(function* <R>(
  scenarios: ReadonlyArray<Scenario<R>>,
  options: RunOptions
): Effect.fn.Return<RunReport.RunReport, never, R | Journal | Environment | MachineLock | FileSystem> {
  const names = scenarios.map((scenario) => scenario.name)
  if (new Set(names).size < names.length) return yield* Effect.die(new Error("two scenarios have one name"))
  const settings = yield* Environment
  const recorder = makeRecorder(yield* Journal, options.runId)
  const context: RunContext = {
    runSeed: options.seed,
    directory: options.directory,
    settings,
    judgeBudgets: options.judgeBudgets ?? true,
    recorder,
    fs: yield* FileSystem,
    probe: options.probe ?? Effect.void,
    gone: undefined
  }
  const { runId, seed } = options
  const atMillis = yield* Clock.currentTimeMillis
  yield* recorder.record({ _tag: "RunStarted", atMillis, runId, seed, scenarios: names })
  yield* Effect.gen(function* () {
    const chosen = yield* schedule(scenarios, options, settings, recorder)
    const concurrency = options.concurrency ?? 4
    yield* Effect.forEach(chosen.shared, (one) => locked(context, "shared", one), { concurrency, discard: true })
    yield* Effect.forEach(chosen.exclusive, (one) => locked(context, "exclusive", one), { discard: true })
  }).pipe(Effect.onInterrupt(() => interrupted(recorder)))
  return yield* finish(recorder, atMillis)
})

/** Records what is left out and why; the rest is to be run. */
const schedule = Effect.fnUntraced(function* <R>(
  scenarios: ReadonlyArray<Scenario<R>>,
  options: RunOptions,
  settings: Settings,
  recorder: RunRecorder
) {
  const chosen: Array<Scenario<R>> = []
  for (const scenario of scenarios) {
    const { name, exclusive } = scenario
    const atMillis = yield* Clock.currentTimeMillis
    const skip = reasonToSkip(scenario, settings)
    const obstacle = obstacleOf(scenario, options)
    if (skip !== undefined) {
      yield* recorder.record({ _tag: "ScenarioSkipped", atMillis, scenario: name, reason: skip })
    } else if (obstacle !== undefined) {
      yield* finishUnrun(recorder, name, obstacle)
    } else {
      yield* recorder.record({ _tag: "ScenarioScheduled", atMillis, scenario: name, exclusive })
      chosen.push(scenario)
    }
  }
  return { shared: chosen.filter((one) => !one.exclusive), exclusive: chosen.filter((one) => one.exclusive) }
})

const reasonToSkip = (scenario: Scenario<unknown>, settings: Settings): string | undefined => {
  if (scenario.long && settings.skipLongRunningTests) {
    return `it takes more than 5 minutes and ${variables.skipLongRunningTests} is true`
  }
  if (scenario.category === "chaos" && !settings.enableChaosTesting) return `${variables.enableChaosTesting} is false`
  return scenario.category === "monitor" && !settings.enableMetrics ? `${variables.enableMetrics} is false` : undefined
}

const obstacleOf = (scenario: Scenario<unknown>, options: RunOptions): string | undefined => {
  if (scenario.dangerous && options.allowDangerous !== true) {
    return "it puts the engine's host at risk, and this engine is not sbx's private one (--allow-dangerous permits it)"
  }
  for (const need of scenario.needs) {
    const reason = options.missing?.(need)
    if (reason !== undefined) return `it needs ${need}: ${reason}`
  }
  return undefined
}

/** Without the lock an ordinary scenario runs all the same; a measurement that others may disturb says nothing. */
const locked = <R>(context: RunContext, mode: LockMode, scenario: Scenario<R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const lock = yield* MachineLock
      yield* lock.hold(mode)
    }).pipe(
      Effect.matchEffect({
        onSuccess: () => runScenario(context, scenario),
        onFailure: (error) =>
          mode === "shared"
            ? Effect.andThen(Effect.logWarning(error.message), runScenario(context, scenario))
            : finishUnrun(context.recorder, scenario.name, error.message)
      })
    )
  )

const interrupted = (recorder: RunRecorder) =>
  Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
    recorder.record({ _tag: "RunInterrupted", atMillis, reason: "the run was interrupted" })
  )

const finish = Effect.fnUntraced(function* (recorder: RunRecorder, startedAt: number) {
  const atMillis = yield* Clock.currentTimeMillis
  const soFar = RunReport.fromEvents(yield* recorder.events)
  const lost = yield* recorder.lost
  const verdicts = RunReport.counted(soFar)
  const verdict = Verdict.mergeAll(
    lost === undefined ? verdicts : [...verdicts, Verdict.unknown(`the run's journal is incomplete: ${lost}`)]
  )
  yield* recorder.record({ _tag: "RunFinished", atMillis, verdict, durationMillis: atMillis - startedAt })
  return RunReport.fromEvents(yield* recorder.events)
})
