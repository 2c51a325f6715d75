/**
 * Derived state beside the events, in the same storage and under the same transactions: what projections, checkpoints
 * and snapshots are made of. Never truth: not covered by the hash chain, not exported, always rebuildable from events.
 */
import type { Effect, Result, Stream } from "effect"
import type { JournalUnavailable } from "./Journal.ts"

/** Name of a document. A collection has no space and sorts its keys by their bytes in UTF-8. */
export interface DocumentKey {
  readonly collection: string
  readonly key: string
}

/** JSON text to keep under a name, or `undefined` to delete what is there. */
export interface DocumentWrite extends DocumentKey {
  readonly value: string | undefined
}

/** What a transaction on documents answers and writes. */
export interface Transacted<out A> {
  readonly answer: A
  readonly writes: ReadonlyArray<DocumentWrite>
  /** Deletes at most `limit` documents of each collection first; big collections go in slices. */
  readonly clear?: ReadonlyArray<{ readonly collection: string; readonly limit: number }>
}

export interface Documents {
  readonly get: (key: DocumentKey) => Effect.Effect<string | undefined, JournalUnavailable>
  /** A collection in the order of its keys, page by page: what is written meanwhile may or may not be among it. */
  readonly list: (
    collection: string
  ) => Stream.Stream<{ readonly key: string; readonly value: string }, JournalUnavailable>
  /**
   * Reads, decides and writes in one transaction, serialized with every append; succeeds once it is durable. `decide`
   * may look at `reads` only, is pure, and may run more than once.
   */
  readonly transact: <A, E>(
    reads: ReadonlyArray<DocumentKey>,
    decide: (read: (key: DocumentKey) => string | undefined) => Result.Result<Transacted<A>, E>
  ) => Effect.Effect<A, E | JournalUnavailable>
}
