/** The engine's event stream: JSON lines that may be split over chunks. An end, clean or not, is a lost connection. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { EngineEvent, LabelFilter } from "../../Engine.ts"
import type { CallError } from "../../EngineError.ts"
import { EngineProtocolError, EngineUnavailable } from "../../EngineError.ts"
import type { Connection } from "./connection.ts"
import { failure } from "./errors.ts"
import { bodyOf, decodeJson, open } from "./request.ts"
import { labelFilters, maybe, StringMap } from "./wire.ts"

const operation = "read events"
const maxLineChars = 1024 * 1024

/** Since API 1.52 only these fields are left; `status`, `id` and `from` are gone. */
const Event = Schema.Struct({
  Type: Schema.String,
  Action: Schema.String,
  Actor: Schema.Struct({ ID: Schema.String, Attributes: maybe(StringMap) }),
  time: maybe(Schema.Finite)
})

/** From the text: a JavaScript number loses the last digits. In a string value the quotes would be escaped. */
const nanoTime = /"timeNano":\s*(\d+)/

/** Podman's names for the end of a container (podman#12628). */
const likeDocker = (action: string, attributes: Readonly<Record<string, string>>) => {
  const exitCode = attributes["containerExitCode"]
  return {
    action: action === "died" ? "die" : action,
    attributes: exitCode === undefined || "exitCode" in attributes ? attributes : { ...attributes, exitCode }
  }
}

const toEvent = (wire: typeof Event.Type, line: string): EngineEvent => {
  const timeNano = nanoTime.exec(line)?.[1] ?? `${wire.time ?? 0}000000000`
  const colon = wire.Action.indexOf(":")
  return {
    atMillis: Number(timeNano.slice(0, -6)) + Number(timeNano.slice(-6)) / 1e6,
    timeNano,
    type: wire.Type,
    detail: colon < 0 ? undefined : wire.Action.slice(colon + 1).trim(),
    actorId: wire.Actor.ID,
    ...likeDocker(colon < 0 ? wire.Action : wire.Action.slice(0, colon), wire.Actor.Attributes ?? {})
  }
}

/** Complete lines of text chunks; refuses a line beyond 1 MiB. */
const lines = <E>(text: Stream.Stream<string, E>): Stream.Stream<string, E | EngineProtocolError> =>
  text.pipe(
    Stream.mapAccumEffect(
      () => "",
      (rest, chunk) => {
        const parts = (rest + chunk).split("\n")
        const open = parts.pop() ?? ""
        return open.length > maxLineChars
          ? Effect.fail(new EngineProtocolError({ operation, detail: "an endless line" }))
          : Effect.succeed([open, parts.filter((line) => line.trim() !== "")] as const)
      }
    )
  )

/** Seconds with nine decimals, which is what engines parse. */
export const sinceSeconds = (millis: number | undefined) =>
  millis === undefined ? undefined : (millis / 1000).toFixed(9)

export const events = (
  connection: Connection,
  options: {
    readonly sinceMillis?: number
    readonly labels: LabelFilter
    readonly actions?: ReadonlyArray<string>
  }
): Stream.Stream<EngineEvent, CallError> => {
  const ended = Effect.fail(
    new EngineUnavailable({
      operation,
      endpoint: connection.endpoint,
      reason: "connection-lost",
      detail: "the engine ended the event stream"
    })
  )
  return open(connection, {
    operation,
    method: "GET",
    path: ["events"],
    query: {
      since: sinceSeconds(options.sinceMillis),
      filters: labelFilters(options.labels, { event: options.actions })
    },
    // Podman sends the head with the first event (podman#23712).
    timeoutMillis: "none"
  }).pipe(
    Effect.map((reply) => bodyOf(connection, operation, reply, "live")),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal))),
    Stream.unwrap,
    Stream.decodeText,
    lines,
    Stream.mapEffect((line) => Effect.map(decodeJson(Event)(operation, line), (wire) => toEvent(wire, line))),
    Stream.concat(Stream.fromEffect(ended))
  )
}
