/**
 * What earlier runs left is cleared before anything new is made: objects of dead owners removed, their journals closed, their
 * faults undone. A live neighbour's objects are never touched (the reconciler's rule).
 */
import { pendingUndos } from "@sbx/chaos/FailureEvent"
import { Reconciler, type ReconcileReport } from "@sbx/core/Reconciler"
import type { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import { Progress } from "./Progress.ts"

export interface RecoveryOptions {
  /** Absolute; the runs of this directory are looked through, and every journal that an object names. */
  readonly directory: string
  /** Of the run that is going on. */
  readonly own?: Journal["Service"]
}

const optionsOf = ({ directory, own }: RecoveryOptions) => ({
  runDirectories: [`${directory}/.sbx/runs`],
  pendingUndos,
  ...(own === undefined ? {} : { own })
})

/** `2 objects removed, 1 stream settled`; nothing when there was nothing to do. */
export const summary = ({ removed, settled, undone }: ReconcileReport): string | undefined => {
  const parts = [
    [removed.length, "object", "removed"],
    [settled.length, "stream", "settled"],
    [undone.length, "fault", "undone"]
  ] as const
  const said = parts.flatMap(([n, noun, verb]) => (n === 0 ? [] : [`${n} ${noun}${n === 1 ? "" : "s"} ${verb}`]))
  return said.length === 0 ? undefined : said.join(", ")
}

/** Reconciles now. What could not be cleared is in the report's `failures`. */
export const reap = Effect.fn("Recovery.reap")(function* (
  options: RecoveryOptions & { readonly dryRun: boolean; readonly settle: boolean }
) {
  const { dryRun, settle } = options
  return yield* (yield* Reconciler).reconcile({ ...optionsOf(options), dryRun, settle })
})

/** Reconciles what is left on this machine only: journals wait for an engine to ask. */
export const reapMachine = Effect.fn("Recovery.reapMachine")(function* (dryRun: boolean) {
  return yield* (yield* Reconciler).reconcile({ dryRun })
})

/** One report of several. */
export const together = (dryRun: boolean, reports: ReadonlyArray<ReconcileReport>): ReconcileReport => ({
  dryRun,
  objects: reports.flatMap(({ objects }) => objects),
  inDoubt: reports.flatMap(({ inDoubt }) => inDoubt),
  removed: reports.flatMap(({ removed }) => removed),
  settled: reports.flatMap(({ settled }) => settled),
  undone: reports.flatMap(({ undone }) => undone),
  foreign: reports.flatMap(({ foreign }) => foreign),
  failures: reports.flatMap(({ failures }) => failures)
})

/** Reconciles at the start of a command, and says so in one line where there was something to do. */
export const atStart = Effect.fn("Recovery.atStart")(function* (options: RecoveryOptions) {
  const progress = yield* Progress
  const report = yield* reap({ ...options, dryRun: false, settle: false })
  const said = summary(report)
  if (said !== undefined) yield* progress.line(`after dead runs: ${said}`)
  for (const failure of report.failures) yield* progress.line(`not cleared: ${failure}`)
})

/** Reconciles all the time, until interrupted. */
export const keep = Effect.fn("Recovery.keep")(function* (options: RecoveryOptions) {
  return yield* (yield* Reconciler).keepReconciled(optionsOf(options))
})
