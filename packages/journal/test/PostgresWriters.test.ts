/**
 * Twelve writers in two processes, whose transactions hold the head for random times and are rolled back at random by
 * the server, beside a stranger's transaction that stays open: a subscriber sees each committed event once, in order.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Postgres from "@sbx/journal/Postgres"
import { startChild } from "./child.ts"
import { freshPlace, freshSchema, run, serverUrl, sessions } from "./postgresServer.ts"

const processes = 2
const writersEach = 6
const appendsEach = 9
/** Every third append has two events. */
const eventCount = processes * writersEach * (appendsEach + appendsEach / 3)

/**
 * Makes the server hold and roll back transactions of a table at random. What the n-th attempt meets depends on the seed
 * alone: a sequence counts attempts and, unlike a table, does not forget those that were rolled back.
 */
const plantChaos = (schema: string, table: string, seed: number) => `
  CREATE SEQUENCE ${schema}.attempts;
  CREATE FUNCTION ${schema}.chaos() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE draw bigint := abs(hashint8extended(nextval('${schema}.attempts'), ${seed}) % 1000);
  BEGIN
    PERFORM pg_sleep((draw % 9) / 1000.0);
    IF draw % 6 = 0 THEN RAISE EXCEPTION 'planted'; END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER chaos BEFORE INSERT ON ${schema}.${table} FOR EACH ROW EXECUTE FUNCTION ${schema}.chaos()`

/** Statements one by one: the driver takes one at a time. */
const plant = (url: Redacted.Redacted, script: string) =>
  Effect.forEach(script.split(/;\n(?=  CREATE)/), (statement) => run(url, statement), { discard: true })

/** A transaction of somebody else that has written and then does nothing, for the scope's time. */
const strangersTransaction = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const schema = yield* freshSchema(url)
  const pool = yield* sessions(url)
  const connection = yield* Effect.orDie(pool.reserve)
  for (const statement of ["BEGIN", `CREATE SCHEMA ${schema}`, `CREATE TABLE ${schema}.t AS SELECT 1`]) {
    yield* Effect.orDie(connection.query(statement, [], false))
  }
  yield* Effect.addFinalizer(() => Effect.orDie(connection.query("ROLLBACK")))
})

/** What must hold of any reader of any log: each of `due` once, in that order. */
const lost = (seen: ReadonlyArray<number>, due: ReadonlyArray<number>) => {
  const times = new Map<number, number>()
  for (const position of seen) times.set(position, (times.get(position) ?? 0) + 1)
  return {
    missing: due.filter((position) => !times.has(position)),
    repeated: [...times].filter(([, count]) => count > 1).map(([position]) => position),
    disordered: seen.filter((position, index) => index > 0 && position <= (seen[index - 1] ?? 0))
  }
}
/** A property's failure prints the seed; one run is enough, since every attempt draws anew, and no seed is smaller. */
const once = { arbitrary: { runs: 1, maxShrinks: 0 } }

const nothing = { missing: [], repeated: [], disordered: [] }

const follow = (journal: Journal.Journal["Service"], count: number) =>
  journal.subscribe({ from: Journal.start }).pipe(
    Stream.filter((delivery) => delivery._tag === "Event"),
    Stream.map(({ event }) => event),
    Stream.take(count),
    Stream.runCollect,
    Effect.forkChild({ startImmediately: true })
  )

