import { assert, describe, it } from "@effect/vitest"
import { Journal } from "@sbx/journal/Journal"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Sandboxes, type SandboxesOptions } from "../src/Sandboxes.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import * as SandboxPool from "../src/SandboxPool.ts"
import { doublesLayer, engineDouble } from "./support/doubles.ts"

interface World {
  readonly limit?: number
  readonly atLimit?: NonNullable<SandboxesOptions["atLimit"]>
}

const poolLayer = (
  engine: ReturnType<typeof engineDouble>["engine"],
  options: SandboxPool.PoolOptions | ReadonlyArray<SandboxPool.PoolOptions>,
  { limit = 10, atLimit = "wait" }: World = {}
) =>
  SandboxPool.layerWith(options).pipe(
    Layer.provideMerge(doublesLayer(engine, { maxConcurrentSandboxes: limit }, { atLimit }))
  )

/** Fibers take their turns until it holds; the clock stands still. */
const until = Effect.fnUntraced(function* (holds: (stats: SandboxPool.PoolStats) => boolean) {
  const pool = yield* SandboxPool.SandboxPool
  for (let turn = 0; turn < 2000; turn += 1) {
    const [stats] = yield* pool.stats
    if (stats !== undefined && holds(stats)) return stats
    yield* Effect.yieldNow
  }
  return assert.fail(`it never held: ${JSON.stringify(yield* pool.stats)}`)
})

const idle = (count: number) => until((stats) => stats.idle === count && stats.creating === 0)
const take = Effect.flatMap(SandboxPool.SandboxPool, (pool) => pool.acquire())

