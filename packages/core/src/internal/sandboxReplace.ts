/**
 * Another container for the same sandbox, from its recorded spec: same uid, labels, limits and environment, next attempt.
 * The intent is durable before the old container goes. Refuses to keep a workspace that is not there: engines would make up
 * an unbounded one.
 */
import type { Engine } from "@sbx/engine/Engine"
import { EngineTimeout } from "@sbx/engine/EngineError"
import type { AppendError } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { SandboxNotRunning } from "../Exec.ts"
import * as SandboxLabels from "../SandboxLabels.ts"
import type { SandboxSpec } from "../SandboxSpec.ts"
import type { Made } from "../Workspace.ts"
import * as Birth from "./sandboxBirth.ts"
import type { Internals } from "./sandboxInternals.ts"
import { observe } from "./sandboxRecorder.ts"

/** The volume is not there any more. */
export class WorkspaceGone extends Schema.TaggedError<WorkspaceGone>()("WorkspaceGone", {
  sandboxId: Schema.String,
  volume: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not recreate sandbox ${this.sandboxId} with its workspace: the engine has no volume ${this.volume}.\nSet keepWorkspace to false to go on with an empty one.`
  }
}

export type ReplaceError = Birth.BirthError | WorkspaceGone

type Parts = Pick<Internals, "context" | "midwife" | "remains">

/** A try each 0.1, 0.2, … s, as for a removal. */
const removalMillis = 20_000
const patience = { schedule: Schedule.exponential("100 millis"), times: 5 }

/** The sandbox must not be running. Resolves when the replacement runs. */
export const replace = Effect.fnUntraced(function* (
  { context, midwife, remains }: Parts,
  keepWorkspace: boolean
): Effect.fn.Return<void, ReplaceError> {
  const { engine, spec, uid } = context
  if (keepWorkspace) {
    yield* engine
      .inspectVolume(remains.volume)
      .pipe(
        Effect.catchTag("ObjectNotFound", () =>
          Effect.fail(new WorkspaceGone({ sandboxId: context.id, volume: remains.volume }))
        )
      )
  }
  const { labels, replaces } = yield* intend({ context, midwife, remains })
  const exchanged = exchange({ context, midwife, remains }, { labels, replaces, keepWorkspace, spec, uid })
  yield* Birth.createAndLaunch(engine, remains, spec, exchanged)
})

/** The predecessor is known by its id, also when an earlier replacement got no further than its intent. */
const intend = Effect.fnUntraced(function* ({ context, midwife, remains }: Parts) {
  const { create, containerId, createdAtMillis } = context.recorder.state()
  const replaces = containerId ?? (createdAtMillis === undefined ? create?.replaces : undefined)
  const attempt = (create?.attempt ?? 0) + 1
  const before = remains.containerName
  remains.containerName = SandboxLabels.objectName(midwife.journal.id, context.id, attempt)
  const numbered = replaces === undefined ? { attempt } : { attempt, replaces }
  const labels = yield* Birth.intendCreate(midwife, remains, context.spec, context.uid, numbered).pipe(
    Effect.tapError(() => Effect.sync(() => void (remains.containerName = before))),
    Effect.catchTag("LifecycleRejection", ({ status }) =>
      Effect.fail(new SandboxNotRunning({ sandboxId: context.id, operation: "recreate", state: status }))
    )
  )
  return { labels, replaces }
})

interface Exchange {
  readonly labels: Birth.Labels
  readonly replaces: string | undefined
  readonly keepWorkspace: boolean
  readonly spec: SandboxSpec
  readonly uid: number
}

/** Not interruptible: what came of the create must be on record. Each step is bounded. */
const exchange = Effect.fnUntraced(function* ({ midwife, remains }: Parts, work: Exchange) {
  const { labels, replaces, keepWorkspace, spec, uid } = work
  // Whether the engine may have heard of the new container.
  let asked = false
  let volumeCreate: Made["create"]
  const steps = Effect.gen(function* () {
    remains.asked = true
    if (replaces !== undefined) yield* removeOld(midwife.engine, replaces)
    if (!keepWorkspace) {
      yield* Effect.retry(midwife.workspaces.remove(remains.volume), patience)
      const request = Birth.workspaceRequest(remains, spec, uid, labels)
      const made = yield* Birth.makeWorkspace(midwife.workspaces, remains, request)
      yield* made.ready
      volumeCreate = made.create
    }
    asked = true
    return yield* Birth.createContainer(midwife, remains, { spec, uid, labels, volumeCreate })
  })
  return yield* steps.pipe(
    Effect.tapError((error) => (asked && !Birth.isRefusal(error) ? Effect.void : failed(remains, error.message))),
    Effect.uninterruptible
  )
})

/** Bounded, as it cannot be interrupted. */
const removeOld = (engine: Engine["Service"], containerId: string) =>
  Effect.retry(engine.removeContainer(containerId), patience).pipe(
    Effect.interruptible,
    Effect.timeoutOrElse({
      duration: removalMillis,
      orElse: () => Effect.fail(new EngineTimeout({ operation: "remove container", timeoutMillis: removalMillis }))
    })
  )

const failed = Effect.fnUntraced(function* (remains: Parts["remains"], reason: string) {
  yield* remains.recorder.report({ _tag: "CreateFailed", atMillis: yield* Clock.currentTimeMillis, reason })
})

/** After a create without an answer: looks for the container by its name until it is there, or its deadline has passed. */
export const settleCreate = Effect.fnUntraced(function* ({ context }: Pick<Internals, "context">) {
  const { engine, recorder } = context
  const look = Effect.gen(function* (): Effect.fn.Return<void, AppendError> {
    const { create } = recorder.state()
    if (create === undefined) return
    const seen = yield* engine.inspectContainer(create.containerName).pipe(
      Effect.catchTag("ObjectNotFound", () => Effect.undefined),
      Effect.result
    )
    // An engine that does not answer has not said that there is none.
    if (seen._tag === "Success") yield* observe(recorder, seen.success)
  })
  yield* look.pipe(
    Effect.repeat({ until: () => recorder.state().status !== "creating", schedule: Schedule.spaced("500 millis") })
  )
})
