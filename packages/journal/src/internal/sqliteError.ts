/** Adapter: turns what node:sqlite throws into {@link JournalUnavailable}; anything else thrown is a defect of ours. */
import { Effect } from "effect"
import type { UnavailableReason } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"

// Primary result codes, https://sqlite.org/rescode.html; the low byte of an extended code is its primary one.
export const SQLITE_BUSY = 5
const SQLITE_READONLY = 8
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_CANTOPEN = 14
const SQLITE_NOTADB = 26

const reasons = new Map<number, UnavailableReason>([
  [SQLITE_READONLY, "ReadOnly"],
  [SQLITE_CORRUPT, "Corrupt"],
  [SQLITE_FULL, "DiskFull"],
  [SQLITE_CANTOPEN, "NotFound"],
  [SQLITE_NOTADB, "NotAJournal"]
])

/** Primary result code of an error of node:sqlite, or undefined for any other value. */
export const sqliteCode = (cause: unknown): number | undefined => {
  if (!(cause instanceof Error) || !("errcode" in cause) || typeof cause.errcode !== "number") return undefined
  return cause.errcode & 0xff
}

export const unavailable = (
  operation: string,
  path: string,
  cause: unknown,
  otherwise: UnavailableReason = "Failed"
): Effect.Effect<never, JournalUnavailable> => {
  if (cause instanceof JournalUnavailable) return Effect.fail(cause)
  const code = sqliteCode(cause)
  if (code === undefined || !(cause instanceof Error)) return Effect.die(cause)
  const reason = reasons.get(code) ?? otherwise
  return Effect.fail(new JournalUnavailable({ operation, reason, detail: cause.message, path }))
}

/** Runs synchronous database work. */
export const attempt = <A>(operation: string, path: string, work: () => A): Effect.Effect<A, JournalUnavailable> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (cause) {
      return unavailable(operation, path, cause)
    }
  })
