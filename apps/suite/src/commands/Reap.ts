/** `sbx reap`: removes what dead runs left in the engine and on the machine; with `--dry-run` only lists it. */
import { ReconcileReport } from "@sbx/core/Reconciler"
import * as Verdict from "@sbx/core/Verdict"
import type { EngineEndpoint } from "@sbx/engine/Engine"
import { EngineLocator } from "@sbx/engine/EngineLocator"
import { PrivateEngine } from "@sbx/engine/PrivateEngine"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import { Command, Flag } from "effect/cli"
import * as Composition from "../Composition.ts"
import { ExitStatus } from "../ExitStatus.ts"
import * as benchRemains from "../internal/benchRemains.ts"
import { json } from "../internal/flags.ts"
import { printable } from "../internal/printable.ts"
import { report as reportStep } from "../internal/stepProgress.ts"
import { strayEngines } from "../internal/strayState.ts"
import { Output } from "../Output.ts"
import { Progress } from "../Progress.ts"
import * as Recovery from "../Recovery.ts"

const lines = (report: ReconcileReport): string => {
  const { dryRun, objects, inDoubt, foreign, failures } = report
  const verb = dryRun ? "would remove" : "removed"
  const gone = dryRun ? objects.map(({ kind, name, reason }) => `${kind} ${name}: ${reason}`) : report.removed
  return printable(
    [
      ...gone.map((what) => `${verb} ${what}`),
      ...report.undone.map((id) => `${dryRun ? "would undo" : "undid"} fault ${id}`),
      ...inDoubt.map(({ stream, journalPath }) => `in doubt: ${stream} of ${journalPath} may still be created`),
      ...foreign.map(({ kind, name }) => `left alone: ${kind} ${name} belongs to another machine or boot`),
      ...failures.map((failure) => `not cleared: ${failure}`),
      dryRun ? `${objects.length} objects of dead runs` : (Recovery.summary(report) ?? "nothing to remove")
    ].join("\n")
  )
}

const reapAt = (dryRun: boolean, endpoint: EngineEndpoint) =>
  Recovery.reap({ directory: process.cwd(), dryRun, settle: true }).pipe(
    Effect.provide(Composition.recoveryOf(endpoint))
  )

/** Leases and images of engines that are no more. Where there are none, nothing is made to look into. */
const reapMachine = Effect.fnUntraced(function* (dryRun: boolean) {
  const reports = yield* Effect.forEach(yield* strayEngines, (id) =>
    Recovery.reapMachine(dryRun).pipe(Effect.provide(Composition.recoveryWithout(id)))
  )
  return Recovery.together(dryRun, reports)
})

/** Never takes packages: where no engine was ever installed, nothing of ours can be in one. A stopped one is started to look. */
const reapAnywhere = Effect.fnUntraced(function* (dryRun: boolean) {
  const progress = yield* Progress
  const { kind, address, tries } = yield* (yield* EngineLocator).locate()
  if (kind !== "private") return yield* reapAt(dryRun, { kind, address })
  for (const { what, why } of tries.filter(({ why }) => why !== "reachable" && !why.startsWith("no-socket"))) {
    yield* progress.line(`not looked at: ${what}: ${why}`)
  }
  const engine = yield* PrivateEngine
  const known = (yield* engine.status).running || (yield* (yield* FileSystem).exists(engine.home))
  if (!known) return yield* reapMachine(dryRun)
  const leased = engine.lease({ install: false, onProgress: reportStep(progress) })
  return yield* Effect.andThen(leased, reapAt(dryRun, { kind, address })).pipe(
    Effect.catchTag("InstallRefused", () => reapMachine(dryRun))
  )
})

/** After the engine's objects, which hold the devices. */
const withBenchmarks = Effect.fnUntraced(function* (report: ReconcileReport) {
  const { removed, failures } = yield* benchRemains.sweep(process.cwd())
  return { ...report, removed: [...report.removed, ...removed], failures: [...report.failures, ...failures] }
})

export const reap = Command.make(
  "reap",
  {
    json,
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Remove nothing"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* (input) {
    const reaped = yield* reapAnywhere(input.dryRun).pipe(Effect.scoped, Effect.provide(Composition.enginesAsTheyAre))
    const report = input.dryRun ? reaped : yield* withBenchmarks(reaped)
    const output = yield* Output
    if (input.json) yield* output.json(ReconcileReport, report)
    else yield* output.print(lines(report))
    if (report.failures.length > 0) yield* (yield* ExitStatus).set(Verdict.exitCodes.unknown)
  })
).pipe(Command.withDescription("Remove what dead runs left behind"))
