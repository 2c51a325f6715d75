import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Sandboxes } from "../src/Sandboxes.ts"
import { doublesLayer, engineDouble } from "./support/doubles.ts"

const limit = 4

const yields = (count: number) => Effect.repeat(Effect.yieldNow, { times: count })

describe("sandboxes at their limit", () => {
  it.effect("are never more, and are let in in the order in which they came", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const admitted: Array<number> = []
      const job = Effect.fnUntraced(function* (index: number) {
        yield* make()
        admitted.push(index)
        yield* yields((index * 7) % 5)
      })
      const fibers: Array<Fiber.Fiber<void, unknown>> = []
      for (let index = 0; index < 10 * limit; index += 1) {
        fibers.push(yield* Effect.forkChild(Effect.scoped(job(index)), { startImmediately: true }))
      }
      // Every third of those that wait gives up: its place in the queue is lost, and nothing else.
      const isGiven = (index: number) => index >= limit && index % 3 === 0
      yield* Effect.forEach(
        fibers.filter((_, index) => isGiven(index)),
        Fiber.interrupt
      )
      yield* Effect.forEach(fibers, Fiber.await)
      const expected = fibers.flatMap((_, index) => (isGiven(index) ? [] : [index]))
      assert.deepStrictEqual(admitted, expected)
      assert.strictEqual(double.peak, limit)
      assert.strictEqual(double.containers.size, 0)
      // No place was lost with those who gave up.
      yield* Effect.scoped(Effect.all(Array.from({ length: limit }, () => make())))
    }).pipe(Effect.provide(doublesLayer(engine, { maxConcurrentSandboxes: limit })))
  })

  it.effect("are refused where asked so, and welcome again once one is removed", () => {
    const { engine } = engineDouble()
    return Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const [first] = yield* Effect.all([make(), make()])
      const error = yield* Effect.flip(make())
      assert.deepInclude(error, { _tag: "SandboxLimitReached", limit: 2 })
      yield* first.remove
      yield* make()
    }).pipe(Effect.scoped, Effect.provide(doublesLayer(engine, { maxConcurrentSandboxes: 2 }, { atLimit: "fail" })))
  })
})

describe("a scope of many sandboxes", () => {
  it.effect("removes them side by side, and tells every failure", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const scope = yield* Scope.make()
      const boxes = yield* Effect.all(
        Array.from({ length: 6 }, () => make()),
        { concurrency: 3 }
      ).pipe(Scope.provide(scope))
      double.stuck.add(boxes[1]?.containerId ?? "").add(boxes[4]?.containerId ?? "")
      const passing = Effect.forever(Effect.andThen(TestClock.adjust("200 millis"), yields(10)))
      const exit = yield* Effect.raceFirst(Effect.exit(Scope.close(scope, Exit.void)), passing)
      assert.isAbove(double.removals.peak, 1)
      assert.strictEqual(double.containers.size, 2)
      assert.strictEqual(Exit.isFailure(exit) && exit.cause.reasons.length, 2)
    }).pipe(Effect.provide(doublesLayer(engine)))
  })

  it.effect("undoes what was registered between them in its own turn", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const seen: Array<ReadonlyArray<string>> = []
      const look = Effect.addFinalizer(() => Effect.sync(() => void seen.push([...double.containers.keys()])))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* look
          yield* make()
          yield* make()
          yield* look
          yield* make()
          yield* make()
        })
      )
      assert.deepStrictEqual(seen, [["c1", "c2"], []])
    }).pipe(Effect.provide(doublesLayer(engine)))
  })
})
