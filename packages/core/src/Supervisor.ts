/**
 * Brings a sandbox back when its main process ends unasked: same container, same workspace, by a policy with delays and a budget.
 * Every decision is a recorded fact. Refuses to restart what was stopped on purpose, and to guess: the engine's inspect decides.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { refresh, type SandboxContext } from "./internal/execStart.ts"
import { start } from "./internal/sandboxBirth.ts"
import { internalsOf } from "./internal/sandboxInternals.ts"
import { isTerminal } from "./LifecycleState.ts"
import {
  classifyExit,
  decide,
  type Decision,
  defaults,
  noHistory,
  type RecoveryHistory,
  type RestartPolicy
} from "./Recovery.ts"
import type { Sandbox } from "./SandboxHandle.ts"
import * as SandboxLabels from "./SandboxLabels.ts"

/** The policy cannot be kept for this sandbox. */
export class SupervisionUnsupported extends Schema.TaggedError<SupervisionUnsupported>()("SupervisionUnsupported", {
  sandboxId: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Could not supervise sandbox ${this.sandboxId}: ${this.reason}.\nUse a disk workspace and a sandbox made by Sandboxes, or set keepWorkspace to false.`
  }
}

/** One failure that was recovered from. All times are the engine's. */
export interface Recovery {
  readonly attempt: number
  readonly reason: string
  /** `State.FinishedAt` of the end. */
  readonly diedAtMillis: number
  /** `State.StartedAt` of the new run. */
  readonly recoveredAtMillis: number
  readonly downMillis: number
}

export interface Supervision {
  readonly status: "watching" | "recovering" | "given-up" | "ended"
  readonly recoveries: ReadonlyArray<Recovery>
  /** The newest one. */
  readonly decision: Decision | undefined
}

export interface Supervised {
  readonly current: Effect.Effect<Supervision>
  /** The present state, then each change. */
  readonly changes: Stream.Stream<Supervision>
}

/** Until the scope closes, the sandbox is removed, or the policy gives up. */
export const supervise = Effect.fn("Supervisor.supervise")(function* (
  sandbox: Sandbox,
  policy: Partial<RestartPolicy> = {}
): Effect.fn.Return<Supervised, SupervisionUnsupported, Scope.Scope> {
  const complete = { ...defaults, ...policy }
  const internals = internalsOf(sandbox)
  const refuse = (reason: string) => new SupervisionUnsupported({ sandboxId: sandbox.id, reason })
  if (internals === undefined) return yield* refuse("it was not made by Sandboxes in this process")
  if (complete.keepWorkspace && sandbox.spec.workspace.kind === "memory") {
    return yield* refuse("its workspace is in memory and empty after a restart")
  }
  const ref = yield* SubscriptionRef.make<Supervision>({ status: "watching", recoveries: [], decision: undefined })
  yield* Effect.forkScoped(reportOom(internals.context))
  yield* Effect.forkScoped(watch(internals.context, complete, ref))
  return { current: SubscriptionRef.get(ref), changes: SubscriptionRef.changes(ref) }
})

type Ref = SubscriptionRef.SubscriptionRef<Supervision>

const set = (ref: Ref, change: Partial<Supervision>) =>
  SubscriptionRef.update(ref, (before): Supervision => ({ ...before, ...change }))

const watch = Effect.fnUntraced(function* (context: SandboxContext, policy: RestartPolicy, ref: Ref) {
  let history = noHistory
  while (yield* awaitDeath(context)) {
    const outcome = yield* judge(context, policy, history)
    history = outcome.history
    const { decision } = outcome
    yield* record(context, decision)
    const isOver = decision.decision === "give-up"
    yield* set(ref, { status: isOver ? "given-up" : "recovering", decision })
    if (isOver) return
    const diedAtMillis = context.recorder.state().exit?.finishedAtMillis ?? 0
    yield* Effect.sleep(decision.delayMillis)
    yield* recover(context, decision, diedAtMillis, ref)
  }
  yield* set(ref, { status: "ended" })
})

const judge = Effect.fnUntraced(function* (context: SandboxContext, policy: RestartPolicy, history: RecoveryHistory) {
  const { exit, startedAtMillis } = context.recorder.state()
  if (exit === undefined || context.recorder.state().containerId === undefined) {
    const reason = "the container is gone, and making another is not this policy's"
    const attempt = history.restartsAtMillis.length + 1
    return { decision: { decision: "give-up", attempt, delayMillis: 0, reason } as const, history }
  }
  return decide(policy, history, classifyExit(exit), {
    nowMillis: yield* Clock.currentTimeMillis,
    ranMillis: exit.finishedAtMillis - (startedAtMillis ?? exit.finishedAtMillis),
    random: yield* Random.next
  })
})

const record = (context: SandboxContext, { decision, attempt, delayMillis, reason }: Decision) =>
  Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
    context.recorder.report({ _tag: "RecoveryDecided", atMillis, decision, attempt, delayMillis, reason })
  ).pipe(Effect.ignore({ log: "Warn" }))

/** Recovered means running again, by the engine's own word. A start that fails leaves it stopped, to be decided on again. */
const recover = Effect.fnUntraced(function* (
  context: SandboxContext,
  decision: Decision,
  diedAtMillis: number,
  ref: Ref
) {
  const identity = { recorder: context.recorder, sandboxId: context.id }
  yield* start(context.engine, identity, context.containerId(), context.spec).pipe(Effect.ignore({ log: "Warn" }))
  const recoveredAtMillis = context.recorder.state().startedAtMillis
  if (recoveredAtMillis === undefined || recoveredAtMillis <= diedAtMillis) return
  const { attempt, reason } = decision
  const downMillis = recoveredAtMillis - diedAtMillis
  const { recoveries } = yield* SubscriptionRef.get(ref)
  yield* set(ref, {
    status: "watching",
    recoveries: [...recoveries, { attempt, reason, diedAtMillis, recoveredAtMillis, downMillis }]
  })
})

/** How often the truth is asked for although no hint came; hints get lost. */
const lookEvery = "2 seconds"
/** While it is stopped on purpose, or a step of somebody else is under way, only our own record is looked at. */
const pollRecord = "100 millis"

/** True when the main process has ended unasked; false when the sandbox's life is over. */
const awaitDeath = Effect.fnUntraced(function* (context: SandboxContext): Effect.fn.Return<boolean> {
  for (;;) {
    const state = context.recorder.state()
    if (isTerminal(state)) return false
    // The newest transition tells an end that was asked for (Stopped) from one that was not (Died, Vanished, StartFailed).
    const last = state.history.at(-1)?.event
    if (state.status === "stopped" && last !== "Stopped") return true
    if (state.status === "running" || state.status === "paused") yield* hint(context)
    else yield* Effect.sleep(pollRecord)
  }
})

/** Returns when something may have happened, after a look at the engine that is on record. */
const hint = (context: SandboxContext) =>
  context.engine.waitContainer(context.containerId()).pipe(
    Effect.timeoutOption(lookEvery),
    Effect.catch(() => Effect.sleep("200 millis")),
    // A stop or a removal that is under way reports its own outcome.
    Effect.andThen(
      Effect.suspend(() => {
        const { status } = context.recorder.state()
        return status === "running" || status === "paused" ? refresh(context) : Effect.void
      })
    ),
    Effect.catch(() => Effect.sleep("200 millis"))
  )

/** The kernel may kill another process than PID 1; the engine's event is the only word of it. */
const reportOom = ({ engine, recorder, containerId }: SandboxContext) =>
  engine.events({ labels: { [SandboxLabels.keys.stream]: recorder.stream } }).pipe(
    Stream.filter((event) => event.type === "container" && event.action === "oom" && event.actorId === containerId()),
    Stream.runForEach((event) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
        recorder.report({ _tag: "OomKilled", atMillis, engineEventId: event.timeNano })
      )
    ),
    Effect.ignore,
    Effect.repeat(Schedule.spaced("1 second"))
  )
