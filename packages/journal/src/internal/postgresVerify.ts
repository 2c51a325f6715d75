/** Adapter (@effect/sql-pg): walks the commits of a schema in one snapshot and recomputes everything derived. */
import type { Row as Columns } from "@effect/sql-pg/PgConnection"
import { Duration, Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { JournalUnavailable } from "../Journal.ts"
import type { Verification } from "../Verification.ts"
import type { Walk } from "./chainWalk.ts"
import { checkCounts, checkHeads, startWalk, toVerification, walkCommit } from "./chainWalk.ts"
import { algorithm, genesisHash } from "./hashChain.ts"
import type { Database, Queries } from "./postgresDatabase.ts"
import { inTransaction } from "./postgresDatabase.ts"
import { unavailable } from "./postgresError.ts"
import { integer, keyArrays, statements, toCommand, toCommit, toRow, toStreamInfo } from "./postgresReads.ts"
import type { Meta } from "./postgresTables.ts"
import type { CommandKey, CommitRow } from "./storage.ts"

const commitsPerPage = 64

/** One snapshot for all queries: writers may go on meanwhile. Takes no lock but that of reading. */
const snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

export const verifySchema = (database: Database, meta: Meta): Effect.Effect<Verification, JournalUnavailable> =>
  inTransaction(
    database.pool,
    // Counting takes as long as the journal is large.
    Duration.infinity,
    Effect.fnUntraced(function* (connection): Effect.fn.Return<Verification, SqlError> {
      const { schema } = database
      const walk = startWalk(genesisHash(meta.id, meta.createdAtMillis))
      yield* checkMeta(connection, schema, walk)
      yield* checkCommits(connection, schema, walk)
      yield* checkHead(connection, schema, walk)
      const { rows } = yield* connection.query(`SELECT * FROM ${schema}.streams`)
      checkHeads(walk, rows.map(toKeptHead))
      yield* connection.query("ROLLBACK")
      return toVerification(walk, meta.id)
    }),
    snapshot
  ).pipe(Effect.mapError(unavailable("verify", database.path)))

const one = (connection: Queries, sql: string, parameters: ReadonlyArray<unknown> = []) =>
  Effect.map(connection.query(sql, parameters), ({ rows }): Columns => rows[0] ?? {})

const checkMeta = Effect.fnUntraced(function* (connection: Queries, schema: string, walk: Walk) {
  const kept = yield* one(connection, `SELECT algorithm, genesis FROM ${schema}.meta`)
  if (kept["algorithm"] !== algorithm) {
    walk.problems.push({ fact: `its tables are not those of a journal with ${String(kept["algorithm"])}` })
  }
  if (kept["genesis"] !== walk.hash) {
    walk.problems.push({ fact: "the genesis hash is not the one of this journal id" })
  }
})

const checkCommits = Effect.fnUntraced(function* (connection: Queries, schema: string, walk: Walk) {
  const sql = statements(schema)
  while (true) {
    const found = yield* connection.query(sql.commits, [integer(walk.commits), integer(commitsPerPage)])
    const commits = found.rows.map(toCommit)
    if (commits.length === 0) break
    for (const commit of commits) yield* checkCommit(connection, sql, walk, commit)
  }
  const kept = yield* one(
    connection,
    `SELECT (SELECT count(*) FROM ${schema}.appends) AS commands,
       (SELECT count(*) FROM ${schema}.events WHERE position > $1) AS events`,
    [integer(walk.head)]
  )
  checkCounts(walk, { commands: Number(kept["commands"]), eventsAfterHead: Number(kept["events"]) })
})

const checkCommit = Effect.fnUntraced(function* (
  connection: Queries,
  sql: ReturnType<typeof statements>,
  walk: Walk,
  commit: CommitRow
) {
  const scanned = yield* connection.query(sql.scan, [integer(commit.first - 1), integer(commit.last)])
  const rows = scanned.rows.map(toRow)
  const keys = new Map<string, CommandKey>()
  for (const { stream, commandId } of rows) {
    if (commandId !== undefined) keys.set(`${stream} ${commandId}`, { stream, commandId })
  }
  const found = keys.size === 0 ? [] : (yield* connection.query(sql.commands, keyArrays([...keys.values()]))).rows
  const commands = new Map(found.map(toCommand).map((row) => [`${row.stream} ${row.commandId}`, row] as const))
  walkCommit(walk, commit, rows, (stream, commandId) => commands.get(`${stream} ${commandId}`))
})

/** The row that writers lock must say what the newest commit says: they go on from it. */
const checkHead = Effect.fnUntraced(function* (connection: Queries, schema: string, walk: Walk) {
  const head = yield* one(connection, `SELECT position, commit_id, hash FROM ${schema}.head`)
  const agrees =
    Number(head["position"]) === walk.head &&
    Number(head["commit_id"]) === walk.commits &&
    (walk.commits === 0 ? head["hash"] === null : head["hash"] === walk.hash)
  if (!agrees) walk.problems.push({ fact: "the head disagrees with the newest commit" })
})

const toKeptHead = (columns: Columns) => ({
  ...toStreamInfo(columns),
  category: String(columns["category"]),
  openedAt: Number(columns["opened_at"]),
  closedAt: columns["closed_at"] === null ? undefined : Number(columns["closed_at"])
})
