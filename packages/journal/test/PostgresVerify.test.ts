import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Postgres from "@sbx/journal/Postgres"
import { event, stream } from "./laws.ts"
import { freshPlace, runOn, sessions } from "./postgresServer.ts"

/** A journal of four commits, the last by a second writer: a/1, a/2 and b/1, closing of a, c/1 and d/1 together. */
const written = Effect.gen(function* () {
  const place = yield* freshPlace
  const open = <A, E>(use: (journal: Journal.Journal["Service"]) => Effect.Effect<A, E>) =>
    Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Postgres.layer(place))))
  yield* open((journal) =>
    Effect.gen(function* () {
      yield* journal.append(stream("a"), [event(1), event(2)], { expected: Journal.noStream })
      yield* journal.append(stream("b"), [event(3)], { expected: Journal.noStream, commandId: "c" })
      yield* journal.close(stream("a"))
    })
  )
  yield* open((journal) =>
    journal.appendAll([
      { stream: stream("c"), events: [event(4)], options: { expected: Journal.noStream, commandId: "both" } },
      { stream: stream("d"), events: [event(5)], options: { expected: Journal.noStream, commandId: "both" } }
    ])
  )
  return place
})

const corruptions: ReadonlyArray<readonly [sql: string, fact: RegExp]> = [
  [`UPDATE @events SET payload = '{"n":2 }' WHERE position = 2`, /hash of events 1 to 2/],
  ["UPDATE @events SET recorded_at = recorded_at + 1 WHERE position = 3", /hash of events 3 to 3/],
  ["DELETE FROM @events WHERE position = 1", /1 events where the commit has 2/],
  ["DELETE FROM @commits WHERE id = 2", /commit 2 is missing/],
  ["DELETE FROM @commits WHERE id = 4", /2 events after the last commit/],
  ["UPDATE @commits SET hash = 'x' WHERE id = 1", /hash of events 3 to 3/],
  ["UPDATE @streams SET status = 'open'", /stream's head disagrees/],
  ["UPDATE @appends SET digest = 'x' WHERE command_id = 'c'", /stands for other events/],
  ["DELETE FROM @appends WHERE command_id = 'c'", /does not point at its events/],
  ["INSERT INTO @appends VALUES (1, 'z', '', 1, 2, 2)", /4 command ids for 3/],
  ["UPDATE @head SET position = 3", /the head disagrees/],
  ["UPDATE @meta SET algorithm = 'md5'", /with md5/],
  ["UPDATE @meta SET id = 'jrn_other'", /genesis hash/]
]

describe("Postgres.verify", () => {
  it.live("finds an untouched journal intact, also an empty one, and while another writes", () =>
    Effect.gen(function* () {
      const empty = yield* freshPlace
      yield* Effect.scoped(Layer.build(Postgres.layer(empty)))
      assert.deepInclude(yield* Postgres.verify(empty), { verdict: "intact", head: 0, problems: [] })
      const place = yield* written
      const { commits, head, problems, verdict } = yield* Postgres.verify(place)
      assert.deepStrictEqual([problems, verdict, head, commits], [[], "intact", 6, 4])
      const during = Effect.gen(function* () {
        const journal = yield* Journal.Journal
        const writing = Effect.forever(journal.append(stream("e"), [event(1)], { expected: Journal.any }))
        return yield* Effect.raceFirst(writing, Effect.repeat(Postgres.verify(place), { times: 3 }))
      }).pipe(Effect.provide(Layer.fresh(Postgres.layer(place))))
      assert.strictEqual((yield* during).verdict, "intact")
    })
  )

  it.live("finds each of thirteen corruptions", () =>
    Effect.gen(function* () {
      const place = yield* written
      const pool = yield* sessions(place.url)
      for (const [sql, fact] of corruptions) {
        // Each on its own: what it changes is kept aside and put back.
        const table = /@(\w+)/.exec(sql)?.[1] ?? ""
        const name = `${place.schema}.${table}`
        yield* runOn(pool, `CREATE TABLE ${place.schema}.kept AS SELECT * FROM ${name}`)
        const done = yield* runOn(pool, `${sql.replace(`@${table}`, name)} RETURNING 1`)
        assert.isNotEmpty(done, `${sql} did something`)
        const { problems, verdict } = yield* Postgres.verify(place)
        assert.strictEqual(verdict, "broken", sql)
        assert.isTrue(
          problems.some((problem) => fact.test(problem.fact)),
          `${sql}: ${JSON.stringify(problems)}`
        )
        yield* runOn(pool, `DELETE FROM ${name}`)
        yield* runOn(pool, `INSERT INTO ${name} OVERRIDING SYSTEM VALUE SELECT * FROM ${place.schema}.kept`)
        yield* runOn(pool, `DROP TABLE ${place.schema}.kept`)
      }
      assert.strictEqual((yield* Postgres.verify(place)).verdict, "intact")
    })
  )

  it.live("fails on a schema without a journal", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Postgres.verify(yield* freshPlace))
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "NotFound")
    })
  )
})
