/** Every event of a run's journal, typed, and how one reads as a line. A new family is one line here. */
import { FailureEvents } from "@sbx/chaos/FailureEvent"
import { RunEvents } from "@sbx/core/RunEvent"
import { SandboxEvents } from "@sbx/core/SandboxEvent"
import * as EventRegistry from "@sbx/journal/EventRegistry"
import { closedType, type Recorded } from "@sbx/journal/Journal"
import { family as ResourceEvents } from "@sbx/monitor/ResourceEvent"
import { family as BoundaryEvents } from "@sbx/security/BoundaryEvent"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { nearest } from "./internal/nearest.ts"
import { printable } from "./internal/printable.ts"

export const all = EventRegistry.make(RunEvents, SandboxEvents, FailureEvents, BoundaryEvents, ResourceEvents)

/** Every type that `events --type` knows. */
export const types: ReadonlyArray<string> = [...new Set(all.known.map(({ type }) => type)), closedType]

/** No family has an event of that type. */
export class UnknownEventType extends Schema.TaggedError<UnknownEventType>()("UnknownEventType", {
  type: Schema.String,
  nearest: Schema.Array(Schema.String)
}) {
  override get message() {
    const hint = this.nearest.length === 0 ? types.join(", ") : this.nearest.join(", ")
    return `Could not filter by "${this.type}": there is no such type of event.\n${this.nearest.length === 0 ? "Known" : "Nearest"}: ${hint}.`
  }
}

/** The type, when it is one. */
export const parseType = (type: string): Effect.Effect<string, UnknownEventType> =>
  types.includes(type)
    ? Effect.succeed(type)
    : Effect.fail(new UnknownEventType({ type, nearest: nearest(type, types) }))

const encode = Schema.encodeSync(Schema.fromJsonString(Schema.Json))
const width = 120

const detail = (payload: Schema.Json): string => {
  const fields = typeof payload === "object" && payload !== null && !Array.isArray(payload) ? payload : { payload }
  const text = Object.entries(fields)
    .filter(([key]) => key !== "atMillis")
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : encode(value ?? null)}`)
    .join(" ")
    .replace(/\s+/g, " ")
  const clean = printable(text)
  return clean.length <= width ? clean : `${clean.slice(0, width - 1)}…`
}

/** `position time stream type detail`; the time is the writer's, UTC. */
export const line = (event: Recorded): string => {
  const time = DateTime.formatIso(DateTime.makeUnsafe(event.recordedAtMillis)).slice(11, 23)
  return `${String(event.position).padStart(5)} ${time} ${event.stream} ${event.type} ${detail(event.payload)}`.trimEnd()
}
