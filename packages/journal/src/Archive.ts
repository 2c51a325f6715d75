/**
 * Moves the events of closed streams out of a journal file into a segment file beside it. Stream heads, command ids and
 * commit hashes stay, so `Verification.verify` still covers every event. Refuses while a writer has the journal open.
 * Archived events are no longer served: reading such a stream fails `Archived`, subscriptions pass over its positions.
 */
import { Clock, Effect } from "effect"
import type { JournalUnavailable, StreamName } from "./Journal.ts"
import { JournalFormatUnsupported, JournalLocked } from "./Journal.ts"
import { takeOwnership } from "./internal/ownership.ts"
import { archiveFile } from "./internal/sqliteArchive.ts"
import { attempt } from "./internal/sqliteError.ts"
import { checkReadable, checkWritable } from "./internal/sqliteFile.ts"
import { readHolder } from "./internal/sqliteStorage.ts"

export interface ArchiveOptions {
  /** Path of an existing journal file that nobody writes. */
  readonly path: string
  /** Only streams closed at or before this time by the writer's clock, in milliseconds since 1970. Default: all. */
  readonly closedByMillis?: number
  /** Only these, as far as they are closed. Default: all. */
  readonly streams?: ReadonlyArray<StreamName>
}

export interface Archived {
  readonly streams: number
  readonly events: number
  /** Path of the new segment; absent when there was nothing to archive. Keep it with the journal file. */
  readonly segment?: string
}

/**
 * Writes the segment, syncs it, records it with its SHA-256, then deletes in slices of 5,000 rows. Killed at any moment
 * it leaves a journal that verifies; the next call finishes the deletion.
 */
export const archive = (
  options: ArchiveOptions
): Effect.Effect<Archived, JournalLocked | JournalFormatUnsupported | JournalUnavailable> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { path } = options
      yield* checkReadable(path)
      yield* checkWritable(path)
      if (!(yield* takeOwnership(path))) return yield* new JournalLocked({ path, ...(yield* readHolder(path)) })
      const now = yield* Clock.currentTimeMillis
      const archived = yield* attempt("archive", path, () => archiveFile(options, now))
      return "found" in archived ? yield* new JournalFormatUnsupported({ path, ...archived }) : archived
    })
  )
