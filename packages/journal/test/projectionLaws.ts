/** Laws of projections: each event takes effect on the rows exactly once, whoever is interrupted and whenever. */
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Projection from "@sbx/journal/Projection"
import { accounts, balances, expectedBalances, move, moved, poison, reached } from "./accounts.ts"
import type { Law } from "./laws.ts"
import { event, stream } from "./laws.ts"

const rows = (journal: Journal.Journal["Service"], projection: ReturnType<typeof balances>) =>
  Effect.map(Stream.runCollect(Projection.all(journal, projection)), (all) => all.map(([key, row]) => [key, row]))
const due = (journal: Journal.Journal["Service"], foldVersion: number) =>
  Effect.map(Stream.runCollect(accounts.replay(journal)), (events) => expectedBalances(events, foldVersion))
const turns = (n: number) => Effect.forEach(Array.from({ length: n }), () => Effect.yieldNow, { discard: true })
const start = (journal: Journal.Journal["Service"], projection: ReturnType<typeof balances>) =>
  Effect.forkChild(Projection.run(journal, projection), { startImmediately: true })

const exactlyOnce: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const projection = balances(1)
  const writer = Effect.forEach(
    Array.from({ length: 120 }, (_, n) => n),
    (n) => Effect.andThen(turns(n % 5), move(journal, `a${n % 7}`, n, `a${(n + 1) % 7}`)),
    { discard: true }
  )
  const writing = yield* Effect.forkChild(writer, { startImmediately: true })
  // Runners come and go in the middle of whatever they are doing; what one has done, the next must not repeat.
  for (let round = 0; round < 25; round++) {
    const runner = yield* start(journal, projection)
    yield* turns(round * 3)
    yield* Fiber.interrupt(runner)
  }
  yield* Fiber.join(writing)
  const last = yield* start(journal, projection)
  yield* reached(journal, projection, yield* journal.head)
  assert.deepStrictEqual(yield* rows(journal, projection), yield* due(journal, 1))
  yield* Fiber.interrupt(last)
})

const filteredProgress: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const projection = balances(1)
  const runner = yield* start(journal, projection)
  yield* move(journal, "a", 1)
  for (let n = 0; n < 20; n++) yield* journal.append(stream("s"), [event(n)], { expected: Journal.any })
  yield* reached(journal, projection, 21)
  assert.deepStrictEqual(yield* Projection.get(journal, projection, "a"), { balance: -1, events: 1 })
  assert.isUndefined(yield* Projection.get(journal, projection, "nobody"))
  yield* Fiber.interrupt(runner)
})

const rebuild: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const [old, next] = [balances(1), balances(2)]
  for (let n = 0; n < 30; n++) yield* move(journal, `a${n % 3}`, n)
  const runner = yield* start(journal, old)
  yield* reached(journal, old, 30)
  const served = yield* rows(journal, old)
  const notReady = yield* Effect.flip(Projection.get(journal, next, "a1"))
  assert.deepStrictEqual(
    notReady,
    new Projection.ProjectionNotReady({ projection: "balances", foldVersion: 2, live: 1 })
  )
  assert.include(notReady.message, "fold version 1 is the one served")
  assert.deepStrictEqual(yield* rows(journal, old), served)
  const heir = yield* start(journal, next)
  yield* move(journal, "a1", 7)
  yield* reached(journal, next, 31)
  assert.deepStrictEqual(yield* rows(journal, next), yield* due(journal, 2))
  assert.deepStrictEqual(
    yield* Effect.flip(rows(journal, old)),
    new Projection.ProjectionNotReady({ projection: "balances", foldVersion: 1, live: 2 })
  )
  yield* Fiber.interrupt(runner)
  const late = yield* Effect.flip(Projection.run(journal, old))
  assert.strictEqual(late._tag === "ProjectionTaken" && late.by, "NewerFoldVersion")
  assert.include(late.message, "a newer fold version is in its place")
  yield* Fiber.interrupt(heir)
  // The old rows go after the switch; if its runner was stopped just then, the next one finishes that.
  yield* Projection.catchUp(journal, next)
  assert.deepStrictEqual(
    yield* Stream.runCollect(journal.documents.list("projection:balances@1")),
    [],
    "the old rows are gone"
  )
})

const oneRunner: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const projection = balances(1)
  const unread = yield* Effect.flip(Projection.get(journal, projection, "a"))
  assert.include(unread.message, "it was never caught up")
  yield* move(journal, "a", 1)
  const first = yield* start(journal, projection)
  yield* reached(journal, projection, 1)
  const second = yield* start(journal, projection)
  yield* move(journal, "a", 1)
  yield* reached(journal, projection, 2)
  const fenced = yield* Effect.flip(Fiber.join(first))
  assert.strictEqual(fenced._tag === "ProjectionTaken" && fenced.by, "AnotherRunner")
  assert.deepStrictEqual(yield* Projection.get(journal, projection, "a"), { balance: -2, events: 2 })
  yield* Fiber.interrupt(second)
})

/** Runs with `inline: [balances(1, "inline")]`. */
const inline: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const projection = balances(1, "inline")
  const append = (n: number): Effect.Effect<unknown, unknown> => {
    if (n % 4 === 0) return Effect.exit(move(journal, `a${n % 5}`, n, poison))
    if (n % 4 === 1) return journal.append(stream("s"), [event(n)], { expected: Journal.any })
    return Effect.gen(function* () {
      const { first } = yield* move(journal, `a${n % 5}`, n, "till")
      assert.isAtLeast(yield* Projection.position(journal, projection), first, "read your writes")
    })
  }
  yield* Effect.forEach(
    Array.from({ length: 60 }, (_, n) => n),
    append,
    { concurrency: "unbounded", discard: true }
  )
  assert.strictEqual(yield* journal.head, 45, "a fold that throws fails its append alone, and nothing of it is written")
  assert.strictEqual(yield* Projection.position(journal, projection), 45)
  assert.deepStrictEqual(yield* rows(journal, projection), yield* due(journal, 1))
  yield* journal.appendAll([
    { stream: accounts.stream("x"), events: [accounts.encode(moved(5, "y"))], options: { expected: Journal.noStream } },
    { stream: accounts.stream("y"), events: [accounts.encode(moved(2, "x"))], options: { expected: Journal.noStream } }
  ])
  assert.deepStrictEqual(yield* Projection.get(journal, projection, "x"), { balance: -3, events: 2 })
  const torn = yield* Effect.exit(
    journal.appendAll([
      { stream: accounts.stream("x"), events: [accounts.encode(moved(5))], options: { expected: Journal.exact(1) } },
      { stream: stream("s9"), events: [event(1)], options: { expected: Journal.exact(3) } }
    ])
  )
  assert.isTrue(Exit.isFailure(torn))
  assert.deepStrictEqual(yield* Projection.get(journal, projection, "x"), { balance: -3, events: 2 })
})

export const projectionLaws: Readonly<Record<string, Law>> = {
  "folds each event into a projection once, whoever interrupts its runners": exactlyOnce,
  "moves a projection's checkpoint over events that its filter leaves out": filteredProgress,
  "builds a new fold version beside the old and serves it when it has caught up": rebuild,
  "lets one runner advance a projection, the last that claimed it": oneRunner
}

export const inlineLaws: Readonly<Record<string, Law>> = {
  "folds inline projections in the append's transaction": inline
}
