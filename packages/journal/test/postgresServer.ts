/** The server that the global set-up gives to PostgreSQL tests, and journals on it, each in a schema of its own. */
import * as PgPool from "@effect/sql-pg/PgPool"
import { Config, Effect, Layer, Redacted, Scope } from "effect"
import { randomUUID } from "node:crypto"
import * as Postgres from "@sbx/journal/Postgres"
import type { Fresh } from "./contract.ts"

/** `SBX_TEST_POSTGRES_URL`: a database that the tests may write to. */
export const serverUrl = Effect.orDie(Effect.flatMap(Config.Redacted("SBX_TEST_POSTGRES_URL"), Effect.succeed))

/** Plain sessions beside the journal, for what a test does behind its back. */
export const sessions = (url: Redacted.Redacted) => Effect.orDie(PgPool.make({ url, maxConnections: 4 }))

/** Runs one statement and gives its rows. */
export const run = (url: Redacted.Redacted, sql: string) =>
  Effect.scoped(
    Effect.flatMap(sessions(url), (pool) =>
      Effect.map(
        pool.use((connection) => connection.query(sql, [], false)),
        (result) => result.rows
      )
    )
  ).pipe(Effect.orDie)

/** A name that no schema has yet, dropped with the scope. */
export const freshSchema = (url: Redacted.Redacted): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => `t_${randomUUID().replaceAll("-", "")}`),
    (schema) => run(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)
  )

/** Where a fresh journal may be made. */
export const freshPlace = Effect.gen(function* () {
  const url = yield* serverUrl
  return { url, schema: yield* freshSchema(url) }
})

export const fresh: Fresh = ({ inline, ...tuning }) =>
  Layer.unwrap(
    Effect.map(freshPlace, (place) => {
      const options = { ...place, tuning }
      return inline === undefined ? Postgres.layer(options) : Postgres.layerWith({ ...options, inline })
    })
  )
