/** Adapter (node:sqlite): the reading half of the storage. Pages are read whole: no transaction outlives a call. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite"
import type { StreamInfo, StreamName } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"
import type { Effect } from "effect"
import type { CommandRow, CommitRow, ReadStorage, Row } from "./storage.ts"
import { attempt } from "./sqliteError.ts"
import type { Meta } from "./sqliteTables.ts"

type Columns = Record<string, SQLOutputValue>

export interface Reads {
  readonly head: StatementSync
  readonly scan: StatementSync
  readonly stream: StatementSync
  readonly streams: StatementSync
  readonly findStream: StatementSync
  readonly archived: StatementSync
  readonly command: StatementSync
  readonly commits: StatementSync
  readonly document: StatementSync
  readonly documents: StatementSync
}

export const eventColumns = `
  e.position, s.name, e.version, e.type, e.schema_version, e.payload, e.command_id, e.causation, e.correlation,
  e.closes, e.recorded_at, e.epoch`

export const hasTable = (db: DatabaseSync, name: string): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined

// A file of format 1, open for reading only, has neither documents nor archived streams.
const documentsOf = (db: DatabaseSync): string =>
  hasTable(db, "documents") ? "documents" : "(SELECT '' AS collection, '' AS key, '' AS value WHERE false)"
const archivedOf = (db: DatabaseSync): string =>
  hasTable(db, "archived") ? "archived" : "(SELECT 0 AS stream_id WHERE false)"

export const prepareReads = (db: DatabaseSync): Reads => ({
  head: db.prepare("SELECT id, last_position, hash FROM commits ORDER BY id DESC LIMIT 1"),
  scan: db.prepare(
    `SELECT ${eventColumns} FROM events e JOIN streams s ON s.id = e.stream_id
     WHERE e.position > ? AND e.position <= ? ORDER BY e.position`
  ),
  stream: db.prepare(
    `SELECT ${eventColumns} FROM events e JOIN streams s ON s.id = e.stream_id
     WHERE s.name = ? AND e.version >= ? ORDER BY e.version LIMIT ?`
  ),
  streams: db.prepare(
    `SELECT name, version, status, position FROM streams
     WHERE (?1 IS NULL OR category = ?1) AND (?2 IS NULL OR status = ?2) ORDER BY id`
  ),
  findStream: db.prepare("SELECT name, version, status, position FROM streams WHERE name = ?"),
  archived: db.prepare(`SELECT 1 FROM ${archivedOf(db)} a JOIN streams s ON s.id = a.stream_id WHERE s.name = ?`),
  command: db.prepare(
    `SELECT a.command_id, a.digest, a.first_position, a.last_position, a.version
     FROM appends a JOIN streams s ON s.id = a.stream_id WHERE s.name = ? AND a.command_id = ?`
  ),
  commits: db.prepare(
    `SELECT id, first_position, last_position, epoch, recorded_at, hash FROM commits WHERE id > ? ORDER BY id LIMIT ?`
  ),
  document: db.prepare(`SELECT value FROM ${documentsOf(db)} WHERE collection = ? AND key = ?`),
  documents: db.prepare(
    `SELECT key, value FROM ${documentsOf(db)} WHERE collection = ? AND key > ? ORDER BY key LIMIT ?`
  )
})

/** Storage over whatever connection `reads` gives at the time; a writer may have replaced it after a failed commit. */
export const readStorage = (
  { id, createdAtMillis }: Meta,
  epoch: number,
  path: string,
  reads: () => Reads
): ReadStorage => {
  const reading = <A>(work: (r: Reads) => A): Effect.Effect<A, JournalUnavailable> =>
    attempt("read", path, () => work(reads()))
  return {
    id,
    createdAtMillis,
    epoch,
    head: reading((r) => lastCommit(r).position),
    scan: (after, to) => reading((r) => r.scan.all(after, to).map(toRow)),
    readStream: (name, from, limit) => reading((r) => readStream(r, path, name, from, limit)),
    streams: (category, status) => reading((r) => r.streams.all(category ?? null, status ?? null).map(toStreamInfo)),
    commands: (keys) =>
      reading((r) => keys.flatMap(({ stream, commandId }) => findCommand(r, stream, commandId) ?? [])),
    commits: (afterId, limit) => reading((r) => r.commits.all(afterId, limit).map(toCommit)),
    document: (collection, key) => reading((r) => findDocument(r, collection, key)),
    documents: (collection, afterKey, limit) =>
      reading((r) =>
        r.documents
          .all(collection, afterKey, limit)
          .map((columns) => ({ collection, key: String(columns["key"]), value: String(columns["value"]) }))
      )
  }
}

/** A page that does not begin where it should is asked about: its stream may have been archived, wholly or half. */
const readStream = (r: Reads, path: string, name: StreamName, from: number, limit: number): ReadonlyArray<Row> => {
  const rows = r.stream.all(name, from, limit).map(toRow)
  if (rows[0]?.version === from || r.archived.get(name) === undefined) return rows
  const detail = `the events of ${name} were archived`
  throw new JournalUnavailable({ operation: "read", reason: "Archived", detail, path })
}

export const findStream = (r: Reads, name: StreamName): StreamInfo | undefined => {
  const columns = r.findStream.get(name)
  return columns === undefined ? undefined : toStreamInfo(columns)
}

export const findCommand = (r: Reads, stream: StreamName, commandId: string): CommandRow | undefined => {
  const columns = r.command.get(stream, commandId)
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

export const findDocument = (r: Reads, collection: string, key: string): string | undefined => {
  const columns = r.document.get(collection, key)
  return columns === undefined ? undefined : String(columns["value"])
}

export const toCommit = (columns: Columns): CommitRow => ({
  id: Number(columns["id"]),
  first: Number(columns["first_position"]),
  last: Number(columns["last_position"]),
  epoch: Number(columns["epoch"]),
  recordedAtMillis: Number(columns["recorded_at"]),
  hash: String(columns["hash"])
})

/** The newest commit: its id, the head and the hash to chain on; zeros and undefined in an empty journal. */
export const lastCommit = (r: Reads) => {
  const row = r.head.get()
  return row === undefined
    ? { id: 0, position: 0, hash: undefined }
    : { id: Number(row["id"]), position: Number(row["last_position"]), hash: String(row["hash"]) }
}

/** The columns were constrained by STRICT tables when written, so they are converted, not checked again. */
export const toRow = (columns: Columns): Row => ({
  position: Number(columns["position"]),
  stream: columns["name"] as StreamName,
  version: Number(columns["version"]),
  type: String(columns["type"]),
  schemaVersion: Number(columns["schema_version"]),
  payload: String(columns["payload"]),
  commandId: (columns["command_id"] ?? undefined) as string | undefined,
  causation: (columns["causation"] ?? undefined) as number | undefined,
  correlation: (columns["correlation"] ?? undefined) as string | undefined,
  closes: columns["closes"] === 1,
  recordedAtMillis: Number(columns["recorded_at"]),
  epoch: Number(columns["epoch"])
})

export const toStreamInfo = (columns: Columns): StreamInfo => ({
  name: columns["name"] as StreamName,
  version: Number(columns["version"]),
  status: columns["status"] === "closed" ? "closed" : "open",
  position: Number(columns["position"])
})
