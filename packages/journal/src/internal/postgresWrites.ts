/**
 * Adapter (@effect/sql-pg): one transaction of a writer, of which there may be many. It locks the head's row, decides on
 * what is committed, and writes everything in one statement. The lock is held until the commit is visible, so positions
 * become visible in their order and without holes, whoever writes and whoever else has a transaction open.
 */
import type { Row as Columns } from "@effect/sql-pg/PgConnection"
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { categoryOf, type JournalUnavailable } from "../Journal.ts"
import { isEmpty } from "./draft.ts"
import type { Queries, WriterDatabase } from "./postgresDatabase.ts"
import { inTransaction } from "./postgresDatabase.ts"
import { commitUnavailable, unavailable } from "./postgresError.ts"
import {
  booleans,
  integer,
  integers,
  keyArrays,
  optionalText,
  texts,
  toCommand,
  toStreamInfo
} from "./postgresReads.ts"
import { isStorable } from "./storable.ts"
import type { Batch, CommitRow, Lookup, Needs } from "./storage.ts"

export interface Writes {
  readonly lock: string
  readonly write: string
  readonly clear: string
  readonly put: string
  readonly remove: string
}

/**
 * `lock` waits for the head's row and looks up what is needed in the same round trip. `seen` is the head by the
 * statement's snapshot: where the lock had to be waited for it is older than `position`, and so is all that was looked up.
 */
export const statements = (schema: string): Writes => ({
  lock: `SELECT h.position, h.commit_id, h.hash, (SELECT position FROM ${schema}.head) AS seen,
    (SELECT json_agg(json_build_object('name', name, 'version', version, 'status', status, 'position', position))
     FROM ${schema}.streams WHERE name = ANY ($1::text[])) AS streams,
    (SELECT json_agg(json_build_object('name', s.name, 'command_id', a.command_id, 'digest', a.digest,
       'first_position', a.first_position, 'last_position', a.last_position, 'version', a.version))
     FROM unnest($2::text[], $3::text[]) AS k (name, command_id)
     JOIN ${schema}.streams s ON s.name = k.name
     JOIN ${schema}.appends a ON a.stream_id = s.id AND a.command_id = k.command_id) AS commands,
    (SELECT json_agg(json_build_object('collection', d.collection, 'key', d.key, 'value', d.value))
     FROM unnest($4::text[], $5::text[]) AS k (collection, key)
     JOIN ${schema}.documents d ON d.collection = k.collection AND d.key = k.key) AS documents
    FROM ${schema}.head h FOR UPDATE OF h`,
  write: `WITH heads AS (
      INSERT INTO ${schema}.streams (name, category, version, position, status, opened_at, closed_at)
      SELECT name, category, version, position, status, $1, CASE status WHEN 'closed' THEN $1 END
      FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
        AS n (name, category, version, position, status)
      ON CONFLICT (name) DO UPDATE SET version = excluded.version, position = excluded.position,
        status = excluded.status, closed_at = excluded.closed_at
      RETURNING id, name
    ), rows AS (
      INSERT INTO ${schema}.events
      SELECT n.position, h.id, n.version, n.type, n.schema_version, n.payload, n.command_id, n.causation,
        n.correlation, n.closes, n.recorded_at, n.epoch
      FROM unnest($7::bigint[], $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::text[],
          $14::bigint[], $15::text[], $16::boolean[], $17::bigint[], $18::bigint[])
        AS n (position, name, version, type, schema_version, payload, command_id, causation, correlation, closes,
          recorded_at, epoch)
      JOIN heads h ON h.name = n.name
    ), answers AS (
      INSERT INTO ${schema}.appends
      SELECT h.id, n.command_id, n.digest, n.first, n.last, n.version
      FROM unnest($19::text[], $20::text[], $21::text[], $22::bigint[], $23::bigint[], $24::bigint[])
        AS n (name, command_id, digest, first, last, version)
      JOIN heads h ON h.name = n.name
    ), link AS (
      INSERT INTO ${schema}.commits VALUES ($25, $26, $27, $28, $1, $29)
    ), head AS (
      UPDATE ${schema}.head SET position = $27, commit_id = $25, hash = $29
    ) SELECT pg_notify($30, $31)`,
  clear: `DELETE FROM ${schema}.documents WHERE collection = $1 AND key IN (
      SELECT key FROM ${schema}.documents WHERE collection = $1 ORDER BY key LIMIT $2)`,
  put: `INSERT INTO ${schema}.documents SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value`,
  remove: `DELETE FROM ${schema}.documents d USING unnest($1::text[], $2::text[]) AS k (collection, key)
    WHERE d.collection = k.collection AND d.key = k.key`
})

/** Channel of the schema's notifications; their payload is `<epoch> <last position>`. */
export const channelOf = (name: string): string => `${name}_head`

