import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Option, Queue, Random, Ref } from "effect"
import * as Simulation from "@sbx/sim/Simulation"
import { World } from "@sbx/sim/World"

const seeds = Array.from({ length: 200 }, (_, seed) => seed)

/** Workers that take turns by chance: what they log depends on the order of tasks, on time and on randomness. */
const race = Effect.gen(function* () {
  const lines: Array<string> = []
  const worker = (name: string) =>
    Effect.gen(function* () {
      for (let turn = 0; turn < 4; turn++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 3))
        lines.push(`${name}${yield* Clock.currentTimeMillis}`)
      }
    })
  yield* Effect.all(["a", "b", "c"].map(worker), { concurrency: "unbounded" })
  return lines.join(" ")
})

const success = <A, E>({ exit }: Simulation.Outcome<A, E>): A => {
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

describe("a run", () => {
  it.effect("is the same for the same seed, and not for all seeds", () =>
    Effect.gen(function* () {
      const results = new Set<string>()
      const hashes = new Set<string>()
      for (const seed of seeds) {
        const first = yield* Simulation.runTwice({ seed, program: race })
        const second = yield* Simulation.run({ seed, program: race })
        assert.strictEqual(success(first), success(second))
        results.add(success(first))
        hashes.add(first.traceHash)
      }
      assert.isAbove(results.size, 190)
      assert.strictEqual(hashes.size, results.size)
    })
  )

  it.effect("takes no real time to sleep", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const before = yield* Clock.monotonicTimeNanos
        yield* Effect.sleep("365 days")
        return (yield* Clock.monotonicTimeNanos) - before
      })
      const outcome = yield* Simulation.run({ seed: 1, program })
      assert.strictEqual(success(outcome), 365n * 86_400_000_000_000n)
      assert.strictEqual(outcome.elapsedMillis, 365 * 86_400_000)
    })
  )

  it.effect("finds the lost update that an unlucky order makes", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const counter = yield* Ref.make(0)
        const careless = Effect.gen(function* () {
          yield* Effect.sleep(1)
          const seen = yield* Ref.get(counter)
          yield* Effect.yieldNow
          yield* Ref.set(counter, seen + 1)
        })
        yield* Effect.all([careless, careless], { concurrency: "unbounded" })
        return yield* Ref.get(counter)
      })
      const results = new Set<number>()
      for (const seed of seeds) results.add(success(yield* Simulation.run({ seed, program })))
      assert.hasAllKeys(results, [1, 2])
    })
  )

  it.effect("preempts between any two operations", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        let shared = 0
        const careless = Effect.gen(function* () {
          const seen = yield* Effect.sync(() => shared)
          yield* Effect.sync(() => void (shared = seen + 1))
        }).pipe(Effect.repeat({ times: 9 }))
        yield* Effect.all([careless, careless, careless], { concurrency: "unbounded" })
        return shared
      })
      const results = new Set<number>()
      for (const seed of seeds) results.add(success(yield* Simulation.run({ seed, program })))
      assert.isAbove(results.size, 1)
    })
  )

  it.effect("says when nothing can ever happen again", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(Effect.sleep(7), Effect.never)
      const error = yield* Effect.flip(Simulation.run({ seed: 3, program }))
      assert.strictEqual(error._tag, "Deadlock")
      assert.include(error.message, "seed 3")
      assert.include(error.message, "at 7 ms")
      const real = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      assert.strictEqual((yield* Effect.flip(Simulation.run({ seed: 3, program: real })))._tag, "Deadlock")
    })
  )

  it.effect("says when a program does not end", () =>
    Effect.gen(function* () {
      const program = Effect.forever(Effect.sleep(10))
      const error = yield* Effect.flip(Simulation.run({ seed: 3, program, maxSteps: 500 }))
      assert.strictEqual(error._tag, "StepLimit")
      assert.include(error.message, "within 500 steps")
    })
  )

  it.effect("notices a program that the seed does not decide", () =>
    Effect.gen(function* () {
      let runs = 0
      const program = Effect.suspend(() => Effect.sleep(++runs))
      const error = yield* Effect.flip(Simulation.runTwice({ seed: 5, program }))
      assert.strictEqual(error._tag, "NotDeterministic")
      assert.include(error.message, "seed 5")
    })
  )
})

