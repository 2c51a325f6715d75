/** Adapter (node:sqlite): the tables of a journal file, and the check that a file is a journal of a format we know. */
import type { DatabaseSync } from "node:sqlite"
import { JournalUnavailable } from "../Journal.ts"
import { algorithm, genesisHash } from "./hashChain.ts"

/** Version of the tables below; a file with a higher one was written by a newer program and is refused. */
export const formatVersion = 2

// Since format 2. Documents are derived state, not covered by the hash chain: checkpoints, projected rows, snapshots.
// A segment file holds the events of archived streams; the hash chain covers them as before.
const additions = `
CREATE TABLE IF NOT EXISTS documents (
  collection TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
  id INTEGER PRIMARY KEY, file TEXT NOT NULL, sha256 TEXT NOT NULL, events INTEGER NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS archived (
  stream_id INTEGER PRIMARY KEY REFERENCES streams (id), segment_id INTEGER NOT NULL REFERENCES segments (id)
) STRICT;
`

// AUTOINCREMENT: deleting the tail never gives a position a second meaning.
// The partial index lets a recovery read open streams without the closed ones; appends costs one entry per append.
const tables = `
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  format INTEGER NOT NULL, id TEXT NOT NULL, created_at INTEGER NOT NULL, algorithm TEXT NOT NULL, genesis TEXT NOT NULL
) STRICT;
CREATE TABLE writers (
  epoch INTEGER PRIMARY KEY,
  host TEXT NOT NULL, pid INTEGER NOT NULL, boot_id TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER
) STRICT;
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE, category TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'closed')), opened_at INTEGER NOT NULL, closed_at INTEGER
) STRICT;
CREATE INDEX open_streams ON streams (category) WHERE status = 'open';
CREATE TABLE events (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  stream_id INTEGER NOT NULL REFERENCES streams (id), version INTEGER NOT NULL,
  type TEXT NOT NULL, schema_version INTEGER NOT NULL, payload TEXT NOT NULL,
  command_id TEXT, causation INTEGER, correlation TEXT, closes INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL, epoch INTEGER NOT NULL,
  UNIQUE (stream_id, version)
) STRICT;
CREATE TABLE appends (
  stream_id INTEGER NOT NULL REFERENCES streams (id), command_id TEXT NOT NULL, digest TEXT NOT NULL,
  first_position INTEGER NOT NULL, last_position INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (stream_id, command_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE commits (
  id INTEGER PRIMARY KEY,
  first_position INTEGER NOT NULL, last_position INTEGER NOT NULL, epoch INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
${additions}`

export interface Meta {
  readonly id: string
  readonly format: number
  readonly createdAtMillis: number
  readonly genesis: string
}

/** The file's own description; undefined when the database is empty. Throws on another program's database. */
export const readMeta = (db: DatabaseSync, path: string): Meta | undefined => {
  const objects = db.prepare("SELECT name FROM sqlite_schema").all()
  if (objects.length === 0) return undefined
  if (!objects.some((object) => object["name"] === "meta")) throw notAJournal(path)
  // Only `format` is read first: a newer format may lack the other columns.
  const format = db.prepare("SELECT format FROM meta").get()?.["format"]
  if (typeof format !== "number") throw notAJournal(path)
  if (format > formatVersion) return { id: "", format, createdAtMillis: 0, genesis: "" }
  const row = db.prepare("SELECT id, created_at, genesis FROM meta").get()
  if (row === undefined) throw notAJournal(path)
  return {
    id: String(row["id"]),
    format,
    createdAtMillis: Number(row["created_at"]),
    genesis: String(row["genesis"])
  }
}

export const notAJournal = (path: string) =>
  new JournalUnavailable({ operation: "open", reason: "NotAJournal", detail: "the file is another database", path })

/** Creates all tables in one transaction, so that a kill leaves an empty file or a whole journal. */
export const createTables = (db: DatabaseSync, id: string, createdAtMillis: number): Meta => {
  const genesis = genesisHash(id, createdAtMillis)
  db.exec("BEGIN IMMEDIATE")
  try {
    db.exec(tables)
    db.prepare("INSERT INTO meta VALUES (1, ?, ?, ?, ?, ?)").run(formatVersion, id, createdAtMillis, algorithm, genesis)
    db.exec("COMMIT")
  } catch (cause) {
    if (db.isTransaction) db.exec("ROLLBACK")
    throw cause
  }
  return { id, format: formatVersion, createdAtMillis, genesis }
}

/** Lifts a file of an older format to ours, in one transaction; only a writer does so, never a reader. */
export const migrate = (db: DatabaseSync, meta: Meta): Meta => {
  if (meta.format === formatVersion) return meta
  db.exec("BEGIN IMMEDIATE")
  try {
    db.exec(additions)
    db.prepare("UPDATE meta SET format = ?").run(formatVersion)
    db.exec("COMMIT")
  } catch (cause) {
    if (db.isTransaction) db.exec("ROLLBACK")
    throw cause
  }
  return { ...meta, format: formatVersion }
}
