/**
 * Brings a sandbox back when it fails unasked: by a policy for each class of failure, with delays and a budget. Every decision is
 * a recorded fact. Refuses to act on what its user did on purpose, and to guess: the engine's inspect decides.
 */
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import type { JournalUnavailable } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Record from "effect/Record"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { FailureClass } from "./FailureClass.ts"
import { describe } from "./FailureClass.ts"
import * as HealthCheck from "./HealthCheck.ts"
import { type Alarm, runChecks } from "./internal/healthRun.ts"
import { type Internals, internalsOf } from "./internal/sandboxInternals.ts"
import { attempt, report } from "./internal/superviseAttempt.ts"
import {
  awaitFailure,
  type Failure,
  listen,
  makeWitness,
  stillFailed,
  type Witness
} from "./internal/superviseSigns.ts"
import * as Recovery from "./Recovery.ts"
import { type FailureKind, type RecoveryDecision, type SandboxEvent, SandboxEvents } from "./SandboxEvent.ts"
import type { Sandbox } from "./SandboxHandle.ts"

/** The policy cannot be kept for this sandbox. */
export class SupervisionUnsupported extends Schema.TaggedError<SupervisionUnsupported>()("SupervisionUnsupported", {
  sandboxId: Schema.String,
  reason: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not supervise sandbox ${this.sandboxId}: ${this.reason}.\nUse a disk workspace and a sandbox made by Sandboxes, or set keepWorkspace to false.`
  }
}

/** The policy or its checks make no sense. All issues are listed. */
export class InvalidSupervision extends Schema.TaggedError<InvalidSupervision>()("InvalidSupervision", {
  sandboxId: Schema.String,
  issues: Schema.Array(Schema.String)
}) {
  readonly retryable = false
  override get message() {
    return `Could not supervise sandbox ${this.sandboxId}: ${this.issues.join("; ")}.\nCorrect the named values.`
  }
}

export interface SuperviseOptions extends Partial<Omit<Recovery.RecoveryPolicy, "actions">> {
  /** What differs from the defaults. */
  readonly actions?: Partial<Readonly<Record<FailureKind, Recovery.Action>>>
  readonly checks?: ReadonlyArray<HealthCheck.HealthCheck>
}

/** One failure that was recovered from. */
export interface RecoveryRecord {
  readonly attempt: number
  readonly decision: RecoveryDecision
  readonly failure: FailureClass
  readonly reason: string
  /** `State.FinishedAt` of the end; for other failures than an end, when it was first noticed, by our clock. */
  readonly failedAtMillis: number
  /** `State.StartedAt` of the new run. */
  readonly recoveredAtMillis: number
  readonly downMillis: number
}

export interface Supervision {
  readonly status: "watching" | "recovering" | "given-up" | "ended"
  readonly recoveries: ReadonlyArray<RecoveryRecord>
  /** The newest one. */
  readonly failure: FailureClass | undefined
  readonly decision: Recovery.Decision | undefined
  /** By the name of the check, as of its newest look at the present run. */
  readonly health: Readonly<Record<string, HealthCheck.HealthReport>>
}

/** Watched over and every readiness check healthy. */
export const isReady = ({ status, health }: Supervision): boolean =>
  status === "watching" &&
  Object.values(health).every((check) => check.role !== "readiness" || check.status === "healthy")

export interface Supervised {
  readonly current: Effect.Effect<Supervision>
  /** The present state, then each change. */
  readonly changes: Stream.Stream<Supervision>
}

export type SuperviseError = SupervisionUnsupported | InvalidSupervision | JournalUnavailable | EventUndecodable

/**
 * Until the scope closes, the sandbox is removed, or the policy gives up. One supervisor a sandbox. Budget and delays go on from
 * what the sandbox's events tell of earlier supervisors.
 */
export const supervise = Effect.fn("Supervisor.supervise")(function* (
  sandbox: Sandbox,
  { actions, checks = [], ...options }: SuperviseOptions = {}
): Effect.fn.Return<Supervised, SuperviseError, Scope.Scope> {
  const policy = { ...Recovery.defaults, ...options, actions: { ...Recovery.defaults.actions, ...actions } }
  const issues = [...Recovery.issuesOf(policy), ...HealthCheck.issuesOf(checks)]
  if (issues.length > 0) return yield* new InvalidSupervision({ sandboxId: sandbox.id, issues })
  const internals = internalsOf(sandbox)
  const refuse = (reason: string) => new SupervisionUnsupported({ sandboxId: sandbox.id, reason })
  if (internals === undefined) return yield* refuse("it was not made by Sandboxes in this process")
  if (policy.keepWorkspace && sandbox.spec.workspace.kind === "memory") {
    return yield* refuse("its workspace is in memory and empty after a restart")
  }
  const ref = yield* SubscriptionRef.make<Supervision>({
    status: "watching",
    recoveries: [],
    failure: undefined,
    decision: undefined,
    health: initialHealth(checks)
  })
  const watch: Watch = {
    sandbox,
    internals,
    policy,
    checks,
    ref,
    witness: yield* makeWitness,
    alarms: yield* Queue.sliding<Alarm>(checks.length + 1),
    history: yield* readHistory(internals, policy)
  }
  yield* Effect.forkScoped(Effect.tapDefect(run(watch), (defect) => Effect.logError(defect)))
  return { current: SubscriptionRef.get(ref), changes: SubscriptionRef.changes(ref) }
})

interface Watch {
  readonly sandbox: Sandbox
  readonly internals: Internals
  readonly policy: Recovery.RecoveryPolicy
  readonly checks: ReadonlyArray<HealthCheck.HealthCheck>
  readonly ref: SubscriptionRef.SubscriptionRef<Supervision>
  readonly witness: Witness
  readonly alarms: Queue.Queue<Alarm>
  /** Only the one fiber that watches changes it. */
  history: Recovery.RecoveryHistory
}

const initialHealth = (checks: ReadonlyArray<HealthCheck.HealthCheck>): Supervision["health"] =>
  Object.fromEntries(
    checks.map(({ name, role }) => [
      name,
      { role, status: "unknown", flapping: false, detail: "not looked yet", startedAtMillis: undefined }
    ])
  )

const readHistory = ({ journal, context }: Internals, policy: Recovery.RecoveryPolicy) =>
  SandboxEvents.read(journal, context.recorder.stream).pipe(
    Stream.runFold(
      () => Recovery.noHistory,
      (history, { payload }) => (payload._tag === "UnknownEvent" ? history : Recovery.evolve(policy, history, payload))
    )
  )

const set = ({ ref }: Watch, change: Partial<Supervision>) =>
  SubscriptionRef.update(ref, (before): Supervision => ({ ...before, ...change }))

/** Events, checks and the watch live and end together. */
const run = (watch: Watch) => {
  const { internals, sandbox, alarms, ref, checks } = watch
  const looker = { context: internals.context, sandbox }
  const publish = (name: string, health: HealthCheck.HealthReport) =>
    SubscriptionRef.update(ref, (before) => ({ ...before, health: { ...before.health, [name]: health } }))
  return Effect.gen(function* () {
    yield* Effect.forkScoped(listen(internals.context, watch.witness))
    yield* Effect.forkScoped(runChecks({ looker, alarms, publish }, checks))
    yield* loop(watch)
  }).pipe(Effect.scoped)
}

const loop = Effect.fnUntraced(function* (watch: Watch) {
  const { context } = watch.internals
  for (;;) {
    let failure = yield* awaitFailure(context, watch.witness, watch.alarms)
    if (failure === undefined) return yield* set(watch, { status: "ended" })
    while (failure !== undefined) {
      const outcome: Step = yield* step(watch, failure)
      if (outcome === "over") return
      failure = outcome
    }
    // Raised while it was being seen to; what still holds is raised again with the next look.
    yield* Queue.clear(watch.alarms)
  }
})

/** `over`: nothing more will be done; a failure: the attempt was one itself. */
type Step = "over" | Failure | undefined

/** One failure: classified, decided on, acted on. */
const step = Effect.fnUntraced(function* (watch: Watch, failed: Failure): Effect.fn.Return<Step> {
  const { internals, policy } = watch
  const { transitions } = internals.context.recorder.state().counts
  const decision = yield* judge(watch, failed)
  if (decision.decision === "give-up") {
    yield* set(watch, { status: "given-up", failure: failed.failure, decision })
    return "over"
  }
  if (decision.decision === "terminate") return yield* terminate(watch, failed, decision)
  yield* set(watch, { status: "recovering", failure: failed.failure, decision })
  yield* Effect.sleep(decision.delayMillis)
  if (!stillFailed(internals.context, transitions)) return yield* skip(watch, decision)
  const outcome = yield* Effect.result(attempt({ internals, policy, decision, failure: failed }))
  if (Result.isFailure(outcome)) return outcome.failure
  const { recoveries, health } = yield* SubscriptionRef.get(watch.ref)
  const { failedAtMillis, failure } = failed
  const record = { failure, reason: describe(failure), failedAtMillis, ...outcome.success }
  yield* set(watch, {
    status: "watching",
    recoveries: [...recoveries, { attempt: decision.attempt, decision: decision.decision, ...record }],
    // A check may have looked at the new run already.
    health: Record.map(initialHealth(watch.checks), (none, name) => {
      const report = health[name] ?? none
      return report.startedAtMillis === outcome.success.recoveredAtMillis ? report : none
    })
  })
  return undefined
})

/** Puts a fact on record and into the history that the next decision rests on. */
const note = Effect.fnUntraced(function* (
  watch: Watch,
  event: Extract<SandboxEvent, { readonly _tag: "FailureClassified" | "RecoveryDecided" | "RecoverySkipped" }>
) {
  watch.history = Recovery.evolve(watch.policy, watch.history, event)
  yield* report(watch.internals.context, () => event)
})

const judge = Effect.fnUntraced(function* (watch: Watch, failed: Failure) {
  const { failure, failedAtMillis, ranMillis, exitCode, oomKills } = failed
  const nowMillis = yield* Clock.currentTimeMillis
  yield* note(watch, {
    _tag: "FailureClassified",
    atMillis: nowMillis,
    failure: failure.kind,
    failedAtMillis,
    oomKills,
    reason: describe(failure),
    ...(ranMillis === undefined ? {} : { ranMillis }),
    ...(exitCode === undefined ? {} : { exitCode })
  })
  const decision = Recovery.decide(watch.policy, watch.history, failure, {
    nowMillis,
    random: yield* Random.next,
    hasContainer: watch.internals.context.recorder.state().containerId !== undefined
  })
  yield* note(watch, { _tag: "RecoveryDecided", atMillis: nowMillis, ...decision })
  return decision
})

/** The handle's own removal: container, workspace, uid. */
const terminate = Effect.fnUntraced(function* (watch: Watch, failed: Failure, decision: Recovery.Decision) {
  const { context } = watch.internals
  yield* set(watch, { status: "recovering", failure: failed.failure, decision })
  const outcome = yield* Effect.result(watch.sandbox.remove)
  if (Result.isSuccess(outcome)) yield* set(watch, { status: "ended" })
  else {
    const { message } = outcome.failure
    const { attempt: number } = decision
    yield* report(context, (atMillis) => ({
      _tag: "RecoveryFailed",
      atMillis,
      attempt: number,
      decision: "terminate",
      reason: message
    }))
    yield* set(watch, { status: "given-up" })
  }
  return "over" as const
})

const skip = Effect.fnUntraced(function* (watch: Watch, decision: Recovery.Decision) {
  const { status } = watch.internals.context.recorder.state()
  yield* note(watch, {
    _tag: "RecoverySkipped",
    atMillis: yield* Clock.currentTimeMillis,
    attempt: decision.attempt,
    decision: decision.decision,
    reason: `it is ${status} by its user's doing`
  })
  yield* set(watch, { status: "watching" })
  return undefined
})
