/**
 * What every journal must do, as programs that need a fresh Journal and fail when it does not. Laws are plain effects
 * so that the suite can be run on faulty doubles too, to show that it would notice.
 */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Result, Stream } from "effect"
import type { EncodedEvent } from "@sbx/journal/Journal"
import * as Journal from "@sbx/journal/Journal"

export type Law = Effect.Effect<void, unknown, Journal.Journal>

export const event = (n: number, type = "Counted"): EncodedEvent => ({ type, schemaVersion: 1, payload: { n } })
export const stream = (id: string, category = "test"): Journal.StreamName => Journal.streamName(category, id)
const a = stream("a")

const payloads = (events: ReadonlyArray<Journal.Recorded>) => events.map((e) => e.payload)
const all = (journal: Journal.Journal["Service"]) => Stream.runCollect(journal.readAll())

const expectedVersions: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const attempt = (expected: Journal.Expected) =>
    Effect.map(Effect.result(journal.append(a, [event(0)], { expected })), (result) =>
      Result.isSuccess(result) ? result.success.version : result.failure
    )
  const conflict = (expected: Journal.Expected, actual: number) =>
    new Journal.VersionConflict({ stream: a, expected, actual })
  assert.deepStrictEqual(yield* attempt(Journal.streamExists), conflict(Journal.streamExists, 0))
  assert.deepStrictEqual(yield* attempt(Journal.exact(1)), conflict(Journal.exact(1), 0))
  assert.strictEqual(yield* attempt(Journal.noStream), 1)
  assert.deepStrictEqual(yield* attempt(Journal.noStream), conflict(Journal.noStream, 1))
  assert.strictEqual(yield* attempt(Journal.exact(1)), 2)
  assert.deepStrictEqual(yield* attempt(Journal.exact(1)), conflict(Journal.exact(1), 2))
  assert.strictEqual(yield* attempt(Journal.streamExists), 3)
  assert.strictEqual(yield* attempt(Journal.any), 4)
  assert.strictEqual(yield* journal.head, 4, "refused appends take no position")
  assert.include(conflict(Journal.exact(1), 2).message, "expected version 1, found version 2")
})

const idempotence: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const once = journal.append(a, [event(1), event(2)], { expected: Journal.noStream, commandId: "c1" })
  const first = yield* once
  assert.deepStrictEqual(first, { first: 1, last: 2, version: 2, deduplicated: false })
  yield* journal.append(a, [event(3)], { expected: Journal.exact(2) })
  assert.deepStrictEqual(yield* once, { ...first, deduplicated: true }, "the repeat answers as the first did")
  const other = journal.append(a, [event(9)], { expected: Journal.any, commandId: "c1" })
  assert.deepStrictEqual(yield* Effect.flip(other), new Journal.CommandReused({ stream: a, commandId: "c1", first: 1 }))
  const elsewhere = yield* journal.append(stream("b"), [event(9)], { expected: Journal.noStream, commandId: "c1" })
  assert.isFalse(elsewhere.deduplicated, "a command id belongs to its stream")
  const twins = Array.from({ length: 20 }, () =>
    journal.append(a, [event(4)], { expected: Journal.any, commandId: "twin" })
  )
  const answers = yield* Effect.all(twins, { concurrency: "unbounded" })
  assert.strictEqual(answers.filter((answer) => !answer.deduplicated).length, 1, "of 20 at once, one writes")
  assert.strictEqual(yield* journal.head, 5)
})

const contiguity: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const writer = (w: number) =>
    Effect.forEach(
      [1, 2, 3, 4],
      (n) => {
        const events = n % 2 === 0 ? ([event(n), event(-n)] as const) : ([event(n)] as const)
        return journal.append(stream(`w${w % 30}`), events, { expected: Journal.any })
      },
      { discard: true }
    )
  yield* Effect.forEach(
    Array.from({ length: 100 }, (_, w) => w),
    writer,
    { concurrency: "unbounded", discard: true }
  )
  const events = yield* all(journal)
  assert.strictEqual(events.length, 600)
  const versions = new Map<string, number>()
  for (const [index, e] of events.entries()) {
    assert.strictEqual(e.position, index + 1)
    assert.strictEqual(e.version, (versions.get(e.stream) ?? 0) + 1)
    assert.strictEqual(e.eventId, `${journal.id}:${e.position}`)
    versions.set(e.stream, e.version)
  }
  for (const info of yield* journal.streams()) assert.strictEqual(info.version, versions.get(info.name))
})

const lostUpdates: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const racers = Array.from({ length: 100 }, (_, n) =>
    Effect.result(journal.append(a, [event(n), event(n)], { expected: Journal.noStream }))
  )
  const results = yield* Effect.all(racers, { concurrency: "unbounded" })
  const winners = results.flatMap((result, n) => (Result.isSuccess(result) ? [n] : []))
  assert.strictEqual(winners.length, 1, "of 100 writers that expect no stream, one wins")
  const n = winners[0] ?? -1
  assert.deepStrictEqual(payloads(yield* Stream.runCollect(journal.read(a))), [{ n }, { n }])
})

