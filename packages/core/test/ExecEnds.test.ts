import { assert, describe, it } from "@effect/vitest"
import type { EngineEvent } from "@sbx/engine/Engine"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import { Effect, Fiber, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ExecEnds from "../src/internal/execEnds.ts"

const cut = new EngineUnavailable({ operation: "read events", endpoint: "", reason: "connection-lost", detail: "" })

const died = (execID: string, exitCode: string): EngineEvent => ({
  atMillis: 0,
  timeNano: "0",
  type: "container",
  action: "exec_die",
  detail: undefined,
  actorId: "c1",
  attributes: { execID, exitCode }
})

/** An engine whose events are told by the test; how often it was listened to, and for what. */
const world = Effect.gen(function* () {
  const told = yield* Queue.unbounded<EngineEvent, EngineUnavailable>()
  const asked: Array<unknown> = []
  const ends = yield* ExecEnds.make(
    {
      events: (options) =>
        Stream.suspend(() => {
          asked.push(options)
          return Stream.fromQueue(told)
        })
    },
    { mark: "1" }
  )
  const tell = (event: EngineEvent) => Effect.andThen(Queue.offer(told, event), Effect.yieldNow)
  return { ends, tell, asked, cut: Queue.fail(told, cut) }
})

const settle = Effect.andThen(Effect.yieldNow, Effect.yieldNow)

describe("ends of execs", () => {
  it.effect("are not waited for until the engine has told one, and then for 10 ms", () =>
    Effect.gen(function* () {
      const { ends, tell, asked } = yield* world
      assert.deepStrictEqual(asked, [])
      assert.isUndefined(yield* ends.codeOf("a"))
      yield* settle
      yield* tell(died("b", "7"))
      assert.strictEqual(yield* ends.codeOf("b"), 7)
      const late = yield* Effect.forkChild(ends.codeOf("c"), { startImmediately: true })
      yield* tell(died("x", "1"))
      yield* tell(died("c", "137"))
      assert.strictEqual(yield* Fiber.join(late), 137)
      const never = yield* Effect.forkChild(ends.codeOf("d"), { startImmediately: true })
      yield* TestClock.adjust("10 millis")
      assert.isUndefined(yield* Fiber.join(never))
      assert.strictEqual(yield* ends.codeOf("x"), 1)
      assert.deepStrictEqual(asked, [{ labels: { mark: "1" }, actions: ["exec_die"] }])
    })
  )

  it.effect("are not waited for after three waits in vain, until one is told again", () =>
    Effect.gen(function* () {
      const { ends, tell } = yield* world
      yield* ends.codeOf("a")
      yield* settle
      yield* tell(died("b", "0"))
      for (const id of ["c", "d", "e"]) {
        const fiber = yield* Effect.forkChild(ends.codeOf(id), { startImmediately: true })
        yield* TestClock.adjust("10 millis")
        assert.isUndefined(yield* Fiber.join(fiber))
      }
      assert.isUndefined(yield* ends.codeOf("f"))
      yield* tell(died("g", "0"))
      const fiber = yield* Effect.forkChild(ends.codeOf("h"), { startImmediately: true })
      yield* tell(died("h", "3"))
      assert.strictEqual(yield* Fiber.join(fiber), 3)
    })
  )

  it.effect("are not waited for once the stream was cut; it is listened to again a second later", () =>
    Effect.gen(function* () {
      const { ends, tell, asked, cut } = yield* world
      yield* ends.codeOf("a")
      yield* settle
      yield* tell(died("b", "0"))
      yield* cut
      yield* settle
      assert.isUndefined(yield* ends.codeOf("c"))
      assert.lengthOf(asked, 1)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(asked, 2)
    })
  )

  it.effect("that say no code are none", () =>
    Effect.gen(function* () {
      const { ends, tell } = yield* world
      yield* ends.codeOf("a")
      yield* settle
      yield* tell(died("b", "soon"))
      yield* tell({ ...died("c", "0"), attributes: { execID: "c" } })
      assert.isUndefined(yield* ends.codeOf("b"))
      assert.isUndefined(yield* ends.codeOf("c"))
    })
  )
})