describe("a process", () => {
  it.effect("that is killed runs neither finalizers nor timers, and its answer is lost", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const world = yield* World
        const seen: Array<string> = []
        const note = (what: string) => Effect.sync(() => void seen.push(what))
        const body = Effect.gen(function* () {
          yield* Effect.forkDetach(Effect.andThen(Effect.sleep(50), note("timer")))
          yield* Effect.addFinalizer(() => note("finalizer"))
          yield* world.call(Effect.andThen(Effect.sleep(100), note("answer")))
          yield* note("after")
        }).pipe(Effect.scoped, Effect.ensuring(note("ensuring")))
        const process = yield* world.spawn("victim", body)
        yield* Effect.sleep(20)
        assert.isTrue(process.isAlive())
        yield* process.kill
        assert.isFalse(process.isAlive())
        yield* Effect.sleep(500)
        return { seen, end: yield* process.await }
      })
      for (const seed of seeds) {
        const { seen, end } = success(yield* Simulation.run({ seed, program }))
        assert.deepStrictEqual(seen, [])
        assert.isTrue(Option.isNone(end))
      }
    })
  )

  it.effect("that is not killed runs all of them", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const world = yield* World
        const seen: Array<string> = []
        const note = (what: string) => Effect.sync(() => void seen.push(what))
        const process = yield* world.spawn(
          "healthy",
          Effect.scoped(
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() => note("finalizer"))
              yield* world.atDeath(() => seen.push("death"))
              return yield* world.call(Effect.as(Effect.sleep(100), "answer"))
            })
          )
        )
        return { end: yield* process.await, seen }
      })
      const { end, seen } = success(yield* Simulation.run({ seed: 1, program }))
      assert.deepStrictEqual(end, Option.some(Exit.succeed("answer")))
      assert.deepStrictEqual(seen, ["finalizer", "death"])
    })
  )

  it.effect("leaves behind what the world does for it", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const world = yield* World
        const done = yield* Deferred.make<string>()
        const late = Effect.andThen(Effect.sleep(1000), Deferred.succeed(done, "late"))
        const request = Effect.andThen(world.fork(late), Effect.never)
        const process = yield* world.spawn("client", world.call(request))
        yield* Effect.sleep(10)
        yield* process.kill
        return yield* Deferred.await(done)
      })
      for (const seed of seeds) assert.strictEqual(success(yield* Simulation.run({ seed, program })), "late")
    })
  )

  it.effect("cuts its requests when it is interrupted or dies, and only then", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const world = yield* World
        const cuts = yield* Queue.unbounded<string>()
        const request = (name: string) => Effect.onInterrupt(Effect.sleep(100), () => Queue.offer(cuts, name))
        const dying = yield* world.spawn("dying", world.call(request("died")))
        yield* world.spawn("leaving", Effect.timeoutOption(world.call(request("timeout")), 50))
        const patient = yield* world.spawn("patient", world.call(request("patient")))
        yield* Effect.sleep(20)
        yield* dying.kill
        yield* patient.await
        return yield* Queue.takeAll(cuts)
      })
      for (const seed of seeds) {
        assert.deepStrictEqual(success(yield* Simulation.run({ seed, program })), ["died", "timeout"])
      }
    })
  )

  it.effect("that is frozen acts late", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const world = yield* World
        const process = yield* world.spawn("frozen", Effect.andThen(Effect.sleep(100), Clock.currentTimeMillis))
        yield* Effect.sleep(10)
        yield* process.freeze
        yield* Effect.sleep(1000)
        assert.isTrue(process.isAlive())
        const before = yield* Clock.currentTimeMillis
        yield* process.thaw
        const end = yield* process.await
        return { before, end }
      })
      const { before, end } = success(yield* Simulation.run({ seed: 2, program }))
      assert.deepStrictEqual(end, Option.some(Exit.succeed(before)))
    })
  )

  it.effect("draws from a sequence of its own", () =>
    Effect.gen(function* () {
      const draws = (others: number) =>
        Effect.gen(function* () {
          const world = yield* World
          const process = yield* world.spawn("a", Random.next)
          const rest = Effect.forEach(Array.from({ length: others }), () => Random.next)
          yield* Effect.forkDetach(rest)
          return Option.getOrThrow(yield* process.await)
        })
      const few = success(yield* Simulation.run({ seed: 9, program: draws(0) }))
      const many = success(yield* Simulation.run({ seed: 9, program: draws(50) }))
      assert.deepStrictEqual(few, many)
    })
  )

  it.effect("logs with virtual time, to nobody by default", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const program = Effect.gen(function* () {
        const world = yield* World
        const process = yield* world.spawn("talker", Effect.andThen(Effect.sleep(5), Effect.logInfo("hello")))
        yield* process.await
        yield* Fiber.join(yield* Effect.forkChild(Effect.void))
      })
      yield* Simulation.run({ seed: 1, program })
      yield* Simulation.run({ seed: 1, program, log: (line) => lines.push(line) })
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0] ?? "", /^5 talker: .*hello/)
    })
  )
})