const atomicity: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const writer = (w: number) => journal.append(a, [event(w), event(w), event(w), event(w)], { expected: Journal.any })
  // Readers race with the writers: none may see a part of an append, however they fall.
  const reader = Effect.map(all(journal), (events) => events.length)
  const racers = Array.from({ length: 60 }, (_, w) => Effect.andThen(writer(w), reader))
  const lengths = yield* Effect.all(racers, { concurrency: "unbounded" })
  assert.deepStrictEqual(
    lengths.filter((length) => length % 4 !== 0),
    []
  )
  const events = payloads(yield* all(journal))
  for (const [index, payload] of events.entries()) {
    assert.deepStrictEqual(payload, events[index - (index % 4)], "the events of an append lie together")
  }
})

const conflictIsolation: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  yield* journal.append(a, [event(0)], { expected: Journal.noStream })
  const results = yield* Effect.all(
    Array.from({ length: 40 }, (_, n) =>
      Effect.result(
        n % 2 === 0
          ? journal.append(stream(`s${n}`), [event(n), event(n)], { expected: Journal.noStream })
          : journal.append(a, [event(n)], { expected: Journal.exact(7) })
      )
    ),
    { concurrency: "unbounded" }
  )
  assert.strictEqual(results.filter(Result.isSuccess).length, 20, "a conflict fails only its own caller")
  assert.strictEqual(yield* journal.head, 41)
})

const reading: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const big = Array.from({ length: 2500 }, (_, n) => event(n + 1, n % 3 === 0 ? "Third" : "Counted"))
  yield* journal.append(a, [event(0, "Third"), ...big], { expected: Journal.noStream })
  yield* journal.append(stream("x", "other"), [event(1)], { expected: Journal.noStream })
  const versions = (range?: { fromVersion?: number; toVersion?: number }) =>
    Effect.map(Stream.runCollect(journal.read(a, range)), (events) => events.map((e) => e.version))
  assert.strictEqual((yield* versions()).length, 2501)
  assert.deepStrictEqual(yield* versions({ fromVersion: 999, toVersion: 1002 }), [999, 1000, 1001, 1002])
  assert.deepStrictEqual(yield* versions({ fromVersion: 2501 }), [2501])
  assert.deepStrictEqual(yield* versions({ fromVersion: 9000 }), [])
  assert.deepStrictEqual(yield* Stream.runCollect(journal.read(stream("missing"))), [])
  const positions = (range: Parameters<typeof journal.readAll>[0]) =>
    Effect.map(Stream.runCollect(journal.readAll(range)), (events) => events.map((e) => e.position))
  assert.deepStrictEqual(yield* positions({ after: 1999, to: 2001 }), [2000, 2001])
  assert.deepStrictEqual(yield* positions({ filter: { category: "other" } }), [2502])
  assert.deepStrictEqual(yield* positions({ filter: { stream: stream("x", "other"), types: ["Third"] } }), [])
  assert.strictEqual((yield* positions({ filter: { types: ["Third"] } })).length, 835)
})

const envelope: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const payload = { text: 'ü€"\\\u2028', deep: [null, true, 1.5, { k: [] }] }
  yield* journal.append(a, [{ type: "Said", schemaVersion: 3, payload }], {
    expected: Journal.noStream,
    commandId: "c",
    causation: 7,
    correlation: "run"
  })
  const [recorded] = yield* all(journal)
  assert.isDefined(recorded)
  const { recordedAtMillis, ...rest } = recorded
  assert.isAtLeast(recordedAtMillis, 0)
  assert.deepStrictEqual(rest, {
    position: 1,
    stream: a,
    version: 1,
    type: "Said",
    schemaVersion: 3,
    payload,
    eventId: `${journal.id}:1`,
    commandId: "c",
    causation: 7,
    correlation: "run",
    epoch: journal.epoch
  })
})

const brokenRequests: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const append = (encoded: EncodedEvent, causation?: number, more?: Partial<Journal.AppendOptions>) =>
    Effect.exit(journal.append(a, [encoded], { expected: Journal.any, causation, ...more }))
  const exits = yield* Effect.all(
    [
      append({ ...event(1), schemaVersion: 0.5 }),
      append({ ...event(1), schemaVersion: 0 }),
      append(event(1), 1.5),
      append(event(1, "nul\0")),
      append(event(1), undefined, { commandId: "nul\0" }),
      append(event(1), undefined, { correlation: "half \ud800" }),
      append(event(1))
    ],
    { concurrency: "unbounded" }
  )
  assert.deepStrictEqual(
    exits.map((exit) => Exit.isFailure(exit) && Cause.hasDies(exit.cause)),
    [true, true, true, true, true, true, false]
  )
  assert.strictEqual(yield* journal.head, 1)
})

