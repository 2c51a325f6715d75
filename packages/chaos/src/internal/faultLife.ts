/**
 * The life of one fault: claim, preflight, control, durable intent, inject, prove, hold, revert, prove reverted. From the intent
 * on the revert runs whatever happens: failure, interruption, a closed scope.
 */
import type { AppendError } from "@sbx/journal/Journal"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Evidence } from "../Evidence.ts"
import type { EndReason } from "../FailureEvent.ts"
import type { FaultReport, FaultStatus } from "../FaultHandle.ts"
import type { Fault } from "../Fault.ts"
import { paramsOf } from "../Fault.ts"
import type { FaultFailure, PrepareError, ProofError, StartError } from "../FaultError.ts"
import { NotProven, RevertFailed } from "../FaultError.ts"
import type { Control, FaultKind, FaultRun, FaultTools } from "../FaultKind.ts"
import type { Claims } from "./claims.ts"
import type { FaultRecord } from "./faultRecord.ts"
import { messageOf, noted, undo } from "./faultUndo.ts"
import { refuseOthers } from "./sidecar.ts"

export interface Signals {
  readonly status: SubscriptionRef.SubscriptionRef<FaultStatus>
  /** Done when the intent is on record, or with why there is none. */
  readonly started: Deferred.Deferred<void, StartError>
  readonly active: Deferred.Deferred<ReadonlyArray<Evidence>, FaultFailure>
  readonly stop: Deferred.Deferred<void>
  readonly ended: Deferred.Deferred<FaultReport, FaultFailure>
}

export interface Life<F extends Fault, C extends Control> {
  readonly kind: FaultKind<F, C>
  readonly tools: FaultTools
  readonly run: FaultRun<F>
  readonly claims: Claims
  readonly record: FaultRecord
  readonly signals: Signals
  /** Runs when all is over and before anybody is told. */
  readonly forget: Effect.Effect<void>
}

type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** Runs it to its end. Never fails: what became of it is in the signals and in the journal. */
export const live = <F extends Fault, C extends Control>(life: Life<F, C>): Effect.Effect<void> => {
  const { claims, kind, run } = life
  const { containerId, name } = run.target
  const claim = claims.acquire({ fault: kind.tag, faultId: run.faultId, containerId, name, claim: kind.claim })
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(claim), (claimed) =>
      Exit.isFailure(claimed)
        ? refuse(life, claimed.cause)
        : Effect.ensuring(claimedLife(life, restore), claimed.value.release)
    )
  )
}

const claimedLife = Effect.fnUntraced(function* <F extends Fault, C extends Control>(
  life: Life<F, C>,
  restore: Restore
) {
  const prepared = yield* Effect.exit(restore(prepare(life)))
  if (Exit.isFailure(prepared)) return yield* refuse(life, prepared.cause)
  const control = prepared.value
  const intended = yield* Effect.exit(intend(life, control))
  if (Exit.isFailure(intended)) return yield* refuse(life, intended.cause)
  yield* Deferred.succeed(life.signals.started, undefined)

  const body = yield* Effect.exit(restore(untilStopped(life, bite(life, control))))
  if (Exit.isFailure(body)) yield* recordBroken(life, body.cause)
  const undone = life.kind.reversible ? yield* Effect.exit(undo({ ...life, control })) : Exit.succeed([])
  yield* finish(life, body, undone)
})

/** Nothing was changed: the caller gets the reason. */
const refuse = Effect.fnUntraced(function* <F extends Fault, C extends Control>(
  { forget, signals }: Life<F, C>,
  cause: Cause.Cause<StartError>
) {
  yield* forget
  yield* SubscriptionRef.set(signals.status, { _tag: "Failed", reason: messageOf(cause) })
  yield* Deferred.failCause(signals.started, cause)
  yield* Deferred.failCause(signals.active, cause)
  yield* Deferred.failCause(signals.ended, cause)
})

/** Up to its end nothing in the world has changed but what the preflight made and removed. */
const prepare = Effect.fnUntraced(function* <F extends Fault, C extends Control>({ kind, run, tools }: Life<F, C>) {
  const { containerId, name } = run.target
  yield* kind.preflight(tools, run)
  if (kind.reversible)
    yield* refuseOthers(tools, { fault: kind.tag, targetId: containerId, targetName: name, claim: kind.claim })
  return yield* kind.snapshot(tools, run)
})

