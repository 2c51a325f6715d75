/**
 * The second half of a fault's life: revert with a time limit and retries, then proof that it is reverted, each on record. It runs
 * in a fiber of its own: an interrupted one cannot wait for anything, and a timeout cannot end an uninterruptible call.
 */
import type { AppendError } from "@sbx/journal/Journal"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { UndoPlan } from "@sbx/core/UndoPlan"
import type { EngineError } from "@sbx/engine/EngineError"
import type { Evidence } from "../Evidence.ts"
import type { Fault } from "../Fault.ts"
import type { ProofError } from "../FaultError.ts"
import { NotProven, RevertFailed } from "../FaultError.ts"
import type { Control, FaultKind, FaultRun, FaultTools } from "../FaultKind.ts"
import type { FaultRecord } from "./faultRecord.ts"

const tries = 3

export interface Undoing<F extends Fault, C extends Control> {
  readonly kind: FaultKind<F, C>
  readonly tools: FaultTools
  readonly run: FaultRun<F>
  readonly record: FaultRecord
  readonly control: C
}

/** Resolves to the evidence that it is over. `RevertFailed`: something is left; any other failure: only the proof is missing. */
export const undo = <F extends Fault, C extends Control>(
  life: Undoing<F, C>
): Effect.Effect<ReadonlyArray<Evidence>, RevertFailed | ProofError> =>
  Effect.flatMap(Effect.forkDetach(revertAndProve(life)), Fiber.join)

const revertAndProve = Effect.fnUntraced(function* <F extends Fault, C extends Control>(life: Undoing<F, C>) {
  const { control, kind, record, run, tools } = life
  const reverted = yield* Effect.exit(revert(life))
  if (Exit.isFailure(reverted)) {
    const failed = asRevertFailed(life, reverted.cause)
    yield* noted(record.append({ _tag: "FaultRevertFailed", residue: failed.residue, reason: failed.detail }))
    return yield* failed
  }
  yield* noted(record.append({ _tag: "FaultReverted", by: "injector" }))
  const proven = yield* Effect.exit(kind.proveReverted(tools, run, control))
  if (Exit.isSuccess(proven)) {
    yield* noted(record.append({ _tag: "FaultRevertProven", evidence: proven.value }))
    return proven.value
  }
  const error = Option.getOrUndefined(Cause.findErrorOption(proven.cause))
  const evidence = error instanceof NotProven ? error.evidence : []
  yield* noted(record.append({ _tag: "FaultRevertNotProven", evidence, reason: messageOf(proven.cause) }))
  return yield* Effect.failCause(proven.cause)
})

const revert = <F extends Fault, C extends Control>({ control, kind, run, tools }: Undoing<F, C>) =>
  kind.revert(tools, run, control).pipe(
    Effect.timeoutOrElse({
      duration: tools.timing.revertMillis,
      orElse: () => Effect.fail(new RevertTimeout(tools.timing.revertMillis))
    }),
    Effect.retry({ times: tries - 1, schedule: Schedule.spaced("200 millis") })
  )

class RevertTimeout {
  readonly millis: number
  constructor(millis: number) {
    this.millis = millis
  }
}

/** Whatever went wrong, what may be left is what the undo plan would have removed. */
const asRevertFailed = <F extends Fault, C extends Control>(
  { control, kind, run, tools }: Undoing<F, C>,
  cause: Cause.Cause<RevertFailed | EngineError | RevertTimeout>
): RevertFailed => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error instanceof RevertFailed) return error
  const detail = error instanceof RevertTimeout ? `no answer within ${error.millis} ms` : messageOf(cause)
  return new RevertFailed({ fault: kind.tag, residue: residueOf(kind.undo(tools, run, control)), detail })
}

const residueOf = (plan: UndoPlan): ReadonlyArray<string> =>
  plan.steps.map((step) => `${step._tag} ${step.containerId}`)

/** A journal that refuses must not keep a revert from running. */
export const noted = (append: Effect.Effect<void, AppendError>): Effect.Effect<void> =>
  append.pipe(Effect.catch((error) => Effect.logError("Could not record a fault's event", error)))

/** First line of an error's sentence, or of a defect. */
export const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? ""
}
