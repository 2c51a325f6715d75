/**
 * The small contract under the journal: what memory, SQLite and PostgreSQL write themselves. Everything else (queue,
 * decisions, hashes, streams, subscriptions, projections) is derived from it in this folder, so that it behaves alike
 * everywhere.
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

export interface CommandKey {
  readonly stream: StreamName
  readonly commandId: string
}

/** The answer given to a command id, and the digest of the content that it stands for. */
export interface CommandRow extends CommandKey {
  readonly digest: string
  readonly first: number
  readonly last: number
  readonly version: number
}

/** One link of the hash chain: ids are contiguous from 1, and `hash` covers the hash before and all rows of it. */
export interface CommitRow {
  readonly id: number
  readonly first: number
  readonly last: number
  readonly epoch: number
  readonly recordedAtMillis: number
  readonly hash: string
}

/** Derived state kept beside the events (checkpoints, projected rows, snapshots): never truth, always rebuildable. */
export interface DocumentKey {
  readonly collection: string
  readonly key: string
}

/** A document as stored; `value` is JSON text. */
export interface DocumentRow extends DocumentKey {
  readonly value: string
}

/** Puts a document, or deletes it when `value` is undefined. */
export interface DocumentWrite extends DocumentKey {
  readonly value: string | undefined
}

/**
 * What one transaction writes. `streams` holds the state after it of every stream it touches; each name, key and pair
 * occurs once. A batch without rows may still write documents.
 */
export interface Batch {
  readonly rows: ReadonlyArray<Row>
  readonly streams: ReadonlyArray<StreamInfo>
  readonly commands: ReadonlyArray<CommandRow>
  /** Present exactly when there are rows. */
  readonly commit: CommitRow | undefined
  readonly documents: ReadonlyArray<DocumentWrite>
  /** Before the documents are written: delete at most `limit` documents of each collection. */
  readonly clear: ReadonlyArray<{ readonly collection: string; readonly limit: number }>
}

/** All that a decision may look up; a storage behind a network fetches it inside the transaction, after its lock. */
export interface Needs {
  readonly streams: ReadonlyArray<StreamName>
  readonly commands: ReadonlyArray<CommandKey>
  readonly documents: ReadonlyArray<DocumentKey>
}

/** The committed state as a decision sees it; asking for more than was declared in {@link Needs} is a defect. */
export interface Lookup {
  readonly head: number
  /** The newest commit; id 0 and undefined before the first. */
  readonly commit: { readonly id: number; readonly hash: string | undefined }
  readonly stream: (name: StreamName) => StreamInfo | undefined
  readonly command: (name: StreamName, commandId: string) => CommandRow | undefined
  readonly document: (collection: string, key: string) => string | undefined
}

/** Every list is ascending; `limit` bounds what one call reads. */
export interface ReadStorage {
  readonly id: string
  readonly createdAtMillis: number
  readonly epoch: number
  readonly head: Effect.Effect<number, JournalUnavailable>
  /** Rows with `after < position <= to`. The caller bounds the window. */
  readonly scan: (after: number, to: number) => Effect.Effect<ReadonlyArray<Row>, JournalUnavailable>
  /** Rows of one stream from a version on. */
  readonly readStream: (
    name: StreamName,
    fromVersion: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Row>, JournalUnavailable>
  /** In order of their first event. */
  readonly streams: (
    category: string | undefined,
    status: "open" | "closed" | undefined
  ) => Effect.Effect<ReadonlyArray<StreamInfo>, JournalUnavailable>
  /** The known ones of these, in any order. */
  readonly commands: (keys: ReadonlyArray<CommandKey>) => Effect.Effect<ReadonlyArray<CommandRow>, JournalUnavailable>
  /** Commits with a greater id. */
  readonly commits: (afterId: number, limit: number) => Effect.Effect<ReadonlyArray<CommitRow>, JournalUnavailable>
  readonly document: (collection: string, key: string) => Effect.Effect<string | undefined, JournalUnavailable>
  /** Documents of a collection with a greater key, by the bytes of the key in UTF-8. */
  readonly documents: (
    collection: string,
    afterKey: string,
    limit: number
  ) => Effect.Effect<ReadonlyArray<DocumentRow>, JournalUnavailable>
}

export interface Storage extends ReadStorage {
  /**
   * Runs `decide` on the committed state, with no other commit in between, and writes its batch atomically and
   * durably; an empty batch writes nothing. `decide` is pure and may be run again when a transaction is repeated; the
   * last run counts. What it throws is a defect, and nothing is written.
   */
  readonly commit: (needs: Needs, decide: (lookup: Lookup) => Batch) => Effect.Effect<void, JournalUnavailable>
}
