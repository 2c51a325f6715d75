/** Adapter (node:sqlite): the reading half of the storage. Pages are read whole: no transaction outlives a call. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite"
import type { StreamInfo, StreamName } from "../Journal.ts"
import type { JournalUnavailable } from "../Journal.ts"
import type { Effect } from "effect"
import type { ReadStorage, Row } from "./storage.ts"
import { attempt } from "./sqliteError.ts"

type Columns = Record<string, SQLOutputValue>

export interface Reads {
  readonly head: StatementSync
  readonly scan: StatementSync
  readonly stream: StatementSync
  readonly streams: StatementSync
}

const eventColumns = `
  e.position, s.name, e.version, e.type, e.schema_version, e.payload, e.command_id, e.causation, e.correlation,
  e.closes, e.recorded_at, e.epoch`

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
  )
})

/** Storage over whatever connection `reads` gives at the time; a writer may have replaced it after a failed commit. */
export const readStorage = (id: string, epoch: number, path: string, reads: () => Reads): ReadStorage => {
  const reading = <A>(work: (r: Reads) => A): Effect.Effect<A, JournalUnavailable> =>
    attempt("read", path, () => work(reads()))
  return {
    id,
    epoch,
    head: reading((r) => lastCommit(r).position),
    scan: (after, to) => reading((r) => r.scan.all(after, to).map(toRow)),
    readStream: (name, from, limit) => reading((r) => r.stream.all(name, from, limit).map(toRow)),
    streams: (category, status) => reading((r) => r.streams.all(category ?? null, status ?? null).map(toStreamInfo))
  }
}

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
