/**
 * Adapter (@effect/sql-pg): the tables of a journal in a schema of their own, and the check that a schema holds a
 * journal of a format we know.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { JournalUnavailable } from "../Journal.ts"
import { algorithm, genesisHash } from "./hashChain.ts"
import type { Queries } from "./postgresDatabase.ts"

/** Version of the tables below; a schema with a higher one was written by a newer program and is refused. */
const formatVersion = 1

// One row is the head: whoever updates it has the next positions, and nobody sees them before the one before committed.
// It is updated by every commit, so its page has room for new versions of it (HOT) and is vacuumed early.
// No foreign keys: they would lock stream rows for every event, and `verify` checks what they would.
const tables = (schema: string): ReadonlyArray<string> => [
  `CREATE TABLE ${schema}.meta (
     one boolean PRIMARY KEY CHECK (one),
     format bigint NOT NULL, id text NOT NULL, created_at bigint NOT NULL, algorithm text NOT NULL, genesis text NOT NULL
   )`,
  `CREATE TABLE ${schema}.head (
     one boolean PRIMARY KEY CHECK (one), position bigint NOT NULL, commit_id bigint NOT NULL, hash text
   ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0)`,
  `INSERT INTO ${schema}.head VALUES (true, 0, 0, NULL)`,
  `CREATE TABLE ${schema}.writers (
     epoch bigint PRIMARY KEY,
     host text NOT NULL, pid bigint NOT NULL, boot_id text NOT NULL, started_at bigint NOT NULL, ended_at bigint
   )`,
  `CREATE TABLE ${schema}.streams (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     name text COLLATE "C" NOT NULL UNIQUE, category text COLLATE "C" NOT NULL,
     version bigint NOT NULL, position bigint NOT NULL,
     status text NOT NULL CHECK (status IN ('open', 'closed')), opened_at bigint NOT NULL, closed_at bigint
   )`,
  `CREATE INDEX open_streams ON ${schema}.streams (category) WHERE status = 'open'`,
  `CREATE TABLE ${schema}.events (
     position bigint PRIMARY KEY, stream_id bigint NOT NULL, version bigint NOT NULL,
     type text NOT NULL, schema_version bigint NOT NULL, payload text NOT NULL,
     command_id text, causation bigint, correlation text, closes boolean NOT NULL,
     recorded_at bigint NOT NULL, epoch bigint NOT NULL,
     UNIQUE (stream_id, version)
   )`,
  `CREATE TABLE ${schema}.appends (
     stream_id bigint NOT NULL, command_id text COLLATE "C" NOT NULL, digest text NOT NULL,
     first_position bigint NOT NULL, last_position bigint NOT NULL, version bigint NOT NULL,
     PRIMARY KEY (stream_id, command_id)
   )`,
  `CREATE TABLE ${schema}.commits (
     id bigint PRIMARY KEY, first_position bigint NOT NULL, last_position bigint NOT NULL,
     epoch bigint NOT NULL, recorded_at bigint NOT NULL, hash text NOT NULL
   )`,
  `CREATE INDEX commit_epochs ON ${schema}.commits (epoch)`,
  // Derived state, not covered by the hash chain: checkpoints, projected rows, snapshots.
  `CREATE TABLE ${schema}.documents (
     collection text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, value text NOT NULL,
     PRIMARY KEY (collection, key)
   )`
]

export interface Meta {
  readonly id: string
  readonly createdAtMillis: number
}

/** A schema whose tables are of a later version than ours. */
export interface NewerFormat {
  readonly found: number
  readonly supported: number
}

/** The journal's own description; undefined when the schema is missing or empty. Refuses another program's schema. */
export const readMeta = Effect.fnUntraced(function* (
  connection: Queries,
  name: string,
  path: string
): Effect.fn.Return<Meta | NewerFormat | undefined, SqlError | JournalUnavailable> {
  const [found] = (yield* connection.query(
    `SELECT count(*) AS tables, count(*) FILTER (WHERE tablename = 'meta') AS metas
     FROM pg_catalog.pg_tables WHERE schemaname = $1`,
    [name]
  )).rows
  if (Number(found?.["tables"]) === 0) return undefined
  const notAJournal = (detail: string) =>
    new JournalUnavailable({ operation: "open", reason: "NotAJournal", detail, path })
  if (Number(found?.["metas"]) === 0) return yield* notAJournal("the schema holds another program's tables")
  const [meta] = (yield* connection.query(`SELECT to_jsonb(m) AS meta FROM "${name}".meta m`)).rows
  // Only `format` is looked at first: a newer format may lack the other columns.
  const columns = Object(meta?.["meta"])
  if (typeof columns.format !== "number") return yield* notAJournal("its table meta is not a journal's")
  if (columns.format > formatVersion) return { found: columns.format, supported: formatVersion }
  return { id: String(columns.id), createdAtMillis: Number(columns.created_at) }
})

/** Creates all tables in the transaction of the caller, so that a kill leaves nothing or a whole journal. */
export const createTables = Effect.fnUntraced(function* (
  connection: Queries,
  name: string,
  { id, createdAtMillis }: Meta
): Effect.fn.Return<Meta, SqlError> {
  // Not IF NOT EXISTS: that too takes the right to create schemas, which the owner of one that is there may lack.
  const { rows } = yield* connection.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", [name])
  if (rows.length === 0) yield* connection.query(`CREATE SCHEMA "${name}"`, [], false)
  for (const statement of tables(`"${name}"`)) yield* connection.query(statement, [], false)
  yield* connection.query(
    `INSERT INTO "${name}".meta VALUES (true, $1::bigint, $2, $3::bigint, $4, $5)`,
    [String(formatVersion), id, String(createdAtMillis), algorithm, genesisHash(id, createdAtMillis)],
    false
  )
  return { id, createdAtMillis }
})