export const runCommit = (
  database: WriterDatabase,
  sql: Writes,
  needs: Needs,
  decide: (lookup: Lookup) => Batch
): Effect.Effect<void, JournalUnavailable> => {
  const refused = unavailable("append to", database.path)
  return inTransaction(
    database.writer,
    database.answerWithin,
    Effect.fnUntraced(function* (connection): Effect.fn.Return<void, JournalUnavailable> {
      const lookup = yield* Effect.mapError(lockAndLook(connection, sql, needs), refused)
      const batch = yield* Effect.sync(() => decide(lookup))
      if (isEmpty(batch)) {
        yield* Effect.mapError(connection.query("ROLLBACK"), refused)
        return
      }
      yield* Effect.mapError(write(connection, sql, database.name, batch), refused)
      yield* Effect.mapError(connection.query("COMMIT"), commitUnavailable(database.path))
    })
  ).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(refused(error))))
}

const listOf = (json: unknown): ReadonlyArray<Columns> => (Array.isArray(json) ? json : [])

/** Looks again when the lock had to be waited for: then it is ours, and nothing can change any more. */
const lockAndLook = Effect.fnUntraced(function* (
  connection: Queries,
  sql: Writes,
  needs: Needs
): Effect.fn.Return<Lookup, SqlError> {
  // A key that cannot be stored is not there; the decision that asks for it dies alone.
  const asked = needs.documents.filter(({ key }) => isStorable(key))
  const documents = [...new Map(asked.map((one) => [`${one.collection} ${one.key}`, one])).values()]
  const parameters = [
    texts([...new Set(needs.streams)]),
    ...keyArrays(needs.commands),
    texts(documents.map(({ collection }) => collection)),
    texts(documents.map(({ key }) => key))
  ]
  const look = Effect.map(connection.query(sql.lock, parameters), ({ rows }): Columns => rows[0] ?? {})
  const first = yield* look
  return toLookup(first["seen"] === first["position"] ? first : yield* look)
})

const toLookup = (columns: Columns): Lookup => {
  const streams = new Map(
    listOf(columns["streams"])
      .map(toStreamInfo)
      .map((info) => [info.name, info] as const)
  )
  const commands = new Map(
    listOf(columns["commands"])
      .map(toCommand)
      .map((row) => [`${row.stream} ${row.commandId}`, row] as const)
  )
  const documents = new Map(
    listOf(columns["documents"]).map((row) => [
      `${String(row["collection"])} ${String(row["key"])}`,
      String(row["value"])
    ])
  )
  return {
    head: Number(columns["position"]),
    commit: { id: Number(columns["commit_id"]), hash: optionalText(columns, "hash") },
    stream: (name) => streams.get(name),
    command: (stream, commandId) => commands.get(`${stream} ${commandId}`),
    document: (collection, key) => documents.get(`${collection} ${key}`)
  }
}

const write = Effect.fnUntraced(function* (
  connection: Queries,
  sql: Writes,
  name: string,
  batch: Batch
): Effect.fn.Return<void, SqlError> {
  const { commit, clear, documents } = batch
  if (commit !== undefined) yield* connection.query(sql.write, eventParameters(batch, commit, channelOf(name)))
  for (const { collection, limit } of clear) yield* connection.query(sql.clear, [collection, integer(limit)])
  const gone = documents.filter(({ value }) => value === undefined)
  const kept = documents.flatMap(({ collection, key, value }) =>
    value === undefined ? [] : [{ collection, key, value }]
  )
  const keys = (of: typeof documents) => [
    texts(of.map(({ collection }) => collection)),
    texts(of.map(({ key }) => key))
  ]
  if (gone.length > 0) yield* connection.query(sql.remove, keys(gone))
  if (kept.length > 0) yield* connection.query(sql.put, [...keys(kept), texts(kept.map(({ value }) => value))])
})

const eventParameters = ({ streams, rows, commands }: Batch, commit: CommitRow, channel: string) => [
  integer(commit.recordedAtMillis),
  texts(streams.map((s) => s.name)),
  texts(streams.map((s) => categoryOf(s.name))),
  integers(streams.map((s) => s.version)),
  integers(streams.map((s) => s.position)),
  texts(streams.map((s) => s.status)),
  integers(rows.map((e) => e.position)),
  texts(rows.map((e) => e.stream)),
  integers(rows.map((e) => e.version)),
  texts(rows.map((e) => e.type)),
  integers(rows.map((e) => e.schemaVersion)),
  texts(rows.map((e) => e.payload)),
  texts(rows.map((e) => e.commandId ?? null)),
  integers(rows.map((e) => e.causation)),
  texts(rows.map((e) => e.correlation ?? null)),
  booleans(rows.map((e) => e.closes)),
  integers(rows.map((e) => e.recordedAtMillis)),
  integers(rows.map((e) => e.epoch)),
  texts(commands.map((c) => c.stream)),
  texts(commands.map((c) => c.commandId)),
  texts(commands.map((c) => c.digest)),
  integers(commands.map((c) => c.first)),
  integers(commands.map((c) => c.last)),
  integers(commands.map((c) => c.version)),
  integer(commit.id),
  integer(commit.first),
  integer(commit.last),
  integer(commit.epoch),
  commit.hash,
  channel,
  `${commit.epoch} ${commit.last}`
]
