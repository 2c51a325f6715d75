/** Laws of deciders on streams, of snapshots, and of events from older and newer programs. */
import { assert } from "@effect/vitest"
import { Effect, Result, Stream } from "effect"
import * as Decider from "@sbx/journal/Decider"
import * as Journal from "@sbx/journal/Journal"
import { accounts, moved, Overdrawn, purse } from "./accounts.ts"
import type { Law } from "./laws.ts"

const spend = (amount: number) => ({ _tag: "Spend", amount }) as const
const freeze = { _tag: "Freeze" } as const

const rivals: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const decider = purse({ foldVersion: 1 })
  const results = yield* Effect.forEach(
    Array.from({ length: 12 }, () => 30),
    (amount) => Effect.result(Decider.handle(journal, decider, "p", spend(amount))),
    { concurrency: 4 }
  )
  assert.strictEqual(results.filter(Result.isSuccess).length, 3, "a purse of 100 pays 30 three times, whoever asks")
  for (const result of results) {
    if (Result.isFailure(result)) assert.deepStrictEqual(result.failure, new Overdrawn({ left: 10 }))
  }
  const { state, version } = yield* Decider.load(journal, decider, "p")
  assert.deepStrictEqual([state, version], [{ left: 10, frozen: false }, 3])
  const frozen = yield* Decider.handle(journal, decider, "p", freeze)
  assert.deepStrictEqual([frozen.version, frozen.state.frozen], [4, true])
  assert.isUndefined((yield* Decider.handle(journal, decider, "p", freeze)).appended, "nothing to do")
  const late = yield* Effect.flip(Decider.handle(journal, decider, "p", spend(1)))
  assert.strictEqual(late._tag, "StreamClosed", "a terminal state closed the stream")
  assert.deepStrictEqual(yield* Decider.load(journal, decider, "none"), { state: decider.initial, version: 0 })
})

const repeats: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const decider = purse({ foldVersion: 1 })
  const once = Decider.handle(journal, decider, "p", spend(60), { commandId: "c", correlation: "run" })
  const answers = yield* Effect.all([once, once, once], { concurrency: "unbounded" })
  assert.deepStrictEqual(new Set(answers.map((answer) => answer.appended?.first)), new Set([1]))
  yield* Decider.handle(journal, decider, "p", spend(20))
  const again = yield* once
  assert.deepStrictEqual(again.appended, { first: 1, last: 1, version: 1, deduplicated: true })
  assert.deepStrictEqual([again.state.left, again.version], [20, 2], "although 60 could not be spent now")
  const answer = yield* journal.answered(accounts.stream("p"), "c")
  assert.deepStrictEqual(answer, again.appended)
  assert.isUndefined(yield* journal.answered(accounts.stream("p"), "unheard"))
  const [first] = yield* Stream.runCollect(journal.readAll())
  assert.strictEqual(first?.correlation, "run")
})

const giveUp: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  let tries = 0
  // A stream that always moves on between loading and appending.
  const busy = {
    ...journal,
    append: (...args: Parameters<typeof journal.append>) => {
      tries++
      return Effect.andThen(
        journal.append(args[0], [accounts.encode(moved(0))], { expected: Journal.any }),
        journal.append(...args)
      )
    }
  }
  const error = yield* Effect.flip(Decider.handle(busy, purse({ foldVersion: 1 }), "p", spend(1)))
  assert.deepStrictEqual([error._tag, tries], ["VersionConflict", 10])
})

const snapshots: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const folded: Array<string> = []
  const decider = purse({ foldVersion: 1, seen: (tag) => folded.push(tag) })
  const loads = (which: typeof decider) =>
    Effect.map(
      Effect.suspend(() => {
        folded.length = 0
        return Decider.load(journal, which, "p")
      }),
      ({ state, version }) => [state.left, version, folded.length]
    )
  for (let n = 0; n < 7; n++) yield* Decider.handle(journal, decider, "p", spend(1))
  assert.deepStrictEqual(yield* loads(decider), [93, 7, 2], "5 events lie in the snapshot")
  assert.deepStrictEqual(yield* loads({ ...purse({ foldVersion: 2, seen: (tag) => folded.push(tag) }) }), [93, 7, 7])
  const key = { collection: "snapshot:purse", key: accounts.stream("p") }
  const plant = (value: string | undefined) =>
    journal.documents.transact([], () => Result.succeed({ answer: undefined, writes: [{ ...key, value }] }))
  yield* plant(`{"foldVersion":1,"version":6,"state":{"left":1000,"frozen":false}}`)
  assert.deepStrictEqual(yield* loads(decider), [999, 7, 1], "it is the snapshot that is read")
  for (const broken of ["{", `{"foldVersion":1,"version":6,"state":{"left":"much"}}`, undefined]) {
    yield* plant(broken)
    assert.deepStrictEqual(yield* loads(decider), [93, 7, 7], `${broken} is as good as none`)
  }
})

const generations: Law = Effect.gen(function* () {
  const journal = yield* Journal.Journal
  const p = accounts.stream("p")
  const older = [
    { type: "Moved", schemaVersion: 1, payload: { amount: "1" } },
    { type: "Moved", schemaVersion: 2, payload: { amount: 2 } }
  ] as const
  const newer = [
    { type: "Moved", schemaVersion: 9, payload: { cents: 3 } },
    { type: "Invented", schemaVersion: 1, payload: [null] }
  ] as const
  yield* journal.append(p, [...older, ...newer], { expected: Journal.noStream })
  yield* accounts.append(journal, p, [moved(4, "x")], { expected: Journal.exact(4) })
  const unknown = newer.map((e) => ({ _tag: "UnknownEvent", category: "account", ...e }))
  const due = [moved(1), moved(2), ...unknown, moved(4, "x")]
  const payloads = (events: ReadonlyArray<Journal.Recorded<unknown>>) => events.map((e) => e.payload)
  assert.deepStrictEqual(payloads(yield* Stream.runCollect(accounts.read(journal, p))), due)
  assert.deepStrictEqual(payloads(yield* Stream.runCollect(accounts.replay(journal))), due)
  assert.deepStrictEqual(payloads(yield* Stream.runCollect(Stream.take(accounts.events(journal), 5))), due)
  const { state, version } = yield* Decider.load(journal, purse({ foldVersion: 1 }), "p")
  assert.deepStrictEqual([state.left, version], [93, 5], "a fold lifts older events and leaves out unknown ones")
  yield* journal.append(p, [{ type: "Moved", schemaVersion: 3, payload: {} }], { expected: Journal.any })
  const before: Array<unknown> = []
  const error = yield* accounts.read(journal, p).pipe(
    Stream.runForEach((e) => Effect.sync(() => before.push(e.payload))),
    Effect.flip
  )
  assert.strictEqual(error._tag === "EventUndecodable" && error.position, 6)
  assert.deepStrictEqual(before, due, "what comes before an undecodable event is delivered")
})

export const deciderLaws: Readonly<Record<string, Law>> = {
  "handles commands of rivals one after the other": rivals,
  "answers a repeated command as the first time, whatever the state is by then": repeats,
  "gives up on a stream that never stands still": giveUp,
  "loads from a snapshot, and discards one of another fold version": snapshots,
  "lifts events of older programs and carries those of newer ones": generations
}
