/** Adapter (node:sqlite): one transaction of the writer. Decides inside it, then writes rows, stream heads and hash. */
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { categoryOf } from "../Journal.ts"
import { commitHash } from "./hashChain.ts"
import type { Reads } from "./sqliteReads.ts"
import { lastCommit, toStreamInfo } from "./sqliteReads.ts"
import type { Batch, Lookup } from "./storage.ts"

export interface Connection {
  readonly db: DatabaseSync
  readonly reads: Reads
  readonly writes: Writes
}

export interface Writes {
  readonly findStream: StatementSync
  readonly findCommand: StatementSync
  readonly putStream: StatementSync
  readonly insertEvent: StatementSync
  readonly insertAppend: StatementSync
  readonly insertCommit: StatementSync
}

export const prepareWrites = (db: DatabaseSync): Writes => ({
  findStream: db.prepare("SELECT name, version, status, position FROM streams WHERE name = ?"),
  findCommand: db.prepare(
    `SELECT a.digest, a.first_position, a.last_position, a.version FROM appends a JOIN streams s ON s.id = a.stream_id
     WHERE s.name = ? AND a.command_id = ?`
  ),
  putStream: db.prepare(
    `INSERT INTO streams (name, category, version, position, status, opened_at, closed_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE ?5 WHEN 'closed' THEN ?6 END)
     ON CONFLICT (name) DO UPDATE SET version = ?3, position = ?4, status = ?5, closed_at = excluded.closed_at
     RETURNING id`
  ),
  insertEvent: db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
  insertAppend: db.prepare("INSERT INTO appends VALUES (?, ?, ?, ?, ?, ?)"),
  insertCommit: db.prepare("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)")
})

/** Where a transaction was when it failed: only a failing COMMIT leaves the outcome open. */
export interface Progress {
  committing: boolean
}

/**
 * One transaction: decide on what is committed, write, COMMIT. Throws as SQLite does and leaves the clean-up to the
 * caller, who knows from `progress` whether the outcome is open. IMMEDIATE takes the write lock before the decision
 * reads, so that what was decided on is what is written on.
 */
export const runCommit = (
  connection: Connection,
  genesis: string,
  decide: (lookup: Lookup) => Batch,
  progress: Progress
): void => {
  const { db } = connection
  db.exec("BEGIN IMMEDIATE")
  const previous = lastCommit(connection.reads)
  const batch = decide(makeLookup(connection, previous.position))
  if (batch.rows.length === 0) {
    db.exec("ROLLBACK")
    return
  }
  writeBatch(connection.writes, batch, previous.id + 1, previous.hash ?? genesis)
  progress.committing = true
  db.exec("COMMIT")
}

const makeLookup = ({ writes }: Connection, head: number): Lookup => ({
  head,
  stream: (name) => {
    const columns = writes.findStream.get(name)
    return columns === undefined ? undefined : toStreamInfo(columns)
  },
  command: (stream, commandId) => {
    const columns = writes.findCommand.get(stream, commandId)
    if (columns === undefined) return undefined
    return {
      stream,
      commandId,
      digest: String(columns["digest"]),
      first: Number(columns["first_position"]),
      last: Number(columns["last_position"]),
      version: Number(columns["version"])
    }
  }
})

/** Stream heads first: the rows refer to their ids. The hash comes last, over the rows as they were written. */
const writeBatch = (writes: Writes, batch: Batch, commitId: number, previousHash: string): void => {
  const first = batch.rows[0]
  const last = batch.rows.at(-1)
  if (first === undefined || last === undefined) return
  const at = first.recordedAtMillis
  const ids = new Map<string, number>()
  for (const s of batch.streams) {
    const row = writes.putStream.get(s.name, categoryOf(s.name), s.version, s.position, s.status, at)
    ids.set(s.name, Number(row?.["id"]))
  }
  const idOf = (name: string): number => {
    const id = ids.get(name)
    if (id === undefined) throw new Error(`stream ${name} is written without its head`)
    return id
  }
  for (const e of batch.rows) {
    const place = [e.position, idOf(e.stream), e.version] as const
    const content = [e.type, e.schemaVersion, e.payload] as const
    const links = [e.commandId ?? null, e.causation ?? null, e.correlation ?? null, e.closes ? 1 : 0] as const
    writes.insertEvent.run(...place, ...content, ...links, e.recordedAtMillis, e.epoch)
  }
  for (const c of batch.commands) {
    writes.insertAppend.run(idOf(c.stream), c.commandId, c.digest, c.first, c.last, c.version)
  }
  const hash = commitHash(previousHash, { id: commitId, epoch: first.epoch, recordedAtMillis: at }, batch.rows)
  writes.insertCommit.run(commitId, first.position, last.position, first.epoch, at, hash)
}
