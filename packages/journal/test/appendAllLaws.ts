/** Laws of appends to several streams at once: all or nothing, the refusing stream named, a repeat answered alike. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Result, Stream } from "effect"
import type { AppendOptions } from "@sbx/journal/Journal"
import * as Journal from "@sbx/journal/Journal"
import type { Law } from "./laws.ts"
import { event, stream } from "./laws.ts"

const item = (id: string, options: AppendOptions, count = 1): Journal.AppendItem => ({
  stream: stream(id),
  events: [event(1), ...Array.from({ length: count - 1 }, (_, n) => event(n + 2))],
  options
})

const together: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  yield* journal.append(stream("b"), [event(0)], { expected: Journal.noStream })
  const answers = yield* journal.appendAll([
    item("a", { expected: Journal.noStream }, 2),
    item("b", { expected: Journal.exact(1), closes: true }),
    item("c", { expected: Journal.any }, 3)
  ])
  assert.deepStrictEqual(
    answers.map((answer) => [answer.first, answer.last, answer.version]),
    [
      [2, 3, 2],
      [4, 4, 2],
      [5, 7, 3]
    ]
  )
  const refuse = (refusing: Journal.AppendItem) =>
    Effect.flip(journal.appendAll([item("d", { expected: Journal.noStream }), refusing]))
  const expected = Journal.exact(7)
  assert.deepStrictEqual(
    yield* refuse(item("a", { expected })),
    new Journal.VersionConflict({ stream: stream("a"), expected, actual: 2 }),
    "the conflict names the stream"
  )
  assert.deepStrictEqual(
    yield* refuse(item("b", { expected: Journal.any })),
    new Journal.StreamClosed({ stream: stream("b"), version: 2 })
  )
  assert.strictEqual(yield* journal.head, 7, "a refusal writes to none of the streams")
  assert.deepStrictEqual(yield* Stream.runCollect(journal.read(stream("d"))), [])
})

const repeated: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const a = item("a", { expected: Journal.noStream, commandId: "c" }, 2)
  const b = item("b", { expected: Journal.noStream, commandId: "c", closes: true })
  const first = yield* journal.appendAll([a, b])
  const again = yield* journal.appendAll([a, b])
  assert.deepStrictEqual(
    again,
    first.map((answer) => ({ ...answer, deduplicated: true }))
  )
  const reused = new Journal.CommandReused({ stream: stream("a"), commandId: "c", first: 1 })
  const part = journal.append(a.stream, a.events, a.options)
  assert.deepStrictEqual(yield* Effect.flip(part), reused, "a part is not a repeat of the whole")
  const other = item("x", { expected: Journal.any, commandId: "c" })
  assert.deepStrictEqual(yield* Effect.flip(journal.appendAll([other, a])), reused)
  assert.strictEqual(yield* journal.head, 3)
  const alone = item("s", { expected: Journal.noStream, commandId: "c" })
  yield* journal.append(alone.stream, alone.events, alone.options)
  assert.isTrue((yield* journal.appendAll([alone]))[0]?.deduplicated, "one item alone is an ordinary append")
})

const rivals: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  // Every rival takes two neighbours of a ring, so any two of them may collide in one stream only.
  const racers = Array.from({ length: 60 }, (_, n) =>
    Effect.result(
      journal.appendAll([
        item(`r${n % 12}`, { expected: Journal.noStream, correlation: `${n}` }),
        item(`r${(n + 1) % 12}`, { expected: Journal.noStream, correlation: `${n}` }, 2)
      ])
    )
  )
  const results = yield* Effect.all(racers, { concurrency: "unbounded" })
  const events = yield* Stream.runCollect(journal.readAll())
  const winners = results.flatMap((result, n) => (Result.isSuccess(result) ? [String(n)] : []))
  assert.isAbove(winners.length, 0)
  assert.deepStrictEqual(
    winners.flatMap((n) => [n, n, n]),
    events.map((e) => e.correlation),
    "each winner wrote all of its events, side by side, and no loser wrote any"
  )
})

const malformed: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const any = { expected: Journal.any }
  const twice = journal.appendAll([item("a", any), item("a", any)])
  const half = journal.appendAll([item("a", { ...any, commandId: "c" }), item("b", any)])
  for (const exit of [yield* Effect.exit(twice), yield* Effect.exit(half)]) {
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
  }
  assert.strictEqual(yield* journal.head, 0)
})

export const appendAllLaws: Readonly<Record<string, Law>> = {
  "appends to several streams at once or to none": together,
  "answers a repeated appendAll as the first time, and refuses a part of it": repeated,
  "lets rivals over several streams win whole or not at all": rivals,
  "dies of an appendAll with one stream twice or with half of its command ids": malformed
}
