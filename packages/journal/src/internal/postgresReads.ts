/**
 * Adapter (@effect/sql-pg): the reading half of the storage. Every call is one statement, so no transaction outlives it.
 * A server that went away is waited for: what reads may be repeated.
 */
import type { Row as Columns } from "@effect/sql-pg/PgConnection"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Duration, Effect, Result, Schedule } from "effect"
import type { JournalUnavailable, StreamInfo, StreamName } from "../Journal.ts"
import { journalClosed } from "./hub.ts"
import type { Database } from "./postgresDatabase.ts"
import { impatient } from "./postgresDatabase.ts"
import { unavailable } from "./postgresError.ts"
import type { Meta } from "./postgresTables.ts"
import type { CommandKey, CommandRow, CommitRow, ReadStorage, Row } from "./storage.ts"

export const texts = (values: ReadonlyArray<string | null>) =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text))
export const integers = (values: ReadonlyArray<number | undefined>) =>
  Result.getOrThrow(
    PgTypes.array(
      values.map((value) => (value === undefined ? null : BigInt(value))),
      PgTypes.OID.int8
    )
  )
export const booleans = (values: ReadonlyArray<boolean>) => Result.getOrThrow(PgTypes.array(values, PgTypes.OID.bool))
export const integer = (value: number) => PgTypes.int8(BigInt(value))

const eventsOf = (schema: string) => `
  SELECT e.position, s.name, e.version, e.type, e.schema_version, e.payload, e.command_id, e.causation, e.correlation,
    e.closes, e.recorded_at, e.epoch
  FROM ${schema}.events e JOIN ${schema}.streams s ON s.id = e.stream_id`

export const statements = (schema: string) => ({
  head: `SELECT position FROM ${schema}.head`,
  scan: `${eventsOf(schema)} WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position`,
  // A scalar subquery, so that the plan walks the index of (stream_id, version) in order and stops at the limit.
  stream: `${eventsOf(schema)}
    WHERE e.stream_id = (SELECT id FROM ${schema}.streams WHERE name = $1) AND e.version >= $2
    ORDER BY e.version LIMIT $3`,
  streams: `SELECT name, version, status, position FROM ${schema}.streams
    WHERE ($1::text IS NULL OR category = $1) AND ($2::text IS NULL OR status = $2) ORDER BY id`,
  commands: `SELECT s.name, a.command_id, a.digest, a.first_position, a.last_position, a.version
    FROM unnest($1::text[], $2::text[]) AS k (name, command_id)
    JOIN ${schema}.streams s ON s.name = k.name
    JOIN ${schema}.appends a ON a.stream_id = s.id AND a.command_id = k.command_id`,
  commits: `SELECT id, first_position, last_position, epoch, recorded_at, hash FROM ${schema}.commits
    WHERE id > $1 ORDER BY id LIMIT $2`,
  document: `SELECT value FROM ${schema}.documents WHERE collection = $1 AND key = $2`,
  documents: `SELECT key, value FROM ${schema}.documents WHERE collection = $1 AND key > $2 ORDER BY key LIMIT $3`
})

/** The life of an opened journal, as its reads see it. */
export interface Opened<out D extends Database = Database> {
  readonly database: D
  readonly meta: Meta
  readonly epoch: number
  /** How long a read waits for a server that went away. */
  readonly patience: Duration.Input
  closed: boolean
}

const again = Duration.millis(200)

export const readStorage = (opened: Opened): ReadStorage => {
  const { database, meta, epoch, patience } = opened
  const sql = statements(database.schema)
  const patiently = Schedule.spaced(again).pipe(Schedule.upTo({ duration: patience }))
  const rows = (
    statement: string,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<Columns>, JournalUnavailable> =>
    Effect.suspend(() =>
      opened.closed
        ? journalClosed("read")
        : database.pool
            .use((connection) => impatient(connection, database.answerWithin).query(statement, parameters))
            .pipe(
              Effect.mapError(unavailable("read", database.path)),
              Effect.map((result) => result.rows)
            )
    ).pipe(Effect.retry({ while: (error) => error.reason === "Unreachable", schedule: patiently }))
  return {
    id: meta.id,
    createdAtMillis: meta.createdAtMillis,
    epoch,
    head: Effect.map(rows(sql.head, []), ([row]) => Number(row?.["position"])),
    scan: (after, to) => Effect.map(rows(sql.scan, [integer(after), integer(to)]), (all) => all.map(toRow)),
    readStream: (name, from, limit) =>
      Effect.map(rows(sql.stream, [name, integer(from), integer(limit)]), (all) => all.map(toRow)),
    streams: (category, status) =>
      Effect.map(rows(sql.streams, [category ?? null, status ?? null]), (all) => all.map(toStreamInfo)),
    commands: (keys) => Effect.map(rows(sql.commands, keyArrays(keys)), (all) => all.map(toCommand)),
    commits: (afterId, limit) =>
      Effect.map(rows(sql.commits, [integer(afterId), integer(limit)]), (all) => all.map(toCommit)),
    document: (collection, key) =>
      Effect.map(rows(sql.document, [collection, key]), ([row]) =>
        row === undefined ? undefined : text(row, "value")
      ),
    documents: (collection, afterKey, limit) =>
      Effect.map(rows(sql.documents, [collection, afterKey, integer(limit)]), (all) =>
        all.map((row) => ({ collection, key: text(row, "key"), value: text(row, "value") }))
      )
  }
}

export const keyArrays = (keys: ReadonlyArray<CommandKey>) => [
  texts(keys.map((key) => key.stream)),
  texts(keys.map((key) => key.commandId))
]

const text = (columns: Columns, name: string): string => String(columns[name])

export const optionalText = (columns: Columns, name: string): string | undefined => {
  const value = columns[name]
  return typeof value === "string" ? value : undefined
}

/** Names were checked when they were written. */
const isName = (value: unknown): value is StreamName => typeof value === "string"

const nameOf = (columns: Columns): StreamName => {
  const { name } = columns
  if (!isName(name)) throw new Error("a stream without a name")
  return name
}

/** The columns were constrained by their tables when written, so they are converted, not checked again. */
export const toRow = (columns: Columns): Row => ({
  position: Number(columns["position"]),
  stream: nameOf(columns),
  version: Number(columns["version"]),
  type: text(columns, "type"),
  schemaVersion: Number(columns["schema_version"]),
  payload: text(columns, "payload"),
  commandId: optionalText(columns, "command_id"),
  causation: columns["causation"] === null ? undefined : Number(columns["causation"]),
  correlation: optionalText(columns, "correlation"),
  closes: columns["closes"] === true,
  recordedAtMillis: Number(columns["recorded_at"]),
  epoch: Number(columns["epoch"])
})

export const toStreamInfo = (columns: Columns): StreamInfo => ({
  name: nameOf(columns),
  version: Number(columns["version"]),
  status: columns["status"] === "closed" ? "closed" : "open",
  position: Number(columns["position"])
})

export const toCommand = (columns: Columns): CommandRow => ({
  stream: nameOf(columns),
  commandId: text(columns, "command_id"),
  digest: text(columns, "digest"),
  first: Number(columns["first_position"]),
  last: Number(columns["last_position"]),
  version: Number(columns["version"])
})

export const toCommit = (columns: Columns): CommitRow => ({
  id: Number(columns["id"]),
  first: Number(columns["first_position"]),
  last: Number(columns["last_position"]),
  epoch: Number(columns["epoch"]),
  recordedAtMillis: Number(columns["recorded_at"]),
  hash: text(columns, "hash")
})
