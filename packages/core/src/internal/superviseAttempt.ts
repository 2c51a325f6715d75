/** One restart or recreation: attempted, done or not, on record either way. Recovered means running, by the engine's own word. */
import type { AppendError } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { CommandNotFound } from "../Exec.ts"
import { classify } from "../FailureClass.ts"
import type { Decision, RecoveryPolicy } from "../Recovery.ts"
import type { OutcomeEvent } from "../SandboxEvent.ts"
import { refresh, type SandboxContext } from "./execStart.ts"
import { start } from "./sandboxBirth.ts"
import * as Changes from "./sandboxChanges.ts"
import type { Internals } from "./sandboxInternals.ts"
import { replace, settleCreate } from "./sandboxReplace.ts"
import type { Failure } from "./superviseSigns.ts"

export interface Attempt {
  readonly internals: Internals
  readonly policy: RecoveryPolicy
  readonly decision: Decision
  readonly failure: Failure
}

/** Times of a recovery that came about. */
export interface Recovered {
  readonly recoveredAtMillis: number
  readonly downMillis: number
}

/** Fails with the failure that the attempt itself is. */
export const attempt = Effect.fnUntraced(function* (work: Attempt): Effect.fn.Return<Recovered, Failure> {
  const { context } = work.internals
  const { decision, attempt: number } = work.decision
  const about = { attempt: number, decision }
  yield* report(context, (atMillis) => ({ _tag: "RecoveryAttempted", atMillis, ...about }))
  const before = context.recorder.state().startedAtMillis ?? 0
  const outcome = yield* act(work).pipe(
    Effect.timeoutOrElse({
      duration: work.policy.attemptTimeout,
      orElse: () => Effect.fail({ message: `no end within ${lengthOf(work.policy.attemptTimeout)}` })
    }),
    Effect.result
  )
  const { startedAtMillis } = context.recorder.state()
  if (Result.isSuccess(outcome) && startedAtMillis !== undefined && startedAtMillis > before) {
    const { failedAtMillis } = work.failure
    const recoveredAtMillis = startedAtMillis
    const downMillis = recoveredAtMillis - failedAtMillis
    const times = { failedAtMillis, recoveredAtMillis, downMillis }
    const workspaceKept = decision === "restart" ? context.spec.workspace.kind === "disk" : work.policy.keepWorkspace
    yield* report(context, (atMillis) => ({ _tag: "Recovered", atMillis, ...about, ...times, workspaceKept }))
    return { recoveredAtMillis, downMillis }
  }
  const error = Result.isFailure(outcome) ? outcome.failure : { message: "the engine shows no new start" }
  yield* settle(work.internals, error.message)
  yield* report(context, (atMillis) => ({ _tag: "RecoveryFailed", atMillis, ...about, reason: error.message }))
  return yield* Effect.fail({
    failure: classify({
      sign: "start-failed",
      detail: error.message,
      ...(error instanceof CommandNotFound ? { refusal: error.reason } : {})
    }),
    failedAtMillis: work.failure.failedAtMillis,
    ranMillis: undefined,
    exitCode: undefined,
    oomKills: 0
  })
})

const lengthOf = (input: Duration.Input) => Duration.format(Duration.fromInputUnsafe(input))

/** What is still running is ended first; a container that is gone can only be made again. */
const act = Effect.fnUntraced(function* ({ internals, policy, decision }: Attempt) {
  const { context } = internals
  const { status } = context.recorder.state()
  if (status === "running" || status === "paused" || status === "stopping") {
    yield* Changes.stop(context, { grace: policy.stopGrace })
  }
  if (decision.decision === "recreate") return yield* replace(internals, policy.keepWorkspace)
  const identity = { recorder: context.recorder, sandboxId: context.id }
  yield* start(context.engine, identity, context.containerId(), context.spec)
})

/** An attempt that was cut short leaves its last step without outcome: the engine is asked, so that another can follow. */
const settle = Effect.fnUntraced(function* (internals: Internals, reason: string) {
  const { context } = internals
  yield* Effect.ignore(refresh(context))
  if (context.recorder.state().status === "creating") yield* Effect.ignore(settleCreate(internals))
  if (context.recorder.state().status === "starting") {
    yield* report(context, (atMillis) => ({ _tag: "StartFailed", atMillis, reason }))
  }
})

/** A fact that cannot be recorded is no reason to leave a sandbox down. */
export const report = (context: SandboxContext, outcome: (atMillis: number) => OutcomeEvent): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (atMillis): Effect.Effect<void, AppendError> =>
    context.recorder.report(outcome(atMillis))
  ).pipe(Effect.ignore({ log: "Warn" }))
