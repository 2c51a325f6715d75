/** Adapter (node:sqlite): the tables of a sample file, the check that a file is one, and what its errors mean. */
import type { DatabaseSync } from "node:sqlite"
import type { StoreReason } from "../SampleStore.ts"
import { SampleStoreUnavailable } from "../SampleStore.ts"

/** "SBXS" in the file's header, where SQLite keeps whose file it is. */
const applicationId = 0x53425853
/** Version of the tables below. */
const formatVersion = 1

// A shape is the list of metrics that a sample mentions, sorted, and its source; `cells` has a number or a reason for each of them, in that order.
// `recorded` is this host's time: the age of an item must not depend on a source's clock.
const tables = `
CREATE TABLE subjects (
  id INTEGER PRIMARY KEY, subject TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (subject, key)
) STRICT;
CREATE TABLE shapes (id INTEGER PRIMARY KEY, metrics TEXT NOT NULL, source TEXT NOT NULL, UNIQUE (metrics, source)) STRICT;
CREATE TABLE items (
  id INTEGER PRIMARY KEY,
  subject_id INTEGER NOT NULL REFERENCES subjects (id), at REAL NOT NULL, recorded INTEGER NOT NULL,
  shape_id INTEGER REFERENCES shapes (id), interval REAL, cells TEXT, missed TEXT,
  CHECK ((cells IS NULL) = (shape_id IS NULL) AND (cells IS NULL) <> (missed IS NULL))
) STRICT;
CREATE INDEX items_by_time ON items (subject_id, at);
`

const header = (db: DatabaseSync, name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name])

/** Looks before it writes: a file that is not ours stays as it is. */
export const prepareTables = (db: DatabaseSync, path: string): void => {
  const refuse = (reason: StoreReason, detail: string) =>
    new SampleStoreUnavailable({ operation: "open", reason, detail, path })
  const found = header(db, "application_id")
  const empty = db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined
  if (found !== applicationId && !(found === 0 && empty)) {
    throw refuse("NotASampleStore", "the file is another database")
  }
  const format = header(db, "user_version")
  if (found === applicationId && format > formatVersion) {
    throw refuse("NewerFormat", `its format is ${format}, this program knows up to ${formatVersion}`)
  }
  if (empty) createTables(db)
}

/** In one transaction, so that a kill leaves an empty file or a whole store. */
const createTables = (db: DatabaseSync): void => {
  // Before the first table, or it has no effect.
  db.exec("PRAGMA auto_vacuum = INCREMENTAL")
  transaction(db, () =>
    db.exec(`${tables} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}`)
  )
}

/** All or nothing. */
export const transaction = (db: DatabaseSync, work: () => void): void => {
  db.exec("BEGIN IMMEDIATE")
  try {
    work()
    db.exec("COMMIT")
  } catch (cause) {
    if (db.isTransaction) db.exec("ROLLBACK")
    throw cause
  }
}

// Primary result codes, https://sqlite.org/rescode.html; the low byte of an extended code is its primary one.
const reasons = new Map<number, StoreReason>([
  [5, "Busy"],
  [8, "ReadOnly"],
  [11, "Corrupt"],
  [13, "DiskFull"],
  [14, "NotFound"],
  [26, "NotASampleStore"]
])

/** What node:sqlite threw as a typed error; `undefined` for anything else thrown, which is a defect of ours. */
export const unavailable = (
  operation: SampleStoreUnavailable["operation"],
  path: string,
  cause: unknown
): SampleStoreUnavailable | undefined => {
  if (cause instanceof SampleStoreUnavailable) return cause
  // A cell that is no JSON, in our hands or in SQLite's.
  if (cause instanceof SyntaxError || (cause instanceof Error && cause.message === "malformed JSON"))
    return new SampleStoreUnavailable({ operation, reason: "Corrupt", detail: cause.message, path })
  if (!(cause instanceof Error) || !("errcode" in cause) || typeof cause.errcode !== "number") return undefined
  const reason = reasons.get(cause.errcode & 0xff) ?? "Failed"
  return new SampleStoreUnavailable({ operation, reason, detail: cause.message, path })
}
