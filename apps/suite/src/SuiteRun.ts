/**
 * One run from an open store to its reports: engine, images, reconcile, scenarios, verdict. Reports are written however it
 * ends, interrupted or not; nothing is made in the engine before the store took its first event.
 */
import { Environment } from "@sbx/core/Environment"
import { type RunEvent, RunEvents } from "@sbx/core/RunEvent"
import * as RunReport from "@sbx/core/RunReport"
import type { Scenario } from "@sbx/core/Scenario"
import * as ScenarioRunner from "@sbx/core/ScenarioRunner"
import * as Watchdog from "@sbx/core/Watchdog"
import { Engine } from "@sbx/engine/Engine"
import * as EngineCapabilities from "@sbx/engine/EngineCapabilities"
import { ImageBuilder } from "@sbx/engine/ImageBuilder"
import { Located } from "@sbx/engine/Located"
import { Journal } from "@sbx/journal/Journal"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { type Services, sidecarRecipe } from "./Composition.ts"
import * as Live from "./internal/liveProgress.ts"
import { probeLabels } from "./internal/probeLabels.ts"
import { recipeOf } from "./internal/recipeOf.ts"
import { concurrency } from "./internal/sandboxRoom.ts"
import { report as reportStep } from "./internal/stepProgress.ts"
import { Progress } from "./Progress.ts"
import * as Recovery from "./Recovery.ts"
import * as Reports from "./reporting/Reports.ts"
import * as Timeline from "./reporting/Timeline.ts"
import type { RunFolder } from "./RunStore.ts"

export interface SuiteRunOptions {
  readonly scenarios: ReadonlyArray<Scenario<Services>>
  readonly seed: string
  /** Working directory, absolute: whose dead runs are cleared. */
  readonly directory: string
  readonly install: boolean
  readonly allowDangerous: boolean
  /** Stop at the first scenario that does not pass. */
  readonly bail: boolean
  /** Called with each scenario that ended, in the order of the journal. */
  readonly onEnded: (one: NonNullable<ReturnType<typeof Live.ended>>) => Effect.Effect<void>
  /** Called with the report once it is written, or could not be; also when the run was interrupted. */
  readonly onReport: (report: RunReport.RunReport) => Effect.Effect<void>
}

/** Fails before anything ran, or because a report could not be written; an interrupt goes on after the reports. */
export const execute = Effect.fn("SuiteRun.execute")(function* (folder: RunFolder, options: SuiteRunOptions) {
  const progress = yield* Progress
  yield* describeEngine
  yield* guard(folder)
  yield* Recovery.atStart({ directory: options.directory, own: yield* Journal })
  yield* ensureImages(options)
  const labels = yield* probeLabels({ run: folder.runId, journalPath: folder.journal })
  const missing = yield* missingCapabilities({ ...options, labels })
  yield* progress.status("")
  yield* folder.started
  const timeline = yield* Timeline.open(folder)
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(restore(Effect.scoped(runScenarios(folder, options, missing, timeline))))
      const report = Exit.isSuccess(exit) && !options.bail ? exit.value : yield* recorded(folder.runId)
      const written = yield* Effect.exit(Effect.flatMap(timeline.read, (read) => Reports.write(folder, report, read)))
      yield* progress.status("")
      yield* options.onReport(report)
      yield* written
      return Exit.isFailure(exit) ? yield* Effect.failCause(exit.cause) : report
    })
  )
})

/** Says which engine is in use, and what its start had to say. */
const describeEngine = Effect.gen(function* () {
  const progress = yield* Progress
  const located = yield* Located
  const { version } = yield* (yield* Engine).info
  yield* progress.status("")
  yield* progress.line(`engine: ${located.kind} ${located.address}, version ${version}`)
  for (const warning of located.warnings) yield* progress.line(warning)
})

/** From here on a kill is followed by a sweep. A run that has no watchdog says so and goes on: the next command clears what is left. */
const guard = Effect.fnUntraced(function* (folder: RunFolder) {
  const progress = yield* Progress
  const watchdog = yield* Watchdog.Watchdog
  const order = yield* Watchdog.orderOf(folder.journal)
  yield* watchdog.guard(order)
  yield* Effect.forkChild(
    Effect.flatMap(watchdog.lost, (reason) =>
      progress.line(`no watchdog: it ${reason}; if this run is killed, \`./sbx reap\` removes what it leaves`)
    )
  )
})