describe("twelve writers on PostgreSQL", () => {
  it.live.prop(
    "let a subscriber see every committed event exactly once, in order",
    { seed: Schema.Int },
    ({ seed }) =>
      Effect.gen(function* () {
        const { url, schema } = yield* freshPlace
        const place = { url, schema }
        const journal = yield* Layer.build(Postgres.layer(place))
        yield* plant(url, plantChaos(schema, "commits", seed))
        yield* strangersTransaction(url)
        const reader = yield* Layer.build(Layer.fresh(Postgres.layerReader(place)))
        const subscribers = yield* Effect.forEach([journal, reader], (context) =>
          Effect.flatMap(Journal.Journal, (service) => follow(service, eventCount)).pipe(Effect.provide(context))
        )
        const children = yield* Effect.forEach(
          Array.from({ length: processes }, (_, n) => n),
          (n) => {
            const args = [Redacted.value(url), schema, `p${n}`, String(writersEach), String(appendsEach)]
            return startChild("postgresWriters.ts", args)
          }
        )
        for (const child of children) assert.strictEqual((yield* child.exit).code, 0)
        const written = yield* Journal.Journal.pipe(
          Effect.flatMap((service) => Stream.runCollect(service.readAll())),
          Effect.provide(reader)
        )
        const due = Array.from({ length: eventCount }, (_, n) => n + 1)
        assert.deepStrictEqual(
          written.map((e) => e.position),
          due,
          `seed ${seed}`
        )
        for (const subscriber of subscribers) {
          const seen = yield* Fiber.join(subscriber).pipe(Effect.timeout("20 seconds"))
          assert.deepStrictEqual(
            lost(
              seen.map((e) => e.position),
              due
            ),
            nothing,
            `seed ${seed}`
          )
          assert.deepStrictEqual(seen, written, "the same content as read later")
        }
        const acknowledged = children.flatMap((child) => child.lines)
        assert.strictEqual(acknowledged.length, processes * writersEach * appendsEach)
        for (const line of acknowledged) {
          const [commandId, first] = line.split(" ")
          assert.strictEqual(written[Number(first) - 1]?.commandId, commandId, line)
        }
        const verified = yield* Postgres.verify(place)
        assert.deepStrictEqual([verified.problems, verified.head], [[], eventCount])
        const [attempts] = yield* run(url, `SELECT last_value FROM ${schema}.attempts`)
        const [commits] = yield* run(
          url,
          `SELECT count(*) AS n, count(DISTINCT epoch) AS writers FROM ${schema}.commits`
        )
        assert.isAbove(Number(attempts?.["last_value"]), Number(commits?.["n"]), "the server rolled some back")
        assert.strictEqual(Number(commits?.["writers"]), processes * writersEach, "every writer under its own epoch")
      }).pipe(Effect.scoped),
    once
  )

  it.live.prop(
    "make a reader that goes by a sequence lose events, so this check can fail",
    { seed: Schema.Int },
    ({ seed }) =>
      Effect.gen(function* () {
        const url = yield* serverUrl
        const schema = yield* freshSchema(url)
        yield* run(url, `CREATE SCHEMA ${schema}`)
        yield* run(url, `CREATE TABLE ${schema}.naive (id bigserial PRIMARY KEY)`)
        yield* plant(url, plantChaos(schema, "naive", seed))
        const write = run(url, `INSERT INTO ${schema}.naive DEFAULT VALUES`).pipe(
          Effect.exit,
          Effect.repeat({ times: 15 })
        )
        const writers = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 12 }, () => write),
            { concurrency: "unbounded" }
          )
        )
        const pool = yield* sessions(url)
        const seen: Array<number> = []
        const look = pool
          .use((connection) =>
            connection.query(`SELECT id FROM ${schema}.naive WHERE id > ${seen.at(-1) ?? 0} ORDER BY id`, [], false)
          )
          .pipe(Effect.map(({ rows }) => seen.push(...rows.map((row) => Number(row["id"])))))
        yield* Effect.suspend(() => look).pipe(Effect.repeat({ until: () => writers.pollUnsafe() !== undefined }))
        yield* Effect.suspend(() => look)
        const due = (yield* run(url, `SELECT id FROM ${schema}.naive ORDER BY id`)).map((row) => Number(row["id"]))
        assert.isNotEmpty(lost(seen, due).missing)
      }).pipe(Effect.scoped),
    once
  )
})
