import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import * as Expect from "../src/Expect.ts"

class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

/** Runs an effect that sleeps, on virtual time. */
const onClock = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

/** Succeeds from the n-th call on. */
const fromCall = (n: number) =>
  Effect.gen(function* () {
    const calls = yield* Ref.make(0)
    const look = Effect.flatMap(
      Ref.updateAndGet(calls, (k) => k + 1),
      (k) => Effect.as(Expect.that(k >= n, { what: "calls", expected: `${n}`, actual: `${k}` }), k)
    )
    return { calls, look }
  })

describe("plain expectations", () => {
  it.effect("hold or fail with the facts", () =>
    Effect.gen(function* () {
      yield* Expect.equals("the sum", 3, 3)
      const error = yield* failure(Expect.equals("the sum", 3, 4))
      assert.strictEqual(error.message, "Expected the sum to be 4, found 3.")
      const told = yield* failure(
        Expect.that(false, { what: "it", expected: "a", actual: "b", context: { why: "because" } })
      )
      assert.include(told.message, "\n  why: because")
      assert.include(new Expect.Undecidable({ what: "it", detail: "no tool" }).message, "Could not judge it: no tool.")
    })
  )
})

describe("eventually", () => {
  it.effect("succeeds as soon as it holds, with its value", () =>
    Effect.gen(function* () {
      const { calls, look } = yield* fromCall(3)
      const value = yield* onClock(Expect.eventually("three", look, { within: "10 seconds", every: "1 second" }))
      assert.strictEqual(value, 3)
      assert.strictEqual(yield* Ref.get(calls), 3)
    })
  )

  it.effect("fails at the deadline with the last finding and the attempts", () =>
    Effect.gen(function* () {
      const { look } = yield* fromCall(99)
      const error = yield* failure(onClock(Expect.eventually("many", look, { within: "2 seconds", every: "1 second" })))
      assert.strictEqual(error.expected, "so within 2000 ms")
      assert.strictEqual(error.actual, "3")
      assert.strictEqual(error.context["attempts"], "3")
    })
  )

  it.effect("passes on an error that is no finding", () =>
    Effect.gen(function* () {
      const error = yield* failure(onClock(Expect.eventually("it", new Gone(), { within: "1 second" })))
      assert.strictEqual(error._tag, "Gone")
    })
  )

  it.effect("interrupts an attempt that hangs", () =>
    Effect.gen(function* () {
      const error = yield* failure(onClock(Expect.eventually("it", Effect.never, { within: "1 second" })))
      assert.strictEqual(error.actual, "no answer")
    })
  )
})

describe("consistently", () => {
  it.effect("holds for the whole time, looking at both ends", () =>
    Effect.gen(function* () {
      const attempts = yield* onClock(Expect.consistently("it", Effect.void, { for: "1 second", every: "400 millis" }))
      assert.strictEqual(attempts, 4)
    })
  )

  it.effect("fails at the first failure, and says when", () =>
    Effect.gen(function* () {
      const calls = yield* Ref.make(0)
      const look = Effect.flatMap(
        Ref.updateAndGet(calls, (k) => k + 1),
        (k) => Expect.equals("third", k === 3, false)
      )
      const error = yield* failure(onClock(Expect.consistently("it", look, { for: "1 second", every: "100 millis" })))
      assert.strictEqual(error.actual, "true after 200 ms")
      assert.strictEqual(yield* Ref.get(calls), 3)
    })
  )

  it.effect("passes on an error that is no finding", () =>
    Effect.gen(function* () {
      const error = yield* failure(onClock(Expect.consistently("it", new Gone(), { for: "1 second" })))
      assert.strictEqual(error._tag, "Gone")
    })
  )
})

describe("within", () => {
  it.effect("is green in time and red too late", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* onClock(Expect.within("it", Effect.as(Effect.sleep(900), 1), "1 second")), 1)
      const error = yield* failure(onClock(Expect.within("it", Effect.sleep(1100), "1 second")))
      assert.strictEqual(error.actual, "still running")
    })
  )
})

describe("event sequences", () => {
  it.effect("are exact, or in order with others between", () =>
    Effect.gen(function* () {
      yield* Expect.eventSequence(["A", "B"], ["A", "B"])
      yield* Expect.eventSequence(["A", "x", "B", "y"], ["A", "B"], "subsequence")
      assert.strictEqual((yield* failure(Expect.eventSequence(["B", "A"], ["A", "B"]))).context["first missing"], "B")
      yield* failure(Expect.eventSequence(["A", "x", "B"], ["A", "B"]))
      yield* failure(Expect.eventSequence(["A", "B", "B"], ["A", "B"]))
      yield* failure(Expect.eventSequence(["B", "A"], ["A", "B"], "subsequence"))
      yield* failure(Expect.eventSequence([], ["A"], "subsequence"))
    })
  )
})

describe("budgets", () => {
  const samples = Array.from({ length: 100 }, (_, i) => 100 - i)

  it("use the nearest rank", () => {
    assert.strictEqual(Expect.percentile(samples, 95), 95)
    assert.strictEqual(Expect.percentile(samples, 100), 100)
    assert.strictEqual(Expect.percentile([7], 50), 7)
    assert.isUndefined(Expect.percentile([], 50))
  })

  it.effect("are kept, broken, or not to be judged from too few samples", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Expect.percentileBelow("start", samples, 95, 95), 95)
      assert.strictEqual((yield* failure(Expect.percentileBelow("start", samples, 95, 94)))._tag, "ExpectationFailed")
      assert.strictEqual((yield* failure(Expect.percentileBelow("start", [1, 2], 95, 94)))._tag, "Undecidable")
      assert.strictEqual(yield* Expect.averageBelow("start", [1, 3], 3), 2)
      assert.strictEqual((yield* failure(Expect.averageBelow("start", [3], 3)))._tag, "ExpectationFailed")
      assert.strictEqual((yield* failure(Expect.averageBelow("start", [], 3)))._tag, "Undecidable")
    })
  )
})

describe("leaks", () => {
  it.effect("are what was not there before", () =>
    Effect.gen(function* () {
      yield* Expect.noLeaks("containers", ["a", "b"], ["a"])
      const error = yield* failure(Expect.noLeaks("containers", ["a"], ["a", "c"]))
      assert.strictEqual(error.actual, "1: c")
    })
  )
})
