/**
 * JSON text in and out of rows. Payloads are parsed back before they are published, so that a live subscriber, a later
 * reader and another process all see the same value.
 */
import { Effect } from "effect"
import type { EncodedEvent, Filter, Recorded, StreamName } from "../Journal.ts"
import { categoryOf, JournalUnavailable } from "../Journal.ts"
import type { Append } from "./decideAppend.ts"
import { storable } from "./storable.ts"
import type { Row } from "./storage.ts"

/** Throws on what the types cannot exclude: it would otherwise fail a whole batch of innocent neighbours. */
export const toTexts = (events: ReadonlyArray<EncodedEvent>): Append["events"] =>
  events.map(({ type, schemaVersion, payload }) => {
    const text: string | undefined = JSON.stringify(payload)
    if (text === undefined) throw new Error(`the payload of ${type} is not JSON`)
    if (!Number.isSafeInteger(schemaVersion) || schemaVersion < 1) throw new Error(`${type} has no schema version`)
    return { type: storable("the type", type), schemaVersion, payload: text }
  })

export const matches = (
  filter: Filter | undefined,
  event: { readonly stream: StreamName; readonly type: string }
): boolean =>
  filter === undefined ||
  ((filter.stream === undefined || filter.stream === event.stream) &&
    (filter.category === undefined || filter.category === categoryOf(event.stream)) &&
    (filter.types === undefined || filter.types.includes(event.type)))

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Absent fields are left out. One object, no spreading: this runs once for every event that is read. */
export const toRecordedUnsafe = (journalId: string, row: Row): Recorded => {
  const recorded: Mutable<Recorded> = {
    position: row.position,
    stream: row.stream,
    version: row.version,
    type: row.type,
    schemaVersion: row.schemaVersion,
    payload: JSON.parse(row.payload),
    eventId: `${journalId}:${row.position}`,
    recordedAtMillis: row.recordedAtMillis,
    epoch: row.epoch
  }
  if (row.commandId !== undefined) recorded.commandId = row.commandId
  if (row.causation !== undefined) recorded.causation = row.causation
  if (row.correlation !== undefined) recorded.correlation = row.correlation
  if (row.closes) recorded.closes = true
  return recorded
}

/** Fails with `Corrupt` on a payload that is no longer JSON: only an edit of the file can do that. */
export const toRecorded = (
  journalId: string,
  rows: ReadonlyArray<Row>
): Effect.Effect<Array<Recorded>, JournalUnavailable> =>
  Effect.try({
    try: () => rows.map((row) => toRecordedUnsafe(journalId, row)),
    catch: (cause) => new JournalUnavailable({ operation: "read", reason: "Corrupt", detail: String(cause) })
  })
