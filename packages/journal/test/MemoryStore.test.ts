import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as TestClock from "effect/testing/TestClock"
import * as Journal from "@sbx/journal/Journal"
import * as MemoryStore from "@sbx/journal/MemoryStore"
import type { Fresh } from "./contract.ts"
import { journalContract } from "./contract.ts"
import { event, stream } from "./laws.ts"

/** Commits take a turn of their own, so that everything else runs in between. */
const slow: MemoryStore.StoreFaults = { commit: () => ({ fate: "done", millis: 0.01 }) }
const fresh =
  (faults?: MemoryStore.StoreFaults): Fresh =>
  ({ inline, ...tuning }) =>
    Layer.unwrap(
      Effect.map(MemoryStore.makeStore("/sim/journal"), (store): Layer.Layer<Journal.Journal, unknown> => {
        const options = { tuning, ...(faults && { faults }) }
        return inline === undefined
          ? MemoryStore.layerOn(store, options)
          : MemoryStore.layerWith(store, { ...options, inline })
      })
    )

journalContract("MemoryStore", fresh(), { runs: 40 })
journalContract("MemoryStore with slow commits", fresh(slow), { runs: 10 })

const a = stream("a")
const append = (journal: Journal.Journal["Service"], n: number, commandId?: string) =>
  journal.append(a, [event(n)], { expected: Journal.any, commandId })
const open = (store: MemoryStore.MemoryStore, options: MemoryStore.StoreOptions, scope: Scope.Scope) =>
  Effect.map(Layer.buildWithScope(Layer.fresh(MemoryStore.layerOn(store, options)), scope), (services) =>
    Context.get(services, Journal.Journal)
  )
const numbers = (store: MemoryStore.MemoryStore) =>
  Effect.gen(function* () {
    const journal = yield* Journal.Journal
    return (yield* Stream.runCollect(journal.readAll())).map(({ payload }) => payload)
  }).pipe(Effect.provide(MemoryStore.layerReaderOn(store)))
const fated = (...fates: ReadonlyArray<MemoryStore.CommitFate>): MemoryStore.StoreFaults => {
  const left = [...fates]
  return { commit: () => ({ fate: left.shift() ?? "done", millis: 0 }) }
}
const reasonOf = (error: Journal.AppendError) => error._tag === "JournalUnavailable" && error.reason

describe("a memory store", () => {
  it.effect("keeps what was acknowledged through a crash, under a new epoch and the same id", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.makeStore("/sim/journal")
      const scope = yield* Scope.make()
      const first = yield* open(store, {}, scope)
      yield* append(first, 1, "c1")
      store.crash({ keepsTail: false })
      const second = yield* open(store, {}, yield* Scope.make())
      assert.strictEqual(second.epoch, first.epoch + 1)
      assert.strictEqual(second.id, first.id)
      assert.isTrue((yield* append(second, 1, "c1")).deduplicated, "command ids survive too")
      assert.deepStrictEqual(yield* numbers(store), [{ n: 1 }])
    })
  )

  it.effect("has one writer, until it closes or dies", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.makeStore("/sim/journal")
      const scope = yield* Scope.make()
      yield* open(store, {}, scope)
      assert.isTrue(store.isLocked())
      const rival = yield* Effect.flip(Effect.scoped(Effect.flatMap(Scope.Scope, (own) => open(store, {}, own))))
      assert.strictEqual(rival._tag, "JournalLocked")
      assert.include(rival.message, "/sim/journal")
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(store.isLocked())
      const next = yield* Scope.make()
      yield* open(store, {}, next)
      store.crash({ keepsTail: true })
      assert.isFalse(store.isLocked())
      yield* open(store, {}, yield* Scope.make())
      yield* Scope.close(next, Exit.void)
      assert.isTrue(store.isLocked(), "the late release of a dead writer frees nobody else's lock")
    })
  )

  it.effect("loses or keeps the commit that a crash finds half-way, as told", () =>
    Effect.gen(function* () {
      for (const keepsTail of [true, false]) {
        const store = yield* MemoryStore.makeStore("/sim/journal")
        const journal = yield* open(
          store,
          { faults: { commit: () => ({ fate: "done", millis: 5 }) } },
          yield* Scope.make()
        )
        const fiber = yield* Effect.forkChild(append(journal, 1), { startImmediately: true })
        yield* TestClock.adjust(3)
        assert.isUndefined(fiber.pollUnsafe())
        assert.deepStrictEqual(yield* numbers(store), [], "not visible before it is durable")
        store.crash({ keepsTail })
        assert.deepStrictEqual(yield* numbers(store), keepsTail ? [{ n: 1 }] : [])
        yield* Fiber.interrupt(fiber)
      }
    })
  )

  it.effect("fails a commit by each declared fate, and a repeat resolves it", () =>
    Effect.gen(function* () {
      const outcome = (fate: MemoryStore.CommitFate) =>
        Effect.gen(function* () {
          const store = yield* MemoryStore.makeStore("/sim/journal")
          const journal = yield* open(store, { faults: fated(fate) }, yield* Scope.make())
          const failure = yield* Effect.map(Effect.flip(append(journal, 1, "c")), reasonOf)
          const after = (yield* numbers(store)).length
          const { deduplicated } = yield* append(journal, 1, "c")
          return { failure, after, deduplicated, end: (yield* numbers(store)).length }
        })
      assert.deepStrictEqual(yield* outcome("disk-full"), {
        failure: "DiskFull",
        after: 0,
        deduplicated: false,
        end: 1
      })
      assert.deepStrictEqual(yield* outcome("lost"), { failure: "CommitFailed", after: 0, deduplicated: false, end: 1 })
      const unanswered = yield* outcome("unanswered")
      assert.deepStrictEqual(unanswered, { failure: "CommitFailed", after: 1, deduplicated: true, end: 1 })
    })
  )

  it.effect("forgets what a lying disk answered and never flushed, up to the next flush", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.makeStore("/sim/journal")
      const journal = yield* open(
        store,
        { faults: fated("done", "unflushed", "done", "unflushed") },
        yield* Scope.make()
      )
      for (const n of [1, 2, 3, 4]) yield* append(journal, n)
      assert.strictEqual((yield* numbers(store)).length, 4)
      store.crash({ keepsTail: true })
      assert.deepStrictEqual(yield* numbers(store), [{ n: 1 }, { n: 2 }, { n: 3 }])
      const next = yield* open(store, {}, yield* Scope.make())
      assert.strictEqual((yield* append(next, 5)).first, 4)
    })
  )

  it.live("wakes a reader that follows, and lets it write nothing", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.makeStore("/sim/journal")
      const journal = yield* open(store, {}, yield* Scope.make())
      const scope = yield* Scope.make()
      const services = yield* Layer.buildWithScope(MemoryStore.layerReaderOn(store), scope)
      const reader = Context.get(services, Journal.Journal)
      const fiber = yield* Effect.forkChild(reader.awaitPosition(2))
      yield* append(journal, 1)
      yield* append(journal, 2)
      yield* Fiber.join(fiber)
      assert.strictEqual(reasonOf(yield* Effect.flip(append(reader, 3))), "ReadOnly")
      yield* Scope.close(scope, Exit.void)
    })
  )
})
