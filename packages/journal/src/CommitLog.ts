/**
 * The journal as its hash chain sees it: commits with the exact text of their events. What an export is made of, and
 * what an import writes; everybody else reads events. Use it through `Transfer`.
 */
import type { Effect, Stream } from "effect"
import { Schema } from "effect"
import type { JournalUnavailable } from "./Journal.ts"
import type { CommandRow, CommitRow, Row } from "./internal/storage.ts"

/** One commit, all of its events in order, and the command ids that it answered. */
export interface LoggedCommit {
  readonly commit: CommitRow
  readonly rows: ReadonlyArray<Row>
  readonly commands: ReadonlyArray<CommandRow>
}

/** A commit does not go on where the journal ends, or contradicts itself; nothing of it was written. */
export class CommitRefused extends Schema.TaggedError<CommitRefused>()("CommitRefused", {
  /** Its id in the chain, 1-based. */
  commit: Schema.Int,
  fact: Schema.String
}) {
  override get message() {
    return `Could not restore commit ${this.commit}: ${this.fact}.\nImport an undamaged export into an empty journal that nobody else writes.`
  }
}

export interface CommitLog {
  /** With the id, the origin of the chain. */
  readonly createdAtMillis: number
  /** All commits up to the newest one when it starts, oldest first. */
  readonly commits: Stream.Stream<LoggedCommit, JournalUnavailable>
  /**
   * Writes a commit with its own times and epochs. `verbatim` keeps its hash, which must be the one that follows here;
   * `rechained` gives it the hash that it has in this journal's own chain. Answers that hash.
   */
  readonly restore: (
    commit: LoggedCommit,
    mode: "verbatim" | "rechained"
  ) => Effect.Effect<string, CommitRefused | JournalUnavailable>
}
