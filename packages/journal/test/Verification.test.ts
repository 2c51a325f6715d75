import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { DatabaseSync } from "node:sqlite"
import * as Journal from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import { verify } from "@sbx/journal/Verification"
import { temporaryDirectory } from "./child.ts"
import { event, stream } from "./laws.ts"

/** A journal of three commits: a/1, a/2 and b/1, closing of a. */
const written = Effect.gen(function* () {
  const path = `${yield* temporaryDirectory}/j.sqlite`
  const write = Effect.gen(function* () {
    const journal = yield* Journal.Journal
    yield* journal.append(stream("a"), [event(1), event(2)], { expected: Journal.noStream })
    yield* journal.append(stream("b"), [event(3)], { expected: Journal.noStream, commandId: "c" })
    yield* journal.close(stream("a"))
  })
  yield* Effect.provide(write, Layer.fresh(Sqlite.layer({ path })))
  return path
})

const corruptions: ReadonlyArray<readonly [what: string, sql: string, fact: RegExp]> = [
  ["a changed payload", `UPDATE events SET payload = '{"n":2 }' WHERE position = 2`, /hash of events 1 to 2/],
  ["a changed type", "UPDATE events SET type = 'Other' WHERE position = 3", /hash of events 3 to 3/],
  ["a changed command id", "UPDATE events SET command_id = 'd' WHERE position = 3", /hash of events 3 to 3/],
  ["a moved time", "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 3", /hash of events 3 to 3/],
  ["a missing event", "DELETE FROM events WHERE position = 1", /1 events where the commit has 2/],
  ["a missing commit", "DELETE FROM commits WHERE id = 2", /commit 2 is missing/],
  ["a changed hash", "UPDATE commits SET hash = 'x' WHERE id = 1", /hash of events 3 to 3/],
  ["a version twice", "UPDATE events SET version = 9 WHERE position = 2", /version 9 where 2 is due/],
  ["a reopened stream", "UPDATE streams SET status = 'open'", /stream's head disagrees/],
  ["a cut tail", "DELETE FROM commits WHERE id = 3", /1 events after the last commit/],
  ["an older format", "UPDATE meta SET format = 1", /not those of format 1/],
  ["another algorithm", "UPDATE meta SET algorithm = 'md5'", /with md5/],
  ["a changed digest", "UPDATE appends SET digest = 'x'", /stands for other events/],
  ["a moved command", "UPDATE appends SET first_position = 1", /does not point at its events/],
  ["a forgotten command", "DELETE FROM appends", /does not point at its events/],
  ["an invented command", "INSERT INTO appends VALUES (1, 'z', '', 1, 2, 2)", /2 command ids for 1/],
  ["a moved category", "UPDATE streams SET category = 'other'", /stream's head disagrees/],
  ["a moved opening", "UPDATE streams SET opened_at = 1", /stream's head disagrees/],
  ["another identity", "UPDATE meta SET id = 'jrn_other'", /genesis hash/]
]

describe("verify", () => {
  it.live("finds an untouched journal intact, also while it is being written", () =>
    Effect.gen(function* () {
      const path = yield* written
      const { problems, verdict, head, commits } = yield* verify(path)
      assert.deepStrictEqual([problems, verdict, head, commits], [[], "intact", 4, 3])
      const during = yield* Effect.provide(
        Effect.gen(function* () {
          const journal = yield* Journal.Journal
          yield* journal.append(stream("b"), [event(4)], { expected: Journal.exact(1) })
          return yield* verify(path)
        }),
        Layer.fresh(Sqlite.layer({ path }))
      )
      assert.deepStrictEqual([during.verdict, during.head], ["intact", 5])
    })
  )

  it.live.each(corruptions)("finds %s", ([, sql, fact]) =>
    Effect.gen(function* () {
      const path = yield* written
      const db = new DatabaseSync(path)
      assert.isAbove(Number(db.prepare(sql).run().changes), 0, "the corruption did something")
      db.close()
      const { verdict, problems } = yield* verify(path)
      assert.strictEqual(verdict, "broken")
      assert.isTrue(
        problems.some((problem) => fact.test(problem.fact)),
        JSON.stringify(problems)
      )
    })
  )

  it.live("fails on a missing file", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(verify(`${yield* temporaryDirectory}/none.sqlite`))
      assert.strictEqual(error.reason, "NotFound")
    })
  )

  it.live("turns a payload that is no longer JSON into a typed error of readers", () =>
    Effect.gen(function* () {
      const path = yield* written
      const db = new DatabaseSync(path)
      db.exec("UPDATE events SET payload = '{' WHERE position = 2")
      db.close()
      const read = Effect.gen(function* () {
        const journal = yield* Journal.Journal
        return yield* Effect.flip(Stream.runDrain(journal.readAll()))
      })
      const error = yield* Effect.provide(read, Layer.fresh(Sqlite.layerReader({ path })))
      assert.strictEqual(error.reason, "Corrupt")
    })
  )
})
