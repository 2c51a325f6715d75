/**
 * The facts of one fault, stream `failure/<fault id>`. The intent is durable before anything is changed and carries what
 * undoes the fault, so that any later process can. A stream is closed by `FaultEnded`, unless its undo is still pending.
 */
import { UndoPlan } from "@sbx/core/UndoPlan"
import type { PendingUndos } from "@sbx/core/UndoRunner"
import * as EventFamily from "@sbx/journal/EventFamily"
import { any, type Recorded } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Evidence, Measurement } from "./Evidence.ts"

/** Every event says when its fact was learnt, milliseconds since 1970. */
const at = { faultId: Schema.String, atMillis: Schema.Finite }

const evidence = { evidence: Schema.Array(Evidence) }

/** `irreversible`: over at once. `interrupted`: its scope closed early. `failed`: see the event before. */
export const EndReason = Schema.Literals(["duration", "stopped", "irreversible", "interrupted", "failed"])
export type EndReason = typeof EndReason.Type

export const FailureEvent = Schema.TaggedUnion({
  FaultIntended: {
    ...at,
    /** The fault's tag, e.g. `CpuStress`. */
    kind: Schema.String,
    /** The fault's parameters. */
    params: Schema.Record(Schema.String, Schema.Json),
    target: Schema.Struct({ containerId: Schema.String, name: Schema.String }),
    /** The mechanism in use. */
    rung: Schema.String,
    durationMillis: Schema.Finite,
    /** Measured before; what the proof is held against. */
    control: Schema.Array(Measurement),
    /** Empty for an irreversible fault. */
    undo: UndoPlan
  },
  FaultInjected: at,
  /** The effect was seen: the fault is active from here. */
  FaultProven: { ...at, ...evidence },
  /** The effect was not seen, or the fault ended too early; it is reverted. */
  FaultNotProven: { ...at, ...evidence, phase: Schema.String, reason: Schema.String },
  /** An operation failed; what was injected is reverted. */
  FaultFailed: { ...at, reason: Schema.String },
  /** The undo was carried out, here or by a reconciler after the injector's death. */
  FaultReverted: { ...at, by: Schema.Literals(["injector", "reconciler"]) },
  /** Nothing is left and the measurements are back. */
  FaultRevertProven: { ...at, ...evidence },
  /** Nothing is left, but the measurements are not back. */
  FaultRevertNotProven: { ...at, ...evidence, reason: Schema.String },
  /** Something is left: the undo stays pending. */
  FaultRevertFailed: { ...at, residue: Schema.Array(Schema.String), reason: Schema.String },
  /** The last event. */
  FaultEnded: { ...at, reason: EndReason }
})
export type FailureEvent = typeof FailureEvent.Type
export type FaultIntended = Extract<FailureEvent, { readonly _tag: "FaultIntended" }>

/** Typed append, read and live stream of the category. */
export const FailureEvents: EventFamily.EventFamily<FailureEvent> = EventFamily.make({
  category: "failure",
  union: FailureEvent
})

type Recording = Pick<Recorded<FailureEvent | EventFamily.UnknownEvent>, "payload">

/** Faults whose undo has steps and is not on record as carried out, in the order of their intents. */
export const pendingFaults = (recorded: Iterable<Recording>): ReadonlyArray<FaultIntended> => {
  const pending = new Map<string, FaultIntended>()
  for (const { payload } of recorded) {
    if (payload._tag === "FaultIntended" && payload.undo.steps.length > 0) pending.set(payload.faultId, payload)
    if (payload._tag === "FaultReverted") pending.delete(payload.faultId)
  }
  return [...pending.values()]
}

/** What a reconciler appends to `failure/<fault id>` once it has run the undo plan. */
export const undone = (faultId: string, atMillis: number): FailureEvent => ({
  _tag: "FaultReverted",
  faultId,
  atMillis,
  by: "reconciler"
})

/** How long after its intent an injection that was not seen to end may still take effect: the deadline of a sidecar's create. */
const lateMillis = 10_000

/** Until when each fault without an outcome may still take effect; nothing of one whose injection was seen to end. */
const mayStillHappen = (recorded: Iterable<Recording>): ReadonlyMap<string, number> => {
  const until = new Map<string, number>()
  for (const { payload } of recorded) {
    if (payload._tag === "FaultIntended") until.set(payload.faultId, payload.atMillis + lateMillis)
    else if (payload._tag !== "UnknownEvent") until.delete(payload.faultId)
  }
  return until
}

/** The faults of a journal that nobody reverted, for `Reconciler.reconcile` and `Watchdog.main`. Undoing one twice is harmless. */
export const pendingUndos: PendingUndos = (journal) =>
  Effect.map(Stream.runCollect(FailureEvents.replay(journal)), (recorded) => {
    const until = mayStillHappen(recorded)
    return pendingFaults(recorded).map(({ faultId, undo }) => {
      const untilMillis = until.get(faultId)
      return {
        id: faultId,
        plan: undo,
        ...(untilMillis === undefined ? {} : { untilMillis }),
        record: Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
          FailureEvents.append(journal, FailureEvents.stream(faultId), [undone(faultId, atMillis)], { expected: any })
        )
      }
    })
  })
