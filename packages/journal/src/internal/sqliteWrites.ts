/** Adapter (node:sqlite): one transaction of the writer. Decides inside it, then writes the batch. */
import type { DatabaseSync, StatementSync } from "node:sqlite"
import type { StreamInfo } from "../Journal.ts"
import { categoryOf } from "../Journal.ts"
import { isEmpty } from "./draft.ts"
import type { Reads } from "./sqliteReads.ts"
import { findCommand, findDocument, findStream, lastCommit } from "./sqliteReads.ts"
import type { Batch, Lookup } from "./storage.ts"

export interface Connection {
  readonly db: DatabaseSync
  readonly reads: Reads
  readonly writes: Writes
  readonly heads: Heads
}

/**
 * Stream heads as this connection committed or found them. Nobody else writes while we hold the ownership, and a failed
 * commit ends the connection, so they cannot go stale; what they save is two look-ups by name for every append.
 */
export type Heads = Map<string, { readonly id: number; readonly info: StreamInfo }>

const headsKept = 16_384

export interface Writes {
  readonly putStream: StatementSync
  readonly moveStream: StatementSync
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
  moveStream: db.prepare("UPDATE streams SET version = ?, position = ?, status = ?, closed_at = ? WHERE id = ?"),
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
  { db, reads, writes, heads }: Connection,
  decide: (lookup: Lookup) => Batch,
  progress: Progress
): void => {
  db.exec("BEGIN IMMEDIATE")
  const batch = decide(makeLookup(reads, heads))
  if (isEmpty(batch)) {
    db.exec("ROLLBACK")
    return
  }
  const moved = writeEvents(writes, heads, batch)
  writeDocuments(writes, batch)
  progress.committing = true
  db.exec("COMMIT")
  if (heads.size + moved.size > headsKept) heads.clear()
  for (const [name, head] of moved) heads.set(name, head)
}

const makeLookup = (reads: Reads, heads: Heads): Lookup => {
  const { id, position, hash } = lastCommit(reads)
  return {
    head: position,
    commit: { id, hash },
    stream: (name) => heads.get(name)?.info ?? findStream(reads, name),
    command: (stream, commandId) => findCommand(reads, stream, commandId, heads.get(stream)?.id),
    document: (collection, key) => findDocument(reads, collection, key)
  }
}

/** Stream heads first: the rows refer to their ids. Gives the heads as they are once the transaction has committed. */
const writeEvents = (writes: Writes, heads: Heads, { streams, rows, commands, commit }: Batch): Heads => {
  const moved: Heads = new Map()
  if (commit === undefined) return moved
  const at = commit.recordedAtMillis
  for (const info of streams) moved.set(info.name, { id: writeHead(writes, heads.get(info.name)?.id, info, at), info })
  const idOf = (name: string): number => {
    const head = moved.get(name)
    if (head === undefined) throw new Error(`stream ${name} is written without its head`)
    return head.id
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
  return moved
}

/** The id of the stream. */
const writeHead = (writes: Writes, known: number | undefined, info: StreamInfo, at: number): number => {
  const { name, version, position, status } = info
  if (known === undefined) {
    return Number(writes.putStream.get(name, categoryOf(name), version, position, status, at)?.["id"])
  }
  writes.moveStream.run(version, position, status, status === "closed" ? at : null, known)
  return known
}

const writeDocuments = (writes: Writes, { documents, clear }: Batch): void => {
  for (const { collection, limit } of clear) writes.clearDocuments.run(collection, limit)
  for (const { collection, key, value } of documents) {
    if (value === undefined) writes.deleteDocument.run(collection, key)
    else writes.putDocument.run(collection, key, value)
  }
}
