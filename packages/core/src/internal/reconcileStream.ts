/** Settles the open stream of a sandbox whose owner is dead: sees what is true, removes it all, and closes the stream with that. */
import type { CallError, EngineConflict } from "@sbx/engine/EngineError"
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import type { AppendError, Journal, JournalUnavailable, StreamInfo } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { initial, isTerminal, type LifecycleState } from "../LifecycleState.ts"
import { SandboxEvents } from "../SandboxEvent.ts"
import * as SandboxLabels from "../SandboxLabels.ts"
import { evolve } from "../SandboxLifecycle.ts"
import type { LeaseStoreFailed } from "../UidLease.ts"
import type { SurveyedObject, SurveyTools } from "./reconcileSurvey.ts"
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

/** What a stream is settled with. */
export interface SettleTools extends SurveyTools {
  /** Streams of the labelled objects that the engine listed, by the objects' names. */
  readonly streams: ReadonlyMap<string, string>
  /** Those that belong to nobody alive, of any journal. */
  readonly networks: ReadonlyArray<SurveyedObject>
}

/** The container that bears the stream's own label; one that merely has its name is somebody else's. */
const find = (tools: SurveyTools, stream: string, reference: string | undefined) => {
  if (reference === undefined) return Effect.undefined
  return tools.engine.inspectContainer(reference).pipe(
    Effect.map((found) => (found.labels[SandboxLabels.keys.stream] === stream ? found : undefined)),
    Effect.catchTag("ObjectNotFound", () => Effect.undefined)
  )
}

const inspectOf = (tools: SurveyTools, { stream, state }: StreamState) =>
  find(tools, stream, state.containerId ?? state.create?.containerName)

/** Known to be gone only once its replacement was made. */
const predecessorOf = (tools: SurveyTools, { stream, state }: StreamState) =>
  find(tools, stream, state.createdAtMillis === undefined ? state.create?.replaces : undefined)

/** A create without an answer may still happen until its deadline (moby#24858): until then, absence proves nothing. */
export const standing = Effect.fnUntraced(function* (
  tools: SurveyTools,
  found: StreamState,
  engineId: string
): Effect.fn.Return<Standing, CallError> {
  const { state } = found
  const { create } = state
  if (create === undefined) return "settle"
  if ((create.labels[engineLabel] ?? engineId) !== engineId) return "elsewhere"
  if (state.createdAtMillis !== undefined) return "settle"
  const present = (yield* inspectOf(tools, found)) !== undefined
  const now = yield* Clock.currentTimeMillis
  return present || now >= create.deadlineMillis ? "settle" : "in-doubt"
})

export type SettleError = CallError | EngineConflict | LeaseStoreFailed | AppendError

/** A stream whose container is gone, and whose removal is on record as intended. */
export interface Emptied {
  readonly stream: string
  readonly recorder: Recorder.Recorder
  /** Names of what was removed so far. */
  readonly objects: ReadonlyArray<string>
  /** The workspace that is to be removed next, unless its name is somebody else's. */
  readonly volume: string | undefined
}

/** First half. Safe to repeat: a stream whose settling was cut short is settled by the next one. */
export const empty = Effect.fnUntraced(function* (
  tools: SettleTools,
  journal: Journal["Service"],
  found: StreamState
): Effect.fn.Return<Emptied, SettleError> {
  const { stream } = found
  const recorder = yield* Recorder.make(journal, idOf(stream), found)
  const inspect = yield* inspectOf(tools, found)
  const containers = [yield* predecessorOf(tools, found), inspect].filter((one) => one !== undefined)
  yield* Recorder.observe(recorder, inspect)
  yield* loseExecs(tools, recorder)
  const atMillis = yield* Clock.currentTimeMillis
  const { create } = recorder.state()
  if (!isTerminal(recorder.state()) && create !== undefined) {
    yield* Effect.ignore(recorder.submit({ _tag: "Remove", atMillis, reason: "its owner died" }), { log: "Warn" })
  }
  for (const { id } of containers) yield* tools.engine.removeContainer(id)
  const volume = create?.volumeName
  // An engine that creates our container after the volume was removed makes another of that name, without labels. The record tells,
  // not the container: that may be gone by now and the volume not.
  const wasMounted = recorder.state().createdAtMillis !== undefined
  const isOurs = volume !== undefined && (wasMounted || (yield* isFreeOrOurs(tools, volume, stream)))
  return {
    stream,
    recorder,
    objects: containers.map(({ name }) => name),
    volume: isOurs ? volume : undefined
  }
})

/** Second half, once the workspace is gone. Resolves to the names of all that was removed. */
export const close = Effect.fnUntraced(function* (
  tools: SettleTools,
  { stream, recorder, objects, volume }: Emptied
): Effect.fn.Return<ReadonlyArray<string>, SettleError> {
  const { create } = recorder.state()
  if (create !== undefined) yield* tools.leases.release(create.uid, idOf(stream))
  const all = volume === undefined ? objects : [...objects, volume]
  const atMillis = yield* Clock.currentTimeMillis
  yield* recorder.report({ _tag: "OrphanReaped", atMillis, reason: "its owner died", objects: all })
  return all
})

const idOf = (stream: string): string => stream.slice(stream.indexOf("/") + 1)

/** Whoever waited for them is dead. Asked before the container goes, because the engine forgets its execs with it. */
const loseExecs = Effect.fnUntraced(function* (tools: SettleTools, recorder: Recorder.Recorder) {
  for (const [execKey, { execId }] of Object.entries(recorder.state().openExecs)) {
    const state =
      execId === undefined
        ? undefined
        : yield* Effect.catchTag(tools.engine.inspectExec(execId), "ObjectNotFound", () => Effect.undefined)
    const exitCode = state?.running === false ? state.exitCode : undefined
    yield* recorder.report({
      _tag: "ExecLost",
      atMillis: yield* Clock.currentTimeMillis,
      execKey,
      reason: "its owner died",
      ...(exitCode === undefined ? {} : { exitCode })
    })
  }
})

/** No volume has that name, or the one that has it bears the stream's label. */
const isFreeOrOurs = (tools: SettleTools, volume: string, stream: string) =>
  tools.streams.get(volume) === stream
    ? Effect.succeed(true)
    : tools.engine.inspectVolume(volume).pipe(
        Effect.map(({ labels }) => labels[SandboxLabels.keys.stream] === stream),
        Effect.catchTag("ObjectNotFound", () => Effect.succeed(true))
      )