const ensureImages = Effect.fnUntraced(function* ({ scenarios, install }: SuiteRunOptions) {
  const progress = yield* Progress
  const builder = yield* ImageBuilder
  const needed = scenarios.flatMap(({ category, images }) =>
    category === "chaos" ? [...images, sidecarRecipe] : images
  )
  for (const name of new Set(needed)) {
    const recipe = yield* recipeOf(name)
    const { reference, origin } = yield* builder.ensure(recipe, { install, onProgress: reportStep(progress) })
    if (origin !== "present") yield* progress.line(`image ${reference}: ${origin}`)
  }
})

/** Finds out what the engine can do where a scenario asks; it takes seconds. */
export const missingCapabilities = Effect.fnUntraced(function* ({
  scenarios,
  install,
  labels
}: {
  readonly scenarios: ReadonlyArray<Pick<Scenario<unknown>, "needs">>
  readonly install: boolean
  /** Of the containers and volumes that are made to find out. */
  readonly labels?: Readonly<Record<string, string>>
}) {
  if (scenarios.every(({ needs }) => needs.length === 0)) return () => undefined
  const progress = yield* Progress
  const builder = yield* ImageBuilder
  yield* progress.status("finding out what the engine can do")
  const { reference } = yield* builder.ensure(yield* recipeOf("tiny"), { install, onProgress: reportStep(progress) })
  const found = yield* EngineCapabilities.detect({ image: reference, ...(labels === undefined ? {} : { labels }) })
  return (need: string): string | undefined => {
    const capability = found.find(({ name }) => name === need)
    if (capability === undefined) return "no such capability is known"
    return capability.verdict === "pass" ? undefined : capability.found
  }
})

const runScenarios = Effect.fnUntraced(function* (
  folder: RunFolder,
  options: SuiteRunOptions,
  missing: (need: string) => string | undefined,
  timeline: Effect.Success<ReturnType<typeof Timeline.open>>
) {
  const { kind } = yield* Located
  const engine = yield* Engine
  const { maxConcurrentSandboxes } = yield* Environment
  const bad = yield* Deferred.make<void>()
  yield* Effect.forkScoped(Recovery.keep({ directory: options.directory, own: yield* Journal }))
  yield* Effect.forkScoped(timeline.sample)
  const watcher = yield* Effect.forkScoped(watch(folder.runId, options, bad))
  const running = ScenarioRunner.run(options.scenarios, {
    runId: folder.runId,
    seed: options.seed,
    directory: folder.path,
    concurrency: concurrency(maxConcurrentSandboxes),
    allowDangerous: options.allowDangerous || kind === "private",
    missing,
    probe: engine.ping
  })
  const stopped = Effect.andThen(Deferred.await(bad), recorded(folder.runId))
  const report = yield* Effect.raceFirst(running, stopped).pipe(
    // The watcher reads what was written: it ends with the run's last event, also after an interrupt.
    Effect.ensuring(Effect.ignore(Effect.timeout(Fiber.await(watcher), "5 seconds")))
  )
  return report
})

/** Tells of each ended scenario and shows what is going on. */
const watch = Effect.fnUntraced(function* (runId: string, options: SuiteRunOptions, bad: Deferred.Deferred<void>) {
  const progress = yield* Progress
  const journal = yield* Journal
  let live = Live.initial
  const tell = Effect.fnUntraced(function* (event: RunEvent) {
    live = Live.evolve(live, event)
    const ended = Live.ended(event)
    if (ended !== undefined) {
      yield* progress.status("")
      yield* options.onEnded(ended)
      if (options.bail && ended.status !== "skipped" && ended.verdict._tag !== "pass")
        yield* Deferred.succeed(bad, undefined)
    }
    yield* progress.status(Live.status(live))
  })
  yield* RunEvents.events(journal, { stream: RunEvents.stream(runId) }).pipe(
    Stream.map((recorded) => recorded.payload),
    Stream.takeUntil((event) => event._tag === "RunFinished" || event._tag === "RunInterrupted"),
    Stream.runForEach((event) => (event._tag === "UnknownEvent" ? Effect.void : tell(event)))
  )
})

/** The report of what the journal holds. A journal that cannot be read any more is a defect: it was written a moment ago. */
const recorded = Effect.fnUntraced(function* (runId: string) {
  const journal = yield* Journal
  const events = yield* Stream.runCollect(RunEvents.read(journal, RunEvents.stream(runId))).pipe(Effect.orDie)
  return RunReport.fromEvents(events.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload])))
})
