/** `sbx reap`: removes what dead runs left in the engine and on the machine; with `--dry-run` only lists it. */
import { ReconcileReport } from "@sbx/core/Reconciler"
import * as Verdict from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import { Command, Flag } from "effect/cli"
import * as Composition from "../Composition.ts"
import { ExitStatus } from "../ExitStatus.ts"
import { json } from "../internal/flags.ts"
import { printable } from "../internal/printable.ts"
import { Output } from "../Output.ts"
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
    // Never takes packages: where no engine was ever installed, nothing of ours can be in one.
    const report = yield* Recovery.reap({ directory: process.cwd(), dryRun: input.dryRun, settle: true }).pipe(
      Effect.provide(Composition.recovery({ install: false }))
    )
    const output = yield* Output
    if (input.json) yield* output.json(ReconcileReport, report)
    else yield* output.print(lines(report))
    if (report.failures.length > 0) yield* (yield* ExitStatus).set(Verdict.exitCodes.unknown)
  })
).pipe(Command.withDescription("Remove what dead runs left behind"))
