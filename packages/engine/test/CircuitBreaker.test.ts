/** The table in the module's header, row by row, on a test clock. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"

class Dead extends Data.TaggedError("Dead")<{ readonly message: string }> {}
class Refused extends Data.TaggedError("Refused")<{}> {}

const passage = (urgent = false): CircuitBreaker.Passage<Dead | Refused> => ({
  operation: "call",
  isFailure: (error) => error._tag === "Dead",
  urgent
})

/** A breaker of three failures and a second, on something that lives or not, whose probe ends when it is told to. */
const harness = () => {
  const world = { alive: true, calls: 0, probes: 0, gate: undefined as Deferred.Deferred<void> | undefined }
  const speak = Effect.suspend(() =>
    world.alive ? Effect.void : Effect.fail(new Dead({ message: "no answer.\nLook." }))
  )
  const breaker = CircuitBreaker.make({
    name: "the engine",
    threshold: 3,
    openFor: "1 second",
    probe: Effect.suspend(() => {
      world.probes++
      return Effect.andThen(world.gate === undefined ? Effect.void : Deferred.await(world.gate), speak)
    })
  })
  const call = (urgent = false) =>
    breaker.protect(
      Effect.suspend(() => {
        world.calls++
        return speak
      }),
      passage(urgent)
    )
  const kill = Effect.gen(function* () {
    world.alive = false
    yield* Effect.replicateEffect(Effect.flip(call()), 3)
  })
  return { breaker, world, call, kill }
}

const tag = (effect: Effect.Effect<unknown, { readonly _tag: string }>) =>
  Effect.match(effect, { onSuccess: () => "passed", onFailure: ({ _tag }) => _tag })

describe("CircuitBreaker, closed", () => {
  it.effect("passes calls and their failures until as many in a row as it is told", () =>
    Effect.gen(function* () {
      const { breaker, call, world } = harness()
      world.alive = false
      for (const failures of [1, 2]) {
        assert.strictEqual(yield* tag(call()), "Dead")
        assert.deepInclude(yield* breaker.counts, { failures, opened: 0 })
        assert.strictEqual(yield* breaker.state, "closed")
      }
      assert.strictEqual(yield* tag(call()), "Dead")
      assert.strictEqual(yield* breaker.state, "open")
      assert.deepInclude(yield* breaker.counts, { failures: 3, opened: 1, rejected: 0, probes: 0 })
    })
  )

  it.effect("forgets failures with a success, and with an error that is an answer", () =>
    Effect.gen(function* () {
      const { breaker, call, world } = harness()
      for (const answer of [Effect.void, Effect.fail(new Refused())]) {
        world.alive = false
        yield* Effect.replicateEffect(Effect.flip(call()), 2)
        yield* Effect.exit(breaker.protect(answer, passage()))
        assert.deepInclude(yield* breaker.counts, { failures: 0 })
      }
      assert.strictEqual(yield* breaker.state, "closed")
    })
  )

  it.effect("learns nothing from an interrupted call", () =>
    Effect.gen(function* () {
      const { breaker, call, world } = harness()
      world.alive = false
      yield* Effect.replicateEffect(Effect.flip(call()), 2)
      const waiting = yield* Effect.forkChild(breaker.protect(Effect.never, passage()))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      assert.deepInclude(yield* breaker.counts, { failures: 2 })
    })
  )
})