describe("a sandbox pool", () => {
  it.effect("gives each sandbox once, refills itself, and leaves nothing when it closes", () => {
    const { double, engine } = engineDouble()
    const scenario = Effect.gen(function* () {
      yield* idle(2)
      const seen = yield* Effect.forEach([1, 2, 3, 4, 5], () =>
        Effect.scoped(
          Effect.gen(function* () {
            const calls = double.inspects
            const box = yield* take
            assert.strictEqual(double.inspects, calls, "taking looks at the engine")
            yield* idle(2)
            return box.id
          })
        )
      )
      assert.strictEqual(new Set(seen).size, 5)
      assert.strictEqual(double.containers.size, 2)
      const journal = yield* Journal
      const facts = yield* Stream.runCollect(SandboxEvents.read(journal, SandboxEvents.stream(seen[0] ?? "")))
      assert.deepStrictEqual(
        facts.map(({ type }) => type),
        ["CreateIntended", "StartIntended", "Created", "Started", "Pooled", "Acquired", "RemoveIntended", "Removed"]
      )
    })
    return Effect.andThen(
      Effect.provide(scenario, poolLayer(engine, { min: 2 })),
      Effect.sync(() => assert.strictEqual(double.containers.size, 0))
    )
  })

  it.effect("makes the next ones when those who take are served, or when none is left", () => {
    const { engine } = engineDouble()
    const recorded = Effect.flatMap(Journal, (journal) => Stream.runCollect(SandboxEvents.replay(journal)))
    const last = (facts: ReadonlyArray<{ readonly type: string }>, type: string) =>
      facts.findLastIndex((fact) => fact.type === type)
    return Effect.gen(function* () {
      yield* idle(4)
      const before = (yield* recorded).length
      yield* Effect.repeat(take, { times: 2 })
      yield* idle(4)
      const burst = (yield* recorded).slice(before)
      assert.strictEqual(burst.filter(({ type }) => type === "CreateIntended").length, 3)
      assert.isBelow(
        last(burst, "Acquired"),
        burst.findIndex(({ type }) => type === "CreateIntended")
      )
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => Effect.forkScoped(take))
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      yield* idle(4)
    }).pipe(Effect.scoped, Effect.provide(poolLayer(engine, { min: 4 }, { limit: 20 })))
  })

  it.effect("lets waiters in by order of arrival, and a waiter who goes takes nothing with him", () => {
    const { engine } = engineDouble()
    return Effect.gen(function* () {
      yield* idle(1)
      const served: Array<number> = []
      const fibers: Array<Fiber.Fiber<void, unknown>> = []
      for (const index of [0, 1, 2, 3, 4, 5]) {
        const job = Effect.scoped(
          Effect.andThen(
            take,
            Effect.sync(() => void served.push(index))
          )
        )
        fibers.push(yield* Effect.forkChild(job, { startImmediately: true }))
      }
      yield* Effect.forEach(fibers.slice(2, 4), Fiber.interrupt)
      yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(served, [0, 1, 4, 5])
      const stats = yield* until((now) => now.waiting === 0 && now.creating === 0)
      assert.strictEqual(stats.total.created - stats.total.acquired, stats.idle)
    }).pipe(Effect.provide(poolLayer(engine, { min: 1, max: 3 })))
  })

  it.effect("fails or makes one on the spot when it is empty, as told", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      const pool = yield* SandboxPool.SandboxPool
      const error = yield* Effect.flip(pool.acquire({ hostname: "b" }))
      assert.strictEqual(error._tag, "PoolExhausted")
      const cold = yield* pool.acquire()
      assert.strictEqual(cold.spec.hostname, "sandbox")
      assert.isAtLeast(double.containers.size, 1)
      const other = yield* Effect.flip(pool.acquire({ hostname: "c" }))
      assert.deepInclude(other, { _tag: "PoolNotConfigured" })
    }).pipe(
      Effect.scoped,
      Effect.provide(
        poolLayer(engine, [
          { min: 0, onEmpty: "cold" },
          { spec: { hostname: "b" }, min: 0, onEmpty: "reject" }
        ])
      )
    )
  })

  it.effect("grows to max while it is emptied, and shrinks to min as the idle ones grow old", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      yield* idle(1)
      yield* Effect.scoped(Effect.all([take, take, take, take, take, take], { concurrency: "unbounded" }))
      const grown = yield* idle(3)
      assert.strictEqual(grown.target, 3)
      const before = [...double.containers.keys()]
      yield* TestClock.adjust("1 minute")
      const shrunk = yield* until((stats) => stats.total.expired === 3 && stats.idle === 1 && stats.creating === 0)
      assert.strictEqual(shrunk.target, 1)
      assert.isFalse(before.some((id) => double.containers.has(id)))
    }).pipe(Effect.provide(poolLayer(engine, { min: 1, max: 3, ttl: "1 minute" })))
  })

  it.effect("stops trying what fails, tells the cause, and tries once after the cooldown", () => {
    const { double, engine } = engineDouble()
    double.failing = 4
    return Effect.gen(function* () {
      const waiting = yield* Effect.flip(take)
      assert.deepInclude(waiting, { _tag: "PoolCircuitOpen", failures: 3, retryAfterMillis: 10_000 })
      assert.include(waiting.message, "there is no image double")
      assert.strictEqual((yield* Effect.flip(take))._tag, "PoolCircuitOpen")
      assert.strictEqual(double.failing, 1)
      yield* TestClock.adjust("10 seconds")
      yield* until((stats) => stats.total.failed === 4 && stats.breaker === "open")
      yield* TestClock.adjust("10 seconds")
      const stats = yield* idle(1)
      assert.deepInclude(stats, { breaker: "closed" })
      yield* take
    }).pipe(Effect.scoped, Effect.provide(poolLayer(engine, { min: 1 })))
  })

  it.effect("waits through an open circuit where told so", () => {
    const { double, engine } = engineDouble()
    double.failing = 1
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(take, { startImmediately: true })
      yield* until((stats) => stats.breaker === "open")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
    }).pipe(
      Effect.scoped,
      Effect.provide(poolLayer(engine, { min: 0, whileOpen: "wait", breaker: { failures: 1, cooldown: "1 second" } }))
    )
  })

  it.effect("gives nothing that has died, and looks for itself while it cannot hear the engine", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      yield* idle(2)
      const [first = ""] = double.containers.keys()
      double.emit("oom", first)
      yield* until((stats) => stats.total.unfit === 1 && stats.idle === 2)
      assert.isFalse(double.containers.has(first))
      double.cut()
      const [second = ""] = double.containers.keys()
      const found = double.containers.get(second)
      if (found !== undefined) found.status = "exited"
      yield* Effect.yieldNow
      const box = yield* take
      assert.notStrictEqual(box.containerId, second)
      assert.strictEqual((yield* until((stats) => stats.total.unfit === 2)).total.acquired, 1)
    }).pipe(Effect.scoped, Effect.provide(poolLayer(engine, { min: 2 })))
  })

  it.effect("gives way to those who wait for a place, and never passes the limit with them", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      const { make } = yield* Sandboxes
      yield* idle(3)
      yield* Effect.scoped(Effect.all([make(), make(), make()], { concurrency: "unbounded" }))
      const jobs = Array.from({ length: 40 }, (_, index) => Effect.scoped(index % 2 === 0 ? make() : take))
      yield* Effect.all(jobs, { concurrency: "unbounded" })
      assert.strictEqual(double.peak, 3)
      const stats = yield* idle(3)
      assert.isAtLeast(stats.total.evicted, 3)
    }).pipe(Effect.provide(poolLayer(engine, { min: 3 }, { limit: 3 })))
  })

  it.effect("passes the refusal of the limit on to who waits, and fails its scope with a removal that fails", () => {
    const { double, engine } = engineDouble()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(poolLayer(engine, { min: 1 }, { limit: 1, atLimit: "fail" }), scope)
      yield* Effect.gen(function* () {
        yield* idle(1)
        const taken = yield* Scope.make()
        yield* Scope.provide(take, taken)
        assert.strictEqual((yield* Effect.flip(Effect.scoped(take)))._tag, "SandboxLimitReached")
        yield* Scope.close(taken, Exit.void)
        yield* idle(1)
      }).pipe(Effect.provide(context))
      for (const id of double.containers.keys()) double.stuck.add(id)
      const passing = Effect.forever(
        Effect.andThen(TestClock.adjust("200 millis"), Effect.repeat(Effect.yieldNow, { times: 10 }))
      )
      const exit = yield* Effect.raceFirst(Effect.exit(Scope.close(scope, Exit.void)), passing)
      assert.include(JSON.stringify(exit), "SandboxRemovalFailed")
      const closed = yield* Effect.flip(Effect.scoped(Effect.provide(take, context)))
      assert.strictEqual(closed._tag, "PoolClosed")
    })
  })

  it.effect("refuses options that describe none, all at once", () => {
    const { engine } = engineDouble()
    const failureOf = (options: Parameters<typeof poolLayer>[1]) =>
      Effect.flip(Effect.scoped(Layer.build(poolLayer(engine, options))))
    return Effect.gen(function* () {
      const bad = yield* failureOf({ min: 3, max: 2, ttl: 0, breaker: { failures: 0, cooldown: 0 } })
      const fields = bad._tag === "InvalidPoolOptions" ? bad.issues.map(({ field }) => field) : []
      assert.deepStrictEqual(
        fields,
        ["max", "ttl", "breaker.failures", "breaker.cooldown"].map((field) => `pools[0].${field}`)
      )
      assert.strictEqual((yield* failureOf([{}, {}]))._tag, "InvalidPoolOptions")
      assert.strictEqual((yield* failureOf([]))._tag, "InvalidPoolOptions")
      const double = SandboxPool.layerWith({}).pipe(Layer.provide(Layer.mock(Sandboxes, {})))
      assert.strictEqual((yield* Effect.flip(Effect.scoped(Layer.build(double))))._tag, "InvalidPoolOptions")
    })
  })
})
