import type { EngineShape, ExecState } from "@sbx/engine/Engine"
import { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { exec } from "../src/internal/execProcess.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import { contextOn, inspected } from "./support/contextOn.ts"

const ended: ExecState = { running: false, exitCode: 0, hostPid: 7, containerId: "c1" }

/** Its process ends after so long. */
const engine = (millis: number): Partial<EngineShape> => ({
  exec: (_, { gate = Effect.succeed(true) }) =>
    Effect.as(gate, {
      execId: "e1",
      output: Stream.fromEffectDrain(Effect.sleep(millis)),
      writeStdin: () => Effect.void,
      endStdin: Effect.void
    }),
  inspectExec: () => Effect.succeed(ended),
  // Whoever kills it finds it gone.
  inspectContainer: () => Effect.succeed(inspected({ running: false, status: "exited" }))
})

const recorded = Effect.gen(function* () {
  const journal = yield* Journal
  const events = yield* Stream.runCollect(SandboxEvents.replay(journal))
  return events.map(({ payload, commandId, recordedAtMillis }) => ({ tag: payload._tag, commandId, recordedAtMillis }))
})

describe("an exec's start", () => {
  it.effect("is recorded with its end, in one append, where that comes at once", () =>
    Effect.gen(function* () {
      const context = yield* contextOn(engine(40))
      const fiber = yield* Effect.forkChild(exec(context, ["true"]))
      yield* TestClock.adjust(40)
      assert.strictEqual((yield* Fiber.join(fiber)).exitCode, 0)
      const [intended, started, exited] = (yield* recorded).slice(-3)
      assert.deepStrictEqual([intended?.tag, started?.tag, exited?.tag], ["ExecIntended", "ExecStarted", "ExecExited"])
      assert.notStrictEqual(intended?.commandId, started?.commandId)
      assert.strictEqual(started?.commandId, exited?.commandId)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("is recorded while it runs, where it goes on", () =>
    Effect.gen(function* () {
      const context = yield* contextOn(engine(5_000))
      const fiber = yield* Effect.forkChild(exec(context, ["sleep", "5"]))
      yield* TestClock.adjust(99)
      assert.strictEqual((yield* recorded).at(-1)?.tag, "ExecIntended")
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* recorded).at(-1)?.tag, "ExecStarted")
      yield* TestClock.adjust(4_900)
      yield* Fiber.join(fiber)
      const tags = (yield* recorded).map(({ tag }) => tag)
      assert.deepStrictEqual(tags.slice(-3), ["ExecIntended", "ExecStarted", "ExecExited"])
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("that cannot be recorded ends the exec with a failure", () =>
    Effect.gen(function* () {
      const { recorder, ...context } = yield* contextOn(engine(5_000))
      const full = new JournalUnavailable({ operation: "append to", reason: "DiskFull", detail: "no space" })
      const failing: typeof recorder = {
        ...recorder,
        report: (outcome) => (outcome._tag === "ExecStarted" ? Effect.fail(full) : recorder.report(outcome))
      }
      const fiber = yield* Effect.forkChild(Effect.flip(exec({ ...context, recorder: failing }, ["sleep", "5"])))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(fiber), full)
      assert.strictEqual((yield* recorded).at(-1)?.tag, "ExecLost")
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("is recorded before a timeout that comes sooner", () =>
    Effect.gen(function* () {
      const context = yield* contextOn(engine(5_000))
      const fiber = yield* Effect.forkChild(Effect.flip(exec(context, ["sleep", "5"], { timeout: 50 })))
      yield* TestClock.adjust(50)
      // What it had written is awaited, in vain.
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "ExecTimeout")
      const tags = (yield* recorded).map(({ tag }) => tag)
      assert.deepStrictEqual(tags.slice(-3), ["ExecIntended", "ExecStarted", "ExecTimedOut"])
    }).pipe(Effect.provide(Memory.layer))
  )
})
