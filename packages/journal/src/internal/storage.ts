/**
 * The small contract under the journal: what memory, SQLite and later PostgreSQL write themselves. Everything else
 * (queue, decisions, streams, subscriptions) is derived from it in this folder, so that it behaves alike everywhere.
 */
import type { Effect } from "effect"
import type { JournalUnavailable, StreamInfo, StreamName } from "../Journal.ts"

/** An event as stored; `payload` is JSON text, written once and never formatted again: the hash covers these bytes. */
export interface Row {
  readonly position: number
  readonly stream: StreamName
  readonly version: number
  readonly type: string
  readonly schemaVersion: number
  readonly payload: string
  readonly commandId: string | undefined
  readonly causation: number | undefined
  readonly correlation: string | undefined
  readonly closes: boolean
  readonly recordedAtMillis: number
  readonly epoch: number
}

/** The answer given to a command id, and the digest of the content that it stands for. */
export interface CommandRow {
  readonly stream: StreamName
  readonly commandId: string
  readonly digest: string
  readonly first: number
  readonly last: number
  readonly version: number
}

/** What one commit writes; `streams` holds the state after it of every stream it touches. */
export interface Batch {
  readonly rows: ReadonlyArray<Row>
  readonly streams: ReadonlyArray<StreamInfo>
  readonly commands: ReadonlyArray<CommandRow>
}

/** The committed state as a decision sees it. */
export interface Lookup {
  readonly head: number
  readonly stream: (name: StreamName) => StreamInfo | undefined
  readonly command: (name: StreamName, commandId: string) => CommandRow | undefined
}

export interface ReadStorage {
  readonly id: string
  readonly epoch: number
  readonly head: Effect.Effect<number, JournalUnavailable>
  /** Rows with `after < position <= to`, ascending. The caller bounds the window. */
  readonly scan: (after: number, to: number) => Effect.Effect<ReadonlyArray<Row>, JournalUnavailable>
  /** Rows of one stream from a version on, ascending, at most `limit`. */
  readonly readStream: (
    name: StreamName,
    fromVersion: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Row>, JournalUnavailable>
  readonly streams: (
    category: string | undefined,
    status: "open" | "closed" | undefined
  ) => Effect.Effect<ReadonlyArray<StreamInfo>, JournalUnavailable>
}

export interface Storage extends ReadStorage {
  /** Short stand-in for the content of an append. */
  readonly digest: (content: string) => string
  /** Runs `decide` on the committed state and writes its batch atomically and durably; an empty batch writes nothing. */
  readonly commit: (decide: (lookup: Lookup) => Batch) => Effect.Effect<void, JournalUnavailable>
}
