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
  readonly nameOf: (streamId: number) => StreamName | undefined
  readonly streams: StatementSync
  readonly findStream: StatementSync
  readonly archived: StatementSync
  readonly command: StatementSync
  readonly commandById: StatementSync
  readonly commits: StatementSync
  readonly document: StatementSync
  readonly documents: StatementSync
}

/** The columns of a row, read as an array: half the price of an object. {@link toRow} knows their order. */
export const eventColumns = `
  e.position, e.stream_id, e.version, e.type, e.schema_version, e.payload, e.command_id, e.causation, e.correlation,
  e.closes, e.recorded_at, e.epoch`

/** Names of streams by their ids, which never change. */
const namesKept = 65_536

export const hasTable = (db: DatabaseSync, name: string): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined

// A file of format 1, open for reading only, has neither documents nor archived streams.
const documentsOf = (db: DatabaseSync): string =>
  hasTable(db, "documents") ? "documents" : "(SELECT '' AS collection, '' AS key, '' AS value WHERE false)"
const archivedOf = (db: DatabaseSync): string =>
  hasTable(db, "archived") ? "archived" : "(SELECT 0 AS stream_id WHERE false)"

export const inArrays = (statement: StatementSync): StatementSync => {
  statement.setReturnArrays(true)
  return statement
}

const namesOf = (db: DatabaseSync): Reads["nameOf"] => {
  const select = db.prepare("SELECT name FROM streams WHERE id = ?")
  const names = new Map<number, StreamName>()
  return (streamId) => {
    const known = names.get(streamId)
    if (known !== undefined) return known
    const columns = select.get(streamId)
    if (columns === undefined) return undefined
    if (names.size >= namesKept) names.clear()
    const name = columns["name"] as StreamName
    names.set(streamId, name)
    return name
  }
}

export const prepareReads = (db: DatabaseSync): Reads => ({
  head: db.prepare("SELECT id, last_position, hash FROM commits ORDER BY id DESC LIMIT 1"),
  scan: inArrays(
    db.prepare(`SELECT ${eventColumns} FROM events e WHERE e.position > ? AND e.position <= ? ORDER BY e.position`)
  ),
  stream: inArrays(
    db.prepare(
      `SELECT ${eventColumns} FROM events e
       WHERE e.stream_id = (SELECT id FROM streams WHERE name = ?) AND e.version >= ? ORDER BY e.version LIMIT ?`
    )
  ),
  nameOf: namesOf(db),
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
  commandById: db.prepare(
    "SELECT command_id, digest, first_position, last_position, version FROM appends WHERE stream_id = ? AND command_id = ?"
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
    scan: (after, to) => reading((r) => scanRows(r, after, to)),
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
  const rows = cellsOf(r.stream.all(name, from, limit)).map((cells) => toRow(cells, name))
  if (rows[0]?.version === from || r.archived.get(name) === undefined) return rows
  const detail = `the events of ${name} were archived`
  throw new JournalUnavailable({ operation: "read", reason: "Archived", detail, path })
}

export const findStream = (r: Reads, name: StreamName): StreamInfo | undefined => {
  const columns = r.findStream.get(name)
  return columns === undefined ? undefined : toStreamInfo(columns)
}

/** `streamId` saves the look-up of the name, where it is known. */
export const findCommand = (
  r: Reads,
  stream: StreamName,
  commandId: string,
  streamId?: number
): CommandRow | undefined => {
  const columns = streamId === undefined ? r.command.get(stream, commandId) : r.commandById.get(streamId, commandId)
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

export type Cells = ReadonlyArray<SQLOutputValue>

/** What a statement in arrays gives; its declared type knows objects only. */
export const cellsOf = (rows: unknown): ReadonlyArray<Cells> => rows as ReadonlyArray<Cells>

/** Rows of a range of positions; an event whose stream is missing is left out, which `verify` then tells. */
export const scanRows = (r: Reads, after: number, to: number): Array<Row> => {
  const rows: Array<Row> = []
  for (const cells of cellsOf(r.scan.all(after, to))) {
    const name = r.nameOf(cells[1] as number)
    if (name !== undefined) rows.push(toRow(cells, name))
  }
  return rows
}

/** The columns were constrained by STRICT tables when written, so they are taken as they are, not checked again. */
export const toRow = (cells: Cells, stream: StreamName): Row => ({
  position: cells[0] as number,
  stream,
  version: cells[2] as number,
  type: cells[3] as string,
  schemaVersion: cells[4] as number,
  payload: cells[5] as string,
  commandId: (cells[6] ?? undefined) as string | undefined,
  causation: (cells[7] ?? undefined) as number | undefined,
  correlation: (cells[8] ?? undefined) as string | undefined,
  closes: cells[9] === 1,
  recordedAtMillis: cells[10] as number,
  epoch: cells[11] as number
})

export const toStreamInfo = (columns: Columns): StreamInfo => ({
  name: columns["name"] as StreamName,
  version: Number(columns["version"]),
  status: columns["status"] === "closed" ? "closed" : "open",
  position: Number(columns["position"])
})
