import { assert, describe, it } from "@effect/vitest"
import { EngineConflict, EngineUnavailable } from "@sbx/engine/EngineError"
import * as Memory from "@sbx/journal/Memory"
import { Clock, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { waitFor } from "../src/internal/waitFor.ts"
import * as Wait from "../src/Wait.ts"
import { contextOn, inspected } from "./support/contextOn.ts"

const frames = (...lines: ReadonlyArray<string>) =>
  Stream.fromIterable(lines.map((line) => ({ channel: "stdout" as const, bytes: new TextEncoder().encode(line) })))

describe("waiting on a virtual clock", () => {
  it.effect("looks again every 50 ms and overshoots readiness by one look at most", () =>
    Effect.gen(function* () {
      let looks = 0
      const context = yield* contextOn({
        waitContainer: () => Effect.never,
        inspectContainer: () =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            looks += 1
            return inspected({ health: now >= 1010 ? "healthy" : "starting" })
          })
      })
      const began = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.forkChild(waitFor(context, Wait.healthy, "1 minute"))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(began, 0)
      // At 0, 50, … 1050, and once before the first.
      assert.strictEqual(looks, 23)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("ends exactly at its deadline", () =>
    Effect.gen(function* () {
      const context = yield* contextOn({
        waitContainer: () => Effect.never,
        inspectContainer: () => Effect.succeed(inspected({ health: "starting" })),
        logs: () => frames("the last line\n")
      })
      const fiber = yield* Effect.forkChild(Effect.flip(waitFor(context, Wait.healthy, "10 seconds")))
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "WaitTimeout")
      if (error._tag !== "WaitTimeout") return
      assert.deepInclude(error, { lastSeen: "healthy: starting", logTail: "the last line\n", timeoutMillis: 10_000 })
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("finds a line that comes in pieces, and ignores a pattern's memory", () =>
    Effect.gen(function* () {
      const context = yield* contextOn({
        waitContainer: () => Effect.never,
        inspectContainer: () => Effect.succeed(inspected()),
        logs: () => Stream.concat(frames("server is re", "ady on 80\nnext"), Stream.never)
      })
      const pattern = /ready on \d+$/g
      pattern.lastIndex = 50
      yield* waitFor(context, Wait.log(pattern), "1 second")
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("tells the end of a sandbox, and not that a look was refused because of it", () =>
    Effect.gen(function* () {
      const ended = inspected({ status: "exited", running: false, exitCode: 3, finishedAtMillis: 700 })
      let over = false
      const refused = new EngineConflict({ operation: "exec", id: "c1", reason: "not-running", detail: "" })
      const context = yield* contextOn({
        // The engine refuses execs before it tells of the end.
        waitContainer: () => Effect.delay(Effect.succeed({ exitCode: 3 }), "1 second"),
        inspectContainer: () => Effect.sync(() => (over ? ended : inspected())),
        exec: () =>
          Effect.andThen(
            Effect.sync(() => void (over = true)),
            Effect.fail(refused)
          ),
        logs: () => frames("last words\n")
      })
      const fiber = yield* Effect.forkChild(Effect.flip(waitFor(context, Wait.command(["true"]), "1 minute")))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { _tag: "ExitedEarly", exitCode: 3, logTail: "last words\n" })
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("fails with the engine's own error when a look fails", () =>
    Effect.gen(function* () {
      let looks = 0
      const gone = new EngineUnavailable({ operation: "inspect", endpoint: "x", reason: "connection-lost", detail: "" })
      const context = yield* contextOn({
        waitContainer: () => Effect.never,
        inspectContainer: () =>
          Effect.suspend(() => (looks++ === 0 ? Effect.succeed(inspected({ health: "starting" })) : Effect.fail(gone)))
      })
      const error = yield* Effect.flip(waitFor(context, Wait.healthy, "1 second"))
      assert.strictEqual(error._tag, "EngineUnavailable")
    }).pipe(Effect.provide(Memory.layer))
  )
})
