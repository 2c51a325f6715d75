/** Adapter (node:sqlite): one transaction of the writer. Decides inside it, then writes the batch. */
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { categoryOf } from "../Journal.ts"
import { isEmpty } from "./draft.ts"
import type { Reads } from "./sqliteReads.ts"
import { findCommand, findDocument, findStream, lastCommit } from "./sqliteReads.ts"
import type { Batch, Lookup } from "./storage.ts"

export interface Connection {
  readonly db: DatabaseSync
  readonly reads: Reads
  readonly writes: Writes
}

export interface Writes {
  readonly putStream: StatementSync
  readonly insertEvent: StatementSync
  readonly insertAppend: StatementSync
  readonly insertCommit: StatementSync
  readonly putDocument: StatementSync
  readonly deleteDocument: StatementSync
  readonly clearDocuments: StatementSync
}

export const prepareWrites = (db: DatabaseSync): Writes => ({
  putStream: db.prepare(
    `INSERT INTO streams (name, category, version, position, status, opened_at, closed_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE ?5 WHEN 'closed' THEN ?6 END)
     ON CONFLICT (name) DO UPDATE SET version = ?3, position = ?4, status = ?5, closed_at = excluded.closed_at
     RETURNING id`
  ),
  insertEvent: db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
  insertAppend: db.prepare("INSERT INTO appends VALUES (?, ?, ?, ?, ?, ?)"),
  insertCommit: db.prepare("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)"),
  putDocument: db.prepare(
    "INSERT INTO documents VALUES (?1, ?2, ?3) ON CONFLICT (collection, key) DO UPDATE SET value = ?3"
  ),
  deleteDocument: db.prepare("DELETE FROM documents WHERE collection = ? AND key = ?"),
  clearDocuments: db.prepare(
    `DELETE FROM documents WHERE collection = ?1 AND key IN (
       SELECT key FROM documents WHERE collection = ?1 ORDER BY key LIMIT ?2)`
  )
})

/** Where the transaction was when it failed: only a failing COMMIT leaves the outcome open. */
export interface Progress {
  committing: boolean
}

/**
 * One transaction: decide on what is committed, write, COMMIT. Throws as SQLite does and leaves the clean-up to the
 * caller, who knows from `progress` whether the outcome is open. IMMEDIATE takes the write lock before the decision
 * reads, so that what was decided on is what is written on.
 */
export const runCommit = (
  { db, reads, writes }: Connection,
  decide: (lookup: Lookup) => Batch,
  progress: Progress
): void => {
  db.exec("BEGIN IMMEDIATE")
  const batch = decide(makeLookup(reads))
  if (isEmpty(batch)) {
    db.exec("ROLLBACK")
    return
  }
  writeEvents(writes, batch)
  writeDocuments(writes, batch)
  progress.committing = true
  db.exec("COMMIT")
}

const makeLookup = (reads: Reads): Lookup => {
  const { id, position, hash } = lastCommit(reads)
  return {
    head: position,
    commit: { id, hash },
    stream: (name) => findStream(reads, name),
    command: (stream, commandId) => findCommand(reads, stream, commandId),
    document: (collection, key) => findDocument(reads, collection, key)
  }
}

/** Stream heads first: the rows refer to their ids. */
const writeEvents = (writes: Writes, { streams, rows, commands, commit }: Batch): void => {
  if (commit === undefined) return
  const at = commit.recordedAtMillis
  const ids = new Map<string, number>()
  for (const s of streams) {
    const row = writes.putStream.get(s.name, categoryOf(s.name), s.version, s.position, s.status, at)
    ids.set(s.name, Number(row?.["id"]))
  }
  const idOf = (name: string): number => {
    const id = ids.get(name)
    if (id === undefined) throw new Error(`stream ${name} is written without its head`)
    return id
  }
  for (const e of rows) {
    writes.insertEvent.run(
      e.position,
      idOf(e.stream),
      e.version,
      e.type,
      e.schemaVersion,
      e.payload,
      e.commandId ?? null,
      e.causation ?? null,
      e.correlation ?? null,
      e.closes ? 1 : 0,
      e.recordedAtMillis,
      e.epoch
    )
  }
  for (const c of commands) {
    writes.insertAppend.run(idOf(c.stream), c.commandId, c.digest, c.first, c.last, c.version)
  }
  writes.insertCommit.run(commit.id, commit.first, commit.last, commit.epoch, at, commit.hash)
}

const writeDocuments = (writes: Writes, { documents, clear }: Batch): void => {
  for (const { collection, limit } of clear) writes.clearDocuments.run(collection, limit)
  for (const { collection, key, value } of documents) {
    if (value === undefined) writes.deleteDocument.run(collection, key)
    else writes.putDocument.run(collection, key, value)
  }
}
