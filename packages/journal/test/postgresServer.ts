/** The server that the global set-up gives to PostgreSQL tests, and journals on it, each in a schema of its own. */
import * as PgPool from "@effect/sql-pg/PgPool"
import { Config, Context, Effect, Layer, Redacted, Schema, Scope } from "effect"
import { assert } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import * as Postgres from "@sbx/journal/Postgres"
import { startChild } from "./child.ts"
import type { Fresh } from "./contract.ts"

/** `SBX_TEST_POSTGRES_URL`: a database that the tests may write to. */
export const serverUrl = Effect.orDie(Effect.flatMap(Config.Redacted("SBX_TEST_POSTGRES_URL"), Effect.succeed))

/** Plain sessions beside the journal, for what a test does behind its back. */
export const sessions = (url: Redacted.Redacted) => Effect.orDie(PgPool.make({ url, maxConnections: 4 }))

/** Runs one statement and gives its rows. */
export const runOn = (pool: PgPool.PgPool, sql: string) =>
  Effect.orDie(
    Effect.map(
      pool.use((connection) => connection.query(sql, [], false)),
      (result) => result.rows
    )
  )

/** {@link runOn} a session that is opened for it. */
export const run = (url: Redacted.Redacted, sql: string) =>
  Effect.scoped(Effect.flatMap(sessions(url), (pool) => runOn(pool, sql)))

/** A server that is deleted after the tests needs no tidying. */
const isOurs = Effect.orDie(
  Effect.flatMap(Config.Boolean("SBX_TEST_POSTGRES_OURS").pipe(Config.withDefault(false)), Effect.succeed)
)

/** A name that no schema has yet, dropped with the scope. */
export const freshSchema = (url: Redacted.Redacted): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => `t_${randomUUID().replaceAll("-", "")}`),
    (schema) =>
      Effect.flatMap(isOurs, (ours) => (ours ? Effect.void : run(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)))
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

const Facts = Schema.fromJsonString(Schema.Struct({ SBX_TEST_POSTGRES_URL: Schema.String }))

/** A server to be killed: the program of `SBX_TEST_POSTGRES_PROGRAM` keeps it and obeys one word a line. */
export class OwnServer extends Context.Service<
  OwnServer,
  { readonly url: Redacted.Redacted; readonly kill: Effect.Effect<void>; readonly start: Effect.Effect<void> }
>()("test/OwnServer") {
  static readonly layer = Layer.effect(
    OwnServer,
    Effect.gen(function* () {
      const child = yield* startChild(yield* Config.String("SBX_TEST_POSTGRES_PROGRAM"), [])
      yield* Effect.addFinalizer(() => {
        child.process.stdin?.end()
        return child.exit
      })
      const facts = yield* Schema.decodeEffect(Facts)(yield* child.line(0))
      let told = 0
      const tell = (word: string) =>
        Effect.suspend(() => {
          child.process.stdin?.write(`${word}\n`)
          told++
          return Effect.map(child.line(told), (line) => assert.strictEqual(line, `${word}: done`))
        })
      return { url: Redacted.make(facts.SBX_TEST_POSTGRES_URL), kill: tell("kill"), start: tell("start") }
    }).pipe(Effect.orDie)
  )
}

/** Asks until there is an answer: what a test waits for inside the server. */
export const awaitRow = (url: Redacted.Redacted, sql: string) =>
  Effect.scoped(
    Effect.flatMap(sessions(url), (pool) =>
      pool
        .use((connection) => connection.query(sql, [], false))
        .pipe(
          Effect.repeat({ until: ({ rows }) => rows.length > 0 }),
          Effect.map(({ rows }) => rows[0])
        )
    )
  ).pipe(Effect.orDie)
