/**
 * Adapter (@effect/sql-pg): sessions to one schema, set up for a journal, and transactions on it. The writer has a
 * session of its own, and so has the listener: reads, however many and slow, never keep an append waiting for one.
 */
import type { Config, PgConnection } from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Duration, Effect, Redacted, Scope } from "effect"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

export interface Database {
  /** For reads. */
  readonly pool: PgPool.PgPool
  /** How a session is opened. */
  readonly session: Config
  /** How long the server may take over one statement before it counts as gone. */
  readonly answerWithin: Duration.Duration
  /** Name of the schema. */
  readonly name: string
  /** The schema as it is written in SQL. */
  readonly schema: string
  /** Where it is, for messages; without a password. */
  readonly path: string
}

export interface WriterDatabase extends Database {
  /** One session: transactions of a journal follow one another. It is replaced when it breaks. */
  readonly writer: PgPool.PgPool
}

/** Besides those for reads: the writer's and the listener's. */
const ownSessions = 2

/**
 * Session settings. A COMMIT is acknowledged when it is durable, whatever the role's default says. A writer that is
 * frozen while it holds the head's lock loses its transaction, so that it does not hold up the others for ever. Plans go
 * through the indexes also while the tables are small: a plan made then would be kept while they grow. That makes plans
 * without an index look so dear that they would be compiled, for a second each.
 */
const settings = {
  synchronous_commit: "on",
  default_transaction_isolation: "read committed",
  idle_in_transaction_session_timeout: "10s",
  lock_timeout: "30s",
  enable_seqscan: "off",
  jit: "off"
}

/** One event in one message: as large as PostgreSQL's largest text. */
const maxMessageSize = 2 ** 30

/** How to reach it, and how long it may take over a statement. */
export interface Reach extends PgPool.Config {
  readonly answerWithin: Duration.Input
}

export const openDatabase = (
  { answerWithin, ...options }: Reach,
  name: string
): Effect.Effect<Database, SqlError, Scope.Scope> => {
  const session = {
    applicationName: "@sbx/journal",
    keepAlive: "30 seconds",
    maxMessageSize,
    ...options,
    startupParameters: { ...settings, ...options.startupParameters }
  } as const
  const maxConnections = Math.max(1, (options.maxConnections ?? 10) - ownSessions)
  const schema = { name, schema: `"${name}"`, path: locate(options, name) }
  return Effect.map(PgPool.make({ ...session, minConnections: 1, maxConnections }), (pool) => {
    return { pool, session, answerWithin: Duration.fromInputUnsafe(answerWithin), ...schema }
  })
}

export const openWriterDatabase = (
  options: Reach,
  name: string
): Effect.Effect<WriterDatabase, SqlError, Scope.Scope> =>
  Effect.flatMap(openDatabase(options, name), (database) =>
    Effect.map(PgPool.make({ ...database.session, minConnections: 1, maxConnections: 1 }), (writer) => {
      return { ...database, writer }
    })
  )

/** A session's queries. */
export type Queries = Pick<PgConnection, "query">

/** A server that is frozen, or behind a network that swallows packets, never answers; its session is then given up. */
export const impatient = (connection: Queries, answerWithin: Duration.Duration): Queries => ({
  query: (sql, parameters, prepare) =>
    Effect.timeoutOrElse(connection.query(sql, parameters, prepare), {
      duration: answerWithin,
      orElse: () => {
        const cause = new Error(`the server did not answer within ${Duration.format(answerWithin)}`)
        return Effect.fail(new SqlError({ reason: new ConnectionError({ cause }) }))
      }
    })
})

/** `host/database#schema`; what a URL does not tell stays out. */
export const locate = (options: PgPool.Config, name: string): string => {
  const url = options.url === undefined ? undefined : URL.parse(Redacted.value(options.url))
  const given = (parameter: string) => url?.searchParams.get(parameter) ?? undefined
  const host = options.path ?? options.host ?? given("host") ?? url?.hostname ?? "localhost"
  const database = options.database ?? given("dbname") ?? url?.pathname.slice(1) ?? ""
  return `${host}/${database}#${name}`
}

/** Runs `use` between `begin` and ROLLBACK or whatever `use` ends the transaction with; the session is clean afterwards. */
export const inTransaction = <A, E>(
  pool: PgPool.PgPool,
  answerWithin: Duration.Duration,
  use: (connection: Queries) => Effect.Effect<A, E>,
  begin = "BEGIN"
): Effect.Effect<A, E | SqlError> =>
  Effect.scoped(
    Effect.flatMap(pool.reserve, (connection) => {
      const queries = impatient(connection, answerWithin)
      return Effect.andThen(queries.query(begin), use(queries)).pipe(
        // A session that cannot even roll back is not given to the next one.
        Effect.onError(() =>
          Effect.catchCause(Effect.asVoid(queries.query("ROLLBACK")), () => pool.invalidate(connection))
        )
      )
    })
  )
