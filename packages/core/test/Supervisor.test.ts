import { assert, describe, it } from "@effect/vitest"
import * as Memory from "@sbx/journal/Memory"
import { Effect, Exit, Fiber, Random, Scope } from "effect"
import * as HealthCheck from "../src/HealthCheck.ts"
import { defaults, evolve, noHistory } from "../src/Recovery.ts"
import type { SandboxEvent } from "../src/SandboxEvent.ts"
import { isReady, supervise } from "../src/Supervisor.ts"
import { makeWorld, pass } from "./support/supervisedWorld.ts"

type Tag = SandboxEvent["_tag"]
type Of<T extends Tag> = Extract<SandboxEvent, { readonly _tag: T }>

const only = <T extends Tag>(events: ReadonlyArray<SandboxEvent>, tag: T) =>
  events.filter((event): event is Of<T> => event._tag === tag)

/** A wait call's answer is looked at every two seconds at the latest. */
const notice = pass("2500 millis")

const plain = { jitter: 0, stableAfter: "1 hour" } as const

describe("the supervisor on a virtual clock", () => {
  it.effect("waits twice as long each time, then gives up, with every decision on record", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, { ...plain, initialDelay: "1 second", budget: 3, window: "1 hour" })
      for (const delay of [1000, 2000, 4000]) {
        yield* end(1)
        yield* notice
        assert.strictEqual((yield* supervised.current).status, delay === 1000 ? "watching" : "recovering")
        yield* pass(delay)
        assert.strictEqual((yield* supervised.current).status, "watching")
      }
      yield* end(1)
      yield* notice
      const { status, recoveries } = yield* supervised.current
      assert.strictEqual(status, "given-up")
      assert.strictEqual(recoveries.length, 3)
      const events = yield* facts
      assert.deepStrictEqual(
        only(events, "RecoveryDecided").map(({ decision, delayMillis, attempt }) => [decision, delayMillis, attempt]),
        [
          ["restart", 1000, 1],
          ["restart", 2000, 2],
          ["restart", 4000, 3],
          ["give-up", 0, 4]
        ]
      )
      const done = only(events, "Recovered")
      assert.deepStrictEqual(
        done.map(({ downMillis }) => downMillis),
        recoveries.map(({ downMillis }) => downMillis)
      )
      assert.strictEqual(only(events, "RecoveryAttempted").length, 3)
      assert.strictEqual(world.starts, 3)
      for (const { failedAtMillis, recoveredAtMillis, downMillis } of done) {
        assert.strictEqual(recoveredAtMillis - failedAtMillis, downMillis)
      }
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("draws the same jitter from the same seed", () =>
    Effect.gen(function* () {
      const delays = (seed: string) =>
        Effect.gen(function* () {
          const { sandbox, end, facts } = yield* makeWorld
          yield* supervise(sandbox)
          yield* end(1)
          yield* pass("10 seconds")
          yield* end(1)
          yield* pass("10 seconds")
          return only(yield* facts, "RecoveryDecided").map(({ delayMillis }) => delayMillis)
        }).pipe(Effect.scoped, Random.withSeed(seed), Effect.provide(Memory.layer))
      const first = yield* delays("a")
      assert.strictEqual(first.length, 2)
      assert.deepStrictEqual(yield* delays("a"), first)
      assert.notDeepEqual(yield* delays("b"), first)
    })
  )

  it.effect("goes on from the budget that an earlier supervisor has used, by the events alone", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts } = yield* makeWorld
      const policy = { ...plain, budget: 2, window: "1 hour" } as const
      const scope = yield* Scope.make()
      yield* Scope.provide(supervise(sandbox, policy), scope)
      yield* end(1)
      yield* pass("5 seconds")
      yield* Scope.close(scope, Exit.void)
      yield* end(1)
      yield* pass("20 seconds")
      assert.strictEqual(only(yield* facts, "RecoveryDecided").length, 1, "it went on after its scope was closed")
      const later = yield* supervise(sandbox, policy)
      yield* pass("5 seconds")
      const decided = only(yield* facts, "RecoveryDecided")
      assert.deepStrictEqual(
        decided.map(({ attempt, delayMillis }) => [attempt, delayMillis]),
        [
          [1, 100],
          [2, 200]
        ]
      )
      yield* end(1)
      yield* pass("5 seconds")
      assert.strictEqual((yield* later.current).status, "given-up")
      const history = (yield* facts).reduce(
        (before, event) => evolve({ ...defaults, ...policy }, before, event),
        noHistory
      )
      assert.strictEqual(history.decidedAtMillis.length, 2)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("tries again when the engine refuses a start, and measures from the first failure", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, plain)
      world.refuseStarts = 2
      yield* end(1)
      yield* pass("10 seconds")
      const { recoveries } = yield* supervised.current
      const events = yield* facts
      const classes = only(events, "FailureClassified").map(({ failure }) => failure)
      assert.deepStrictEqual(classes, ["error", "start-failed", "start-failed"])
      assert.strictEqual(only(events, "RecoveryFailed").length, 2)
      assert.strictEqual(recoveries.length, 1)
      const [died] = only(events, "Died")
      assert.strictEqual(recoveries[0]?.failedAtMillis, died?.finishedAtMillis)
      assert.strictEqual(recoveries[0]?.attempt, 3)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("skips what its user has done meanwhile, and does not charge for it", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, { ...plain, initialDelay: "10 seconds" })
      yield* end(1)
      yield* notice
      yield* sandbox.restart()
      yield* pass("20 seconds")
      assert.strictEqual((yield* supervised.current).status, "watching")
      assert.strictEqual(world.starts, 1)
      const skipped = only(yield* facts, "RecoverySkipped")
      assert.include(skipped[0]?.reason, "running")
      yield* end(1)
      yield* notice
      assert.strictEqual(only(yield* facts, "RecoveryDecided").at(-1)?.attempt, 1)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("leaves alone what is stopped or paused, and an engine that does not answer", () =>
    Effect.gen(function* () {
      const { sandbox, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, plain)
      world.deaf = true
      yield* pass("20 seconds")
      world.deaf = false
      yield* sandbox.stop()
      yield* pass("20 seconds")
      yield* sandbox.restart()
      yield* pass("20 seconds")
      assert.deepStrictEqual(only(yield* facts, "FailureClassified"), [])
      yield* sandbox.remove
      yield* pass("1 second")
      assert.strictEqual((yield* supervised.current).status, "ended")
      assert.deepStrictEqual(only(yield* facts, "FailureClassified"), [])
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("makes another container of what is gone, under the next name, known as the same sandbox", () =>
    Effect.gen(function* () {
      const { sandbox, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, plain)
      world.container = undefined
      yield* pass("5 seconds")
      const { recoveries } = yield* supervised.current
      assert.deepInclude(recoveries[0], { decision: "recreate", attempt: 1 })
      assert.strictEqual(sandbox.containerId, "c2")
      assert.match(sandbox.name, /-2$/)
      const events = yield* facts
      const intents = only(events, "CreateIntended")
      assert.strictEqual(intents[1]?.attempt, 2)
      assert.isUndefined(intents[1]?.replaces, "there was nothing left to replace")
      assert.deepStrictEqual(intents[1]?.spec, intents[0]?.spec)
      assert.isTrue(only(events, "Recovered")[0]?.workspaceKept)
      assert.notInclude(world.calls, "remove workspace")
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("removes the old container before it makes the new one, after the intent", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts, world } = yield* makeWorld
      yield* supervise(sandbox, { ...plain, actions: { error: "recreate" } })
      yield* end(1)
      yield* pass("5 seconds")
      const changes = world.calls.filter((call) => ["remove", "create", "start"].includes(call))
      assert.deepStrictEqual(changes, ["remove", "create", "start"])
      assert.strictEqual(only(yield* facts, "CreateIntended")[1]?.replaces, "c1")
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("tries again after an attempt that has no end", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, { ...plain, attemptTimeout: "3 seconds" })
      world.hangStarts = 1
      yield* end(1)
      yield* pass("10 seconds")
      const [failed] = only(yield* facts, "RecoveryFailed")
      assert.deepInclude(failed, { decision: "restart", reason: "no end within 3s" })
      assert.deepInclude((yield* supervised.current).recoveries[0], { attempt: 2 })
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("goes on with a container that was made without an answer, and without one that never was", () =>
    Effect.gen(function* () {
      const after = (nextCreate: "refused" | "unanswered" | "lost") =>
        Effect.gen(function* () {
          const { sandbox, end, facts, world } = yield* makeWorld
          const supervised = yield* supervise(sandbox, { ...plain, actions: { error: "recreate" } })
          world.nextCreate = nextCreate
          yield* end(1)
          yield* pass("15 seconds")
          const events = yield* facts
          assert.strictEqual(only(events, "RecoveryFailed").length, 1)
          const { recoveries } = yield* supervised.current
          assert.deepInclude(recoveries[0], { attempt: 2 })
          assert.strictEqual(recoveries.length, 1)
          assert.strictEqual(sandbox.containerId, "c2")
          return [recoveries[0]?.decision, world.calls.filter((call) => call === "create").length, events] as const
        }).pipe(Effect.scoped, Effect.provide(Memory.layer))
      const [refused, triedTwice, refusal] = yield* after("refused")
      assert.deepStrictEqual([refused, triedTwice], ["recreate", 2])
      assert.strictEqual(only(refusal, "CreateFailed").length, 1)
      // Found by its name: it needs no more than a start.
      const [unanswered, once] = yield* after("unanswered")
      assert.deepStrictEqual([unanswered, once], ["restart", 1])
      const [lost, twice, events] = yield* after("lost")
      assert.deepStrictEqual([lost, twice], ["recreate", 2])
      assert.strictEqual(only(events, "CreateAbandoned").length, 1)
    })
  )

  it.effect("leaves nothing of a replacement whose predecessor could not be removed", () =>
    Effect.gen(function* () {
      const { sandbox, end, facts, world } = yield* makeWorld
      const supervised = yield* supervise(sandbox, { ...plain, budget: 1, actions: { error: "recreate" } })
      world.refuseRemovals = 100
      yield* end(1)
      yield* pass("10 seconds")
      assert.strictEqual((yield* supervised.current).status, "given-up")
      assert.isDefined(world.container)
      assert.notInclude(world.calls, "create")
      assert.strictEqual(only(yield* facts, "CreateFailed").length, 1)
      world.refuseRemovals = 0
      const removal = yield* Effect.forkChild(sandbox.remove)
      yield* pass("12 seconds")
      yield* Fiber.join(removal)
      assert.isUndefined(world.container)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("removes the sandbox when the policy says terminate, and says so when that fails", () =>
    Effect.gen(function* () {
      const policy = { ...plain, budget: 0, whenSpent: "terminate" } as const
      const { sandbox, end, facts } = yield* makeWorld
      const supervised = yield* supervise(sandbox, policy)
      yield* end(1)
      yield* pass("3 seconds")
      assert.strictEqual((yield* supervised.current).status, "ended")
      assert.strictEqual((yield* facts).at(-1)?._tag, "Removed")
    }).pipe(Effect.provide(Memory.layer), Effect.andThen(failsToTerminate))
  )

  it.effect("waits a moment for the event of a kill for memory that comes after the death", () =>
    Effect.gen(function* () {
      const { sandbox, end, tell, facts } = yield* makeWorld
      const supervised = yield* supervise(sandbox, { ...plain, budget: 0 })
      yield* pass("1 second")
      yield* end(137)
      // Noticed by the look that comes every two seconds.
      yield* pass("1 second")
      assert.strictEqual(only(yield* facts, "Died").length, 1)
      assert.strictEqual(only(yield* facts, "FailureClassified").length, 0)
      yield* tell("oom")
      yield* pass("1 second")
      assert.deepStrictEqual((yield* supervised.current).failure, { kind: "out-of-memory", victim: "main" })
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("tells a kill for memory that the events report from a kill by a signal", () =>
    Effect.gen(function* () {
      const classesOf = (
        before: (
          tell: (action: string, attributes?: Record<string, string>) => Effect.Effect<unknown>
        ) => Effect.Effect<unknown>
      ) =>
        Effect.gen(function* () {
          const { sandbox, end, tell, facts } = yield* makeWorld
          const supervised = yield* supervise(sandbox, { ...plain, budget: 0 })
          yield* pass("1 second")
          yield* before(tell)
          yield* end(137)
          yield* pass("5 seconds")
          const [classified] = only(yield* facts, "FailureClassified")
          return [(yield* supervised.current).failure, classified?.oomKills] as const
        }).pipe(Effect.scoped, Effect.provide(Memory.layer))
      const signal = { kind: "signal", signal: 9 } as const
      assert.deepStrictEqual(yield* classesOf(() => Effect.void), [{ ...signal, witnessed: false }, 0])
      assert.deepStrictEqual(yield* classesOf((tell) => tell("kill", { signal: "9" })), [
        { ...signal, witnessed: true },
        0
      ])
      assert.deepStrictEqual(yield* classesOf((tell) => tell("oom")), [{ kind: "out-of-memory", victim: "main" }, 1])
      const longAgo = yield* classesOf((tell) => Effect.andThen(tell("oom"), pass("20 seconds")))
      assert.deepStrictEqual(longAgo, [{ ...signal, witnessed: false }, 0])
    })
  )
})

const failsToTerminate = Effect.gen(function* () {
  const { sandbox, end, facts, world } = yield* makeWorld
  const supervised = yield* supervise(sandbox, { ...plain, actions: { error: "terminate" } })
  world.refuseRemovals = 100
  yield* end(1)
  yield* pass("10 seconds")
  assert.strictEqual((yield* supervised.current).status, "given-up")
  assert.strictEqual(only(yield* facts, "RecoveryFailed")[0]?.decision, "terminate")
}).pipe(Effect.provide(Memory.layer))

describe("health checks under a supervisor on a virtual clock", () => {
  const timing = { interval: "1 second", failureThreshold: 3 } as const
  const settable = () => {
    const box: { level: HealthCheck.Level; looks: number } = { level: "ok", looks: 0 }
    const look = () =>
      Effect.sync(() => {
        box.looks += 1
        return { level: box.level, detail: `it is ${box.level}` }
      })
    return { box, look }
  }

  it.effect("restart what is sick, once enough looks in a row have said so", () =>
    Effect.gen(function* () {
      const { sandbox, facts, world } = yield* makeWorld
      const { box, look } = settable()
      const check = HealthCheck.custom("well", look, { ...timing, recover: true })
      const supervised = yield* supervise(sandbox, { ...plain, checks: [check] })
      world.afterStart = () => void (box.level = "ok")
      yield* pass("2500 millis")
      assert.strictEqual((yield* supervised.current).health["well"]?.status, "healthy")
      box.level = "critical"
      yield* pass("2 seconds")
      assert.notInclude(world.calls, "stop")
      yield* pass("2 seconds")
      assert.include(world.calls, "stop")
      const [recovery] = (yield* supervised.current).recoveries
      assert.deepStrictEqual(recovery?.failure, { kind: "unhealthy", check: "well", detail: "it is critical" })
      yield* pass("2 seconds")
      assert.strictEqual((yield* supervised.current).health["well"]?.status, "healthy")
      const told = only(yield* facts, "HealthChanged").map(({ status }) => status)
      assert.deepStrictEqual(told, ["healthy", "unhealthy", "healthy"])
      // Down since the first of the looks that failed: two more seconds, and the delay.
      assert.strictEqual(recovery?.downMillis, 2100)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("are not taken while it is paused or stopped, and begin anew after a start", () =>
    Effect.gen(function* () {
      const { sandbox, world } = yield* makeWorld
      const { box, look } = settable()
      const check = HealthCheck.custom("well", look, { ...timing, initialDelay: "5 seconds" })
      yield* supervise(sandbox, { ...plain, checks: [check] })
      yield* pass("4900 millis")
      assert.strictEqual(box.looks, 0)
      yield* pass("1 second")
      assert.strictEqual(box.looks, 1)
      yield* sandbox.pause
      yield* pass("20 seconds")
      assert.strictEqual(box.looks, 1)
      yield* sandbox.resume
      yield* pass("500 millis")
      assert.strictEqual(box.looks, 2)
      yield* sandbox.stop()
      yield* pass("20 seconds")
      assert.strictEqual(box.looks, 2)
      yield* sandbox.restart()
      yield* pass("4900 millis")
      assert.strictEqual(box.looks, 2)
      yield* pass("300 millis")
      assert.strictEqual(box.looks, 3)
      assert.strictEqual(world.starts, 1)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("do not count when they were taken in vain, nor restart what is well again", () =>
    Effect.gen(function* () {
      const { sandbox, facts, world } = yield* makeWorld
      const { box, look } = settable()
      const slow = () => Effect.flatMap(look(), (seen) => Effect.as(Effect.sleep("500 millis"), seen))
      const check = HealthCheck.custom("well", slow, { ...timing, failureThreshold: 1, recover: true })
      yield* supervise(sandbox, { ...plain, initialDelay: "5 seconds", checks: [check] })
      box.level = "critical"
      yield* pass("300 millis")
      yield* sandbox.pause
      box.level = "ok"
      yield* pass("1 second")
      yield* sandbox.resume
      yield* pass("3 seconds")
      assert.deepStrictEqual(
        only(yield* facts, "HealthChanged").map(({ status }) => status),
        ["healthy"]
      )
      // Sick for some looks while the restart is being waited for; then its user sees to it.
      box.level = "critical"
      yield* pass("4 seconds")
      assert.strictEqual(only(yield* facts, "RecoveryDecided").length, 1)
      yield* sandbox.pause
      box.level = "ok"
      yield* sandbox.resume
      yield* pass("10 seconds")
      assert.strictEqual(only(yield* facts, "RecoverySkipped").length, 1)
      assert.strictEqual(only(yield* facts, "RecoveryDecided").length, 1)
      assert.strictEqual(world.starts, 0)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("that hang have failed, if the engine itself answers", () =>
    Effect.gen(function* () {
      const { sandbox, world } = yield* makeWorld
      const check = HealthCheck.custom("hangs", () => Effect.never, { ...timing, failureThreshold: 1 })
      const supervised = yield* supervise(sandbox, { ...plain, checks: [check] })
      yield* pass("2500 millis")
      assert.deepInclude((yield* supervised.current).health["hangs"], {
        status: "unhealthy",
        detail: "no answer within 2s"
      })
      world.deaf = true
      yield* pass("3 seconds")
      assert.deepInclude((yield* supervised.current).health["hangs"], {
        status: "unknown",
        detail: "the engine does not answer"
      })
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("that break are unknown, and restart nothing", () =>
    Effect.gen(function* () {
      const { sandbox, facts } = yield* makeWorld
      const check = HealthCheck.custom("broken", () => Effect.die(new Error("no such thing")), {
        ...timing,
        recover: true
      })
      const supervised = yield* supervise(sandbox, { ...plain, checks: [check] })
      yield* pass("20 seconds")
      const { health } = yield* supervised.current
      assert.strictEqual(health["broken"]?.status, "unknown")
      assert.include(health["broken"]?.detail, "no such thing")
      assert.deepStrictEqual(only(yield* facts, "FailureClassified"), [])
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("say when it is ready", () =>
    Effect.gen(function* () {
      const { sandbox, end } = yield* makeWorld
      const { box, look } = settable()
      const check = {
        ...HealthCheck.readiness("ready", HealthCheck.port(80), { ...timing, initialDelay: "3 seconds" }),
        ...probeOf(look)
      }
      const supervised = yield* supervise(sandbox, { ...plain, checks: [check] })
      box.level = "critical"
      yield* pass("5 seconds")
      assert.isFalse(isReady(yield* supervised.current))
      box.level = "ok"
      yield* pass("1500 millis")
      assert.isTrue(isReady(yield* supervised.current))
      yield* end(1)
      yield* pass("3 seconds")
      const { recoveries } = yield* supervised.current
      assert.strictEqual(recoveries.length, 1)
      assert.isFalse(isReady(yield* supervised.current), "what was said of the run before")
    }).pipe(Effect.provide(Memory.layer))
  )
})

const probeOf = (look: () => Effect.Effect<HealthCheck.Observation>) => ({ probe: { _tag: "Custom", look } as const })
