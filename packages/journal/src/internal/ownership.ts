/**
 * Adapter (node:sqlite): one writer per journal, by an OS lock on a second, empty database file. The kernel frees it
 * when the process dies, kill -9 included, so no stale pid file can lie. The file is never deleted (a new one would be
 * another lock) and must not be opened by other means here: closing any descriptor of it drops POSIX locks, fcntl(2).
 */
import { Effect } from "effect"
import { DatabaseSync } from "node:sqlite"
import { fileExists } from "./sqliteFile.ts"
import { attempt, SQLITE_BUSY, sqliteCode, unavailable } from "./sqliteError.ts"

const lockPath = (path: string) => `${path}.lock`

/** A probe holds a shared lock for microseconds; an owner waits it out, in vain only before a live rival. Freed 0.3 ms after a kill -9, as measured. */
const patienceMillis = 250

/** Takes the lock for the scope. Succeeds with false when another writer, in whatever process, holds it. */
export const takeOwnership = (path: string) =>
  Effect.acquireRelease(
    attempt("open", path, () => {
      const db = new DatabaseSync(lockPath(path), { timeout: patienceMillis })
      return begin(db, "BEGIN EXCLUSIVE") ? db : undefined
    }),
    (db) => Effect.sync(() => db?.close())
  ).pipe(Effect.map((db) => db !== undefined))

/** Whether a writer holds the lock now. Creates nothing. */
export const isOwned = (path: string) =>
  Effect.suspend(() => {
    if (!fileExists(lockPath(path))) return Effect.succeed(false)
    try {
      const db = new DatabaseSync(lockPath(path), { readOnly: true, timeout: 0 })
      const free = begin(db, "SELECT 1 FROM sqlite_schema")
      if (free) db.close()
      return Effect.succeed(!free)
    } catch (cause) {
      return unavailable("look at the lock of", path, cause)
    }
  })

/** Runs the statement that takes the lock; closes and answers false when it is taken. */
const begin = (db: DatabaseSync, sql: string): boolean => {
  try {
    db.exec(sql)
    return true
  } catch (cause) {
    db.close()
    if (sqliteCode(cause) === SQLITE_BUSY) return false
    throw cause
  }
}
