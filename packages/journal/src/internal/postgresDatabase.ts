/** Adapter (@effect/sql-pg): a pool of sessions to one schema, set up for a journal, and transactions on it. */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Effect, Redacted, Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"

export interface Database {
  readonly pool: PgPool.PgPool
  /** Name of the schema. */
  readonly name: string
  /** The schema as it is written in SQL. */
  readonly schema: string
  /** Where it is, for messages; without a password. */
  readonly path: string
}

/**
 * One for the writer, one for the listener, one for reads; opened at once. A pool that grows leaves those who wait for a
 * new session without it when the one who asked for it first is interrupted: seen as appends that never ended.
 */
const fewestConnections = 3

/**
 * Session settings. A COMMIT is acknowledged when it is durable, whatever the role's default says. A writer that is
 * frozen while it holds the head's lock loses its transaction, so that it does not hold up the others for ever. Plans go
 * through the indexes also while the tables are small: a plan made then would be kept while they grow. That makes plans
 * without an index look so dear that they would be compiled, for a second each.
 */
const session = {
  synchronous_commit: "on",
  default_transaction_isolation: "read committed",
  idle_in_transaction_session_timeout: "10s",
  lock_timeout: "30s",
  enable_seqscan: "off",
  jit: "off"
}

/** One event in one message: as large as PostgreSQL's largest text. */
const maxMessageSize = 2 ** 30

export const openDatabase = (options: PgPool.Config, name: string): Effect.Effect<Database, SqlError, Scope.Scope> =>
  Effect.map(
    PgPool.make({
      applicationName: "@sbx/journal",
      keepAlive: "30 seconds",
      maxMessageSize,
      ...options,
      minConnections: fewestConnections,
      maxConnections: Math.max(options.maxConnections ?? 10, fewestConnections),
      startupParameters: { ...session, ...options.startupParameters }
    }),
    (pool) => ({ pool, name, schema: `"${name}"`, path: locate(options, name) })
  )

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
  { pool }: Database,
  use: (connection: PgConnection) => Effect.Effect<A, E>,
  begin = "BEGIN"
): Effect.Effect<A, E | SqlError> =>
  Effect.scoped(
    Effect.flatMap(pool.reserve, (connection) =>
      Effect.andThen(connection.query(begin), use(connection)).pipe(
        // A session that cannot even roll back is not given to the next one.
        Effect.onError(() =>
          Effect.catchCause(Effect.asVoid(connection.query("ROLLBACK")), () => pool.invalidate(connection))
        )
      )
    )
  )
