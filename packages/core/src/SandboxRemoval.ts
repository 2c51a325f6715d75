/** Removes all that a sandbox consists of: container, workspace, uid. Refuses to call it removed while the engine may still create it. */
import type { Engine } from "@sbx/engine/Engine"
import type { CallError, EngineConflict } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Recorder } from "./internal/sandboxRecorder.ts"
import { isTerminal } from "./LifecycleState.ts"
import type { LeaseStoreFailed, UidLeases } from "./UidLease.ts"
import type { WorkspaceFailed, Workspaces } from "./Workspace.ts"

/** Something of the sandbox is left. Removing again is safe; a later reconcile does it too. */
export class SandboxRemovalFailed extends Schema.TaggedError<SandboxRemovalFailed>()("SandboxRemovalFailed", {
  sandboxId: Schema.String,
  containerName: Schema.String,
  volume: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `Could not remove sandbox ${this.sandboxId} (container ${this.containerName}, volume ${this.volume}): ${this.detail}.\nRun \`./sbx reap\` once the cause is gone.`
  }
}

/** What a removal works on; filled in while the sandbox is made. */
export interface Remains {
  readonly sandboxId: string
  /** Of the present attempt: a replacement has a name of its own. */
  containerName: string
  readonly volume: string
  readonly recorder: Recorder
  uid: number | undefined
  /** The engine was asked to create the container, whatever became of it. */
  asked: boolean
  /** Id of the container that the engine has answered the newest create with; absent while there is no such answer. */
  made: string | undefined
  /** Until when (milliseconds since the epoch) the engine may still make the volume; absent once it has answered. */
  volumeUntil: number | undefined
  removed: boolean
}

export interface Removers {
  readonly engine: Engine["Service"]
  readonly workspaces: Workspaces["Service"]
  readonly leases: UidLeases["Service"]
}

/** A try each 0.1, 0.2, … s: an engine that is busy removing, or restarts, gets 3 s. */
const patience = { schedule: Schedule.exponential("100 millis"), times: 5 }
/** All of it; the engine kills at once, so this is for an engine that hangs. */
const deadline = "60 seconds"

type StepError = CallError | EngineConflict | WorkspaceFailed | LeaseStoreFailed | InDoubt

class InDoubt extends Schema.TaggedError<InDoubt>()("InDoubt", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** Idempotent, bounded, not to be interrupted. */
export const remove = (
  removers: Removers,
  remains: Remains,
  reason: string
): Effect.Effect<void, SandboxRemovalFailed> =>
  Effect.suspend(() => (remains.removed ? Effect.void : steps(removers, remains, reason))).pipe(
    Effect.timeoutOrElse({
      duration: deadline,
      orElse: () => Effect.fail(new InDoubt({ detail: `the engine did not finish within ${deadline}` }))
    }),
    Effect.catch((error) => failed(remains, error.message)),
    Effect.uninterruptible
  )

const steps = Effect.fnUntraced(function* (
  removers: Removers,
  remains: Remains,
  reason: string
): Effect.fn.Return<void, StepError> {
  const { engine, workspaces, leases } = removers
  const { recorder } = remains
  yield* intend(remains, reason)
  if (remains.asked) {
    yield* Effect.retry(engine.removeContainer(recorder.state().containerId ?? remains.containerName), patience)
    const replaced = recorder.state().create?.replaces
    // Known to be gone only once its replacement was made.
    if (replaced !== undefined && recorder.state().createdAtMillis === undefined) {
      yield* Effect.retry(engine.removeContainer(replaced), patience)
    }
    yield* settle(engine, remains)
  }
  yield* Effect.retry(workspaces.remove(remains.volume), patience)
  yield* settleVolume(workspaces, remains)
  if (remains.uid !== undefined) yield* leases.release(remains.uid, remains.sandboxId)
  if (!isTerminal(recorder.state()) && recorder.state().status !== "requested") {
    yield* recorder
      .report({ _tag: "Removed", atMillis: yield* Clock.currentTimeMillis })
      .pipe(Effect.ignore({ log: "Warn" }))
  }
  remains.removed = true
})

/** Without a journal the removal goes on: what is not recorded is derived again by the next reconcile. */
const intend = Effect.fnUntraced(function* ({ recorder, asked }: Remains, reason: string) {
  const { status } = recorder.state()
  const atMillis = yield* Clock.currentTimeMillis
  if (status === "creating" && !asked) {
    yield* Effect.ignore(recorder.report({ _tag: "CreateFailed", atMillis, reason }), { log: "Warn" })
  } else if (status !== "requested" && !isTerminal(recorder.state())) {
    yield* Effect.ignore(recorder.submit({ _tag: "Remove", atMillis, reason }), { log: "Warn" })
  }
})

/** A create without an answer may still happen in the engine until its deadline (moby#24858): remove by name until then. */
const settle = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  { recorder, containerName, made }: Remains
): Effect.fn.Return<void, CallError | EngineConflict> {
  const { createdAtMillis, create } = recorder.state()
  if (made !== undefined || createdAtMillis !== undefined || create === undefined || isTerminal(recorder.state()))
    return
  yield* engine
    .removeContainer(containerName)
    .pipe(
      Effect.andThen(Clock.currentTimeMillis),
      Effect.repeat({ schedule: Schedule.spaced("500 millis"), until: (now) => now >= create.deadlineMillis })
    )
})

/** The same for the volume. */
const settleVolume = (workspaces: Workspaces["Service"], { volume, volumeUntil }: Remains) =>
  volumeUntil === undefined
    ? Effect.void
    : workspaces
        .remove(volume)
        .pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.repeat({ schedule: Schedule.spaced("500 millis"), until: (now) => now >= volumeUntil })
        )

const failed = Effect.fnUntraced(function* (remains: Remains, detail: string) {
  const { sandboxId, containerName, volume, recorder } = remains
  if (!isTerminal(recorder.state())) {
    yield* Effect.ignore(
      recorder.report({ _tag: "RemoveFailed", atMillis: yield* Clock.currentTimeMillis, reason: detail }),
      { log: "Warn" }
    )
  }
  return yield* new SandboxRemovalFailed({ sandboxId, containerName, volume, detail })
})