const intend = <F extends Fault, C extends Control>({ kind, record, run, tools }: Life<F, C>, control: C) => {
  const { containerId, name } = run.target
  return record.append({
    _tag: "FaultIntended",
    kind: kind.tag,
    params: paramsOf(run.fault),
    target: { containerId, name },
    rung: control.rung,
    durationMillis: run.durationMillis,
    control: control.measurements,
    undo: kind.undo(tools, run, control)
  })
}

/** Injects, proves, holds. Resolves to the evidence once the time is over. */
const bite = Effect.fnUntraced(function* <F extends Fault, C extends Control>(
  { kind, record, run, signals, tools }: Life<F, C>,
  control: C
): Effect.fn.Return<EndReason, PrepareError | ProofError | AppendError> {
  yield* kind.inject(tools, run, control)
  yield* record.append({ _tag: "FaultInjected" })
  const evidence = yield* kind.prove(tools, run, control)
  yield* record.append({ _tag: "FaultProven", evidence })
  yield* SubscriptionRef.set(signals.status, { _tag: "Active", evidence })
  yield* Deferred.succeed(signals.active, evidence)
  if (!kind.reversible) return "irreversible"
  yield* Effect.sleep(run.durationMillis)
  yield* kind.confirm(tools, run, control)
  return "duration"
})

/** A stop may come before the proof; it then ends the fault unproved. */
const untilStopped = <F extends Fault, C extends Control, E>(
  { signals }: Life<F, C>,
  body: Effect.Effect<EndReason, E>
): Effect.Effect<EndReason, E> => Effect.raceFirst(body, Effect.as(Deferred.await(signals.stop), "stopped" as const))

/** An interruption is no failure: the fault ends early and is reverted. */
const recordBroken = Effect.fnUntraced(function* <F extends Fault, C extends Control>(
  { record }: Life<F, C>,
  cause: Cause.Cause<PrepareError | ProofError | AppendError>
) {
  if (Cause.hasInterruptsOnly(cause)) return
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error instanceof NotProven) {
    const { detail: reason, evidence, phase } = error
    yield* noted(record.append({ _tag: "FaultNotProven", evidence, phase, reason }))
  } else yield* noted(record.append({ _tag: "FaultFailed", reason: messageOf(cause) }))
})

/** The worst news wins: something left, then what broke first, then a missing proof of the revert, then the plain end. */
const finish = Effect.fnUntraced(function* <F extends Fault, C extends Control>(
  { forget, kind, record, run, signals }: Life<F, C>,
  body: Exit.Exit<EndReason, PrepareError | ProofError | AppendError>,
  undone: Exit.Exit<ReadonlyArray<Evidence>, RevertFailed | ProofError>
) {
  const interrupted = Exit.isFailure(body) && Cause.hasInterruptsOnly(body.cause)
  const reason = Exit.isSuccess(body) ? body.value : interrupted ? "interrupted" : "failed"
  const broken = Exit.isFailure(body) && !interrupted ? body.cause : undefined
  const undoing = Exit.isFailure(undone) ? undone.cause : undefined
  const left = undoing !== undefined && Cause.squash(undoing) instanceof RevertFailed
  const failure: Cause.Cause<FaultFailure> | undefined = left ? undoing : (broken ?? undoing)
  // With something left the stream stays open: a reconciler has to finish it.
  if (!left)
    yield* noted(
      record.append({ _tag: "FaultEnded", reason: failure === undefined ? reason : "failed" }, { closes: true })
    )
  yield* forget
  const proof = yield* Deferred.poll(signals.active)
  const evidence = proof._tag === "Some" ? yield* Effect.orElseSucceed(proof.value, () => []) : []
  if (proof._tag === "None") {
    const detail = `it ended before it was proved (${reason})`
    const early = new NotProven({ fault: kind.tag, phase: "inject", evidence: [], detail })
    yield* Deferred.failCause(signals.active, failure ?? Cause.fail(early))
  }
  if (failure !== undefined) {
    yield* SubscriptionRef.set(signals.status, { _tag: "Failed", reason: messageOf(failure) })
    yield* Deferred.failCause(signals.ended, failure)
    return
  }
  yield* SubscriptionRef.set(signals.status, { _tag: "Ended", reason })
  const revertEvidence = Exit.isSuccess(undone) ? undone.value : []
  yield* Deferred.succeed(signals.ended, { faultId: run.faultId, reason, evidence, revertEvidence })
})
