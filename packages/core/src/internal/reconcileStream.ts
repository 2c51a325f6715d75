/** Settles the open stream of a sandbox whose owner is dead: sees what is true, removes it all, and closes the stream with that. */
import type { CallError, EngineConflict } from "@sbx/engine/EngineError"
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import type { AppendError, Journal, JournalUnavailable, StreamInfo } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { initial, isTerminal, type LifecycleState } from "../LifecycleState.ts"
import { SandboxEvents } from "../SandboxEvent.ts"
import { evolve } from "../SandboxLifecycle.ts"
import type { LeaseStoreFailed } from "../UidLease.ts"
import type { WorkspaceFailed } from "../Workspace.ts"
import type { SurveyTools } from "./reconcileSurvey.ts"
import { engineLabel } from "./sandboxBirth.ts"
import * as Recorder from "./sandboxRecorder.ts"

export interface StreamState {
  readonly stream: string
  readonly state: LifecycleState
  readonly version: number
}

/** Where a stream stands; `elsewhere` when it belongs to another engine. */
export type Standing = "settle" | "in-doubt" | "elsewhere"

/** The fold of a stream. */
export const load = (
  journal: Journal["Service"],
  info: StreamInfo
): Effect.Effect<StreamState, JournalUnavailable | EventUndecodable> =>
  SandboxEvents.read(journal, info.name).pipe(
    Stream.runFold(
      (): StreamState => ({ stream: info.name, state: initial, version: 0 }),
      (before, { payload, version }) => ({
        ...before,
        version,
        state: payload._tag === "UnknownEvent" ? before.state : evolve(before.state, payload)
      })
    )
  )

const inspectOf = (tools: SurveyTools, state: LifecycleState) => {
  const reference = state.containerId ?? state.create?.containerName
  return reference === undefined
    ? Effect.undefined
    : tools.engine.inspectContainer(reference).pipe(Effect.catchTag("ObjectNotFound", () => Effect.undefined))
}

/** A create without an answer may still happen until its deadline (moby#24858): until then, absence proves nothing. */
export const standing = Effect.fnUntraced(function* (
  tools: SurveyTools,
  { state }: StreamState,
  engineId: string
): Effect.fn.Return<Standing, CallError> {
  const { create } = state
  if (create === undefined) return "settle"
  if ((create.labels[engineLabel] ?? engineId) !== engineId) return "elsewhere"
  if (state.createdAtMillis !== undefined) return "settle"
  const present = (yield* inspectOf(tools, state)) !== undefined
  const now = yield* Clock.currentTimeMillis
  return present || now >= create.deadlineMillis ? "settle" : "in-doubt"
})

export type SettleError = CallError | EngineConflict | WorkspaceFailed | LeaseStoreFailed | AppendError

/** Names of what was removed. Safe to repeat: a stream whose settling was cut short is settled by the next one. */
export const settle = Effect.fnUntraced(function* (
  tools: SurveyTools,
  journal: Journal["Service"],
  { stream, state, version }: StreamState
): Effect.fn.Return<ReadonlyArray<string>, SettleError> {
  const sandboxId = stream.slice(stream.indexOf("/") + 1)
  const recorder = yield* Recorder.make(journal, sandboxId, { state, version })
  const inspect = yield* inspectOf(tools, state)
  yield* Recorder.observe(recorder, inspect)
  const atMillis = yield* Clock.currentTimeMillis
  for (const execKey of Object.keys(recorder.state().openExecs)) {
    yield* recorder.report({ _tag: "ExecLost", atMillis, execKey, reason: "its owner died" })
  }
  const objects: Array<string> = []
  const { create } = recorder.state()
  if (!isTerminal(recorder.state()) && create !== undefined) {
    yield* Effect.ignore(recorder.submit({ _tag: "Remove", atMillis, reason: "its owner died" }), { log: "Warn" })
  }
  if (inspect !== undefined) {
    yield* tools.engine.removeContainer(inspect.id)
    objects.push(inspect.name)
  }
  if (create !== undefined) {
    yield* tools.workspaces.remove(create.volumeName)
    objects.push(create.volumeName)
    yield* tools.leases.release(create.uid, sandboxId)
  }
  const now = yield* Clock.currentTimeMillis
  yield* recorder.report({ _tag: "OrphanReaped", atMillis: now, reason: "its owner died", objects })
  return objects
})
