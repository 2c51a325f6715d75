/** Adapter (@effect/sql-pg): turns what the server or the way to it says into {@link JournalUnavailable}, by SQLSTATE. */
import type { SqlError } from "effect/sql/SqlError"
import type { UnavailableReason } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"

// Codes and classes (two characters) of https://www.postgresql.org/docs/current/errcodes-appendix.html
const reasons: ReadonlyArray<readonly [code: string, reason: UnavailableReason]> = [
  ["08", "Unreachable"],
  ["57P", "Unreachable"],
  ["28", "AccessDenied"],
  ["42501", "AccessDenied"],
  ["3D000", "NotFound"],
  ["25006", "ReadOnly"],
  ["53100", "DiskFull"],
  ["XX001", "Corrupt"],
  ["XX002", "Corrupt"],
  ["42P01", "NotAJournal"],
  ["42703", "NotAJournal"]
]

/** The code that PostgreSQL gives to every error, with a severity; undefined when the error is the socket's or the driver's. */
const sqlState = ({ reason: { cause } }: SqlError): string | undefined =>
  cause instanceof Error && "severity" in cause && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined

const reasonOf = (error: SqlError): UnavailableReason => {
  const state = sqlState(error)
  if (state !== undefined) return reasons.find(([code]) => state.startsWith(code))?.[1] ?? "Failed"
  switch (error.reason._tag) {
    case "ConnectionError":
      return "Unreachable"
    case "AuthenticationError":
      return "AccessDenied"
    default:
      return "Failed"
  }
}

const detailOf = ({ reason }: SqlError): string => {
  const said = reason.cause instanceof Error ? reason.cause.message : ""
  return said === "" ? (reason.message ?? reason._tag) : said
}

export const unavailable =
  (operation: string, path: string) =>
  (error: SqlError): JournalUnavailable =>
    new JournalUnavailable({ operation, reason: reasonOf(error), detail: detailOf(error), path })

/**
 * The error of a COMMIT. One that the server answered was a rollback; without an answer, or with one that only tells of
 * the session's end, the commit may have happened.
 */
export const commitUnavailable =
  (path: string) =>
  (error: SqlError): JournalUnavailable => {
    const told = unavailable("append to", path)(error)
    if (sqlState(error) !== undefined && told.reason !== "Unreachable") return told
    return new JournalUnavailable({ operation: told.operation, reason: "CommitFailed", detail: told.detail, path })
  }
