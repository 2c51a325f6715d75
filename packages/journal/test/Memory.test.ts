import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import { journalContract } from "./contract.ts"
import { event, stream } from "./laws.ts"
import { layerStrict } from "./strict.ts"

journalContract("Memory", Memory.layerWith, { runs: 200 })

journalContract("Memory that asks for nothing undeclared", layerStrict, { runs: 20 })

describe("Memory", () => {
  it.live("answers every append and ends every subscription when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const journal = Context.get(yield* Layer.buildWithScope(Memory.layer, scope), Journal.Journal)
      const subscriber = yield* Effect.forkChild(
        Effect.flip(Stream.runDrain(journal.subscribe({ from: Journal.start }))),
        { startImmediately: true }
      )
      const waiter = yield* Effect.forkChild(Effect.flip(journal.awaitPosition(1e6)), { startImmediately: true })
      const appends = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 10_000 }, (_, n) => n),
          (n) => Effect.exit(journal.append(stream(`s${n}`), [event(n)], { expected: Journal.any })),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(appends)).length, 10_000)
      for (const error of [yield* Fiber.join(subscriber), yield* Fiber.join(waiter)]) {
        assert.strictEqual(error.reason, "Closed")
      }
      const late = yield* Effect.flip(journal.append(stream("late"), [event(1)], { expected: Journal.any }))
      assert.strictEqual(late._tag === "JournalUnavailable" && late.reason, "Closed")
    })
  )
})