const closing: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const missing = yield* Effect.flip(journal.close(a))
  assert.deepStrictEqual(missing, new Journal.VersionConflict({ stream: a, expected: Journal.streamExists, actual: 0 }))
  yield* journal.append(a, [event(1)], { expected: Journal.noStream })
  yield* journal.append(stream("b"), [event(1)], { expected: Journal.noStream })
  assert.deepStrictEqual(yield* journal.close(a), { first: 3, last: 3, version: 2, deduplicated: false })
  assert.deepStrictEqual(yield* journal.close(a), { first: 3, last: 3, version: 2, deduplicated: true })
  const late = yield* Effect.flip(journal.append(a, [event(2)], { expected: Journal.any }))
  assert.deepStrictEqual(late, new Journal.StreamClosed({ stream: a, version: 2 }))
  const last = (yield* Stream.runCollect(journal.read(a))).at(-1)
  assert.deepStrictEqual([last?.type, last?.closes], [Journal.closedType, true])
  const terminal = journal.append(stream("c"), [event(1), event(2)], {
    expected: Journal.noStream,
    closes: true,
    commandId: "end"
  })
  yield* terminal
  assert.isTrue((yield* terminal).deduplicated, "repeating the append that closed is not an append to a closed stream")
  const names = (open?: boolean) =>
    Effect.map(journal.streams({ category: "test", open }), (infos) => infos.map((i) => i.name))
  assert.deepStrictEqual(yield* names(true), [stream("b")])
  assert.deepStrictEqual(yield* names(false), [a, stream("c")])
  assert.strictEqual((yield* names()).length, 3)
  assert.deepStrictEqual(yield* journal.streams({ category: "nothing" }), [])
})

const waiting: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  yield* journal.awaitPosition(0)
  const waiter = yield* Effect.forkChild(Effect.andThen(journal.awaitPosition(2), journal.head))
  yield* journal.append(a, [event(1)], { expected: Journal.any })
  yield* Effect.yieldNow
  assert.isUndefined(waiter.pollUnsafe(), "position 2 is not there yet")
  yield* journal.append(a, [event(2)], { expected: Journal.any })
  assert.isAtLeast(yield* Fiber.join(waiter), 2)
})

const marks: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const seen = (from: Journal.From, filter: Journal.Filter, count: number) =>
    journal.subscribe({ from, filter }).pipe(
      Stream.take(count),
      Stream.map((d) => `${d._tag} ${d._tag === "Event" ? d.event.position : d.position}`),
      Stream.runCollect
    )
  assert.deepStrictEqual(yield* seen(Journal.start, {}, 1), ["CaughtUp 0"], "an empty journal is caught up with")
  const ahead = yield* Effect.forkChild(seen(Journal.after(1), {}, 3), { startImmediately: true })
  yield* journal.append(a, [event(1), event(2, "Other"), event(3)], { expected: Journal.any })
  assert.deepStrictEqual(yield* Fiber.join(ahead), ["CaughtUp 0", "Event 2", "Event 3"], "also from a position to come")
  const counted = { types: ["Counted"] }
  const other = { types: ["Other"] }
  assert.deepStrictEqual(yield* seen(Journal.start, counted, 3), ["Event 1", "Event 3", "CaughtUp 3"])
  assert.deepStrictEqual(yield* seen(Journal.after(1), other, 2), ["Event 2", "CaughtUp 3"])
  assert.deepStrictEqual(yield* seen(Journal.now, {}, 1), ["CaughtUp 3"])
  const live = yield* Effect.forkChild(seen(Journal.now, other, 3), { startImmediately: true })
  yield* journal.append(a, [event(4)], { expected: Journal.any })
  yield* journal.append(a, [event(5, "Other")], { expected: Journal.any })
  const [caughtUp, ...rest] = yield* Fiber.join(live)
  assert.strictEqual(caughtUp, "CaughtUp 3")
  // Depending on who runs first, position 4 is told alone or found together with 5.
  const allowed = ["Progress 4,Event 5", "CaughtUp 4,Event 5", "Event 5,CaughtUp 5"]
  assert.include(allowed, rest.join(","))
  const past = yield* seen(Journal.start, { category: "nothing" }, 1)
  assert.deepStrictEqual(past, ["CaughtUp 5"], "a filter that matches nothing still reports how far it looked")
})

/** Fixed laws; the random one about subscriptions is in subscribeLaw.ts. */
export const laws: Readonly<Record<string, Law>> = {
  "checks the expected version of every append": expectedVersions,
  "answers a repeated command id as the first time, and refuses it for other events": idempotence,
  "keeps positions and versions contiguous under 100 concurrent writers": contiguity,
  "lets exactly one of 100 rival writers win, with all of its events": lostUpdates,
  "writes all events of an append at once": atomicity,
  "fails a conflicting append alone, not its batch": conflictIsolation,
  "reads ranges and filters across page borders": reading,
  "gives back every field and payload as written": envelope,
  "dies of a malformed request alone, not with its batch": brokenRequests,
  "closes streams once and for all": closing,
  "completes awaitPosition when the head is there, not before": waiting,
  "marks catching up and progress under filters": marks
}