describe("CircuitBreaker, open", () => {
  it.effect("fails calls at once, with the remaining time and the last cause, and asks nobody", () =>
    Effect.gen(function* () {
      const { breaker, call, kill, world } = harness()
      yield* kill
      yield* TestClock.adjust("400 millis")
      const error = yield* Effect.flip(call())
      assert.deepInclude(error, {
        _tag: "CircuitOpen",
        operation: "call",
        circuit: "the engine",
        retryAfterMillis: 600
      })
      assert.deepInclude(error, { failures: 3, lastCause: "no answer", retryable: true })
      assert.include(error.message, "tried again in 600 ms")
      assert.strictEqual((yield* Effect.flip(breaker.refuse("other"))).operation, "other")
      assert.deepInclude(world, { calls: 3, probes: 0 })
      assert.deepInclude(yield* breaker.counts, { rejected: 2 })
    })
  )

  it.effect("probes for the first call after its time, and closes when the probe succeeds", () =>
    Effect.gen(function* () {
      const { breaker, call, kill, world } = harness()
      yield* kill
      world.alive = true
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* tag(call()), "CircuitOpen")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* tag(breaker.refuse("call")), "passed")
      assert.strictEqual(yield* tag(call()), "passed")
      assert.deepInclude(world, { calls: 4, probes: 1 })
      assert.strictEqual(yield* breaker.state, "closed")
      assert.deepInclude(yield* breaker.counts, { failures: 0, opened: 1, probes: 1 })
    })
  )

  it.effect("stays open for its time again when the probe fails, and sends no call", () =>
    Effect.gen(function* () {
      const { breaker, call, kill, world } = harness()
      yield* kill
      yield* TestClock.adjust("1 seconds")
      const error = yield* Effect.flip(call())
      assert.deepInclude(error, { _tag: "CircuitOpen", retryAfterMillis: 1_000 })
      assert.deepInclude(world, { calls: 3, probes: 1 })
      assert.deepInclude(yield* breaker.counts, { opened: 2, failures: 3 })
    })
  )

  it.effect("probes at once for an urgent call", () =>
    Effect.gen(function* () {
      const { call, kill, world } = harness()
      yield* kill
      assert.strictEqual(yield* tag(call(true)), "CircuitOpen")
      world.alive = true
      assert.strictEqual(yield* tag(call()), "CircuitOpen")
      assert.strictEqual(yield* tag(call(true)), "passed")
      assert.deepInclude(world, { calls: 4, probes: 2 })
    })
  )

  it.effect("closes when a call that it had let through comes back", () =>
    Effect.gen(function* () {
      const { breaker, kill } = harness()
      const answer = yield* Deferred.make<void>()
      const early = yield* Effect.forkChild(breaker.protect(Deferred.await(answer), passage()))
      yield* Effect.yieldNow
      yield* kill
      assert.strictEqual(yield* breaker.state, "open")
      yield* Deferred.succeed(answer, undefined)
      yield* Fiber.join(early)
      assert.strictEqual(yield* breaker.state, "closed")
    })
  )
})

describe("CircuitBreaker, half-open", () => {
  /** Open for long enough, and a probe under way for one call. */
  const probing = Effect.gen(function* () {
    const one = harness()
    yield* one.kill
    yield* TestClock.adjust("1 seconds")
    const gate = yield* Deferred.make<void>()
    one.world.gate = gate
    const first = yield* Effect.forkChild(tag(one.call()))
    yield* Effect.yieldNow
    assert.strictEqual(yield* one.breaker.state, "half-open")
    return { ...one, first, gate }
  })

  it.effect("runs one probe: ordinary calls fail at once, urgent ones wait for it", () =>
    Effect.gen(function* () {
      for (const alive of [true, false]) {
        const { call, first, gate, world } = yield* probing
        const urgent = yield* Effect.forkChild(tag(call(true)))
        yield* Effect.yieldNow
        const error = yield* Effect.flip(call())
        assert.deepInclude(error, { _tag: "CircuitOpen", retryAfterMillis: 0 })
        assert.isUndefined(urgent.pollUnsafe())
        world.alive = alive
        yield* Deferred.succeed(gate, undefined)
        const expected = alive ? "passed" : "CircuitOpen"
        assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(urgent)], [expected, expected])
        assert.strictEqual(world.probes, 1)
      }
    })
  )

  it.effect("hands an abandoned probe to an urgent call that waits, else to the next call", () =>
    Effect.gen(function* () {
      const waiting = yield* probing
      const urgent = yield* Effect.forkChild(tag(waiting.call(true)))
      yield* Effect.yieldNow
      waiting.world.alive = true
      waiting.world.gate = undefined
      yield* Fiber.interrupt(waiting.first)
      assert.strictEqual(yield* Fiber.join(urgent), "passed")
      const alone = yield* probing
      alone.world.alive = true
      alone.world.gate = undefined
      yield* Fiber.interrupt(alone.first)
      assert.strictEqual(yield* alone.breaker.state, "open")
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(alone.call())))
    })
  )
})
