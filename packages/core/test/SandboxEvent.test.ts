import { assert, describe, it } from "@effect/vitest"
import { Journal, noStream } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { IntentEvent, OutcomeEvent, SandboxEvent, SandboxEvents } from "../src/SandboxEvent.ts"
import { given } from "./support/lifecycle.ts"

/** As JSON has it: -0 is 0. */
const plain = (event: unknown): unknown => JSON.parse(JSON.stringify(event))

describe("sandbox events", () => {
  it("are intents and outcomes, no tag in both, intents by their name", () => {
    const intents = Object.keys(IntentEvent.cases)
    const outcomes = Object.keys(OutcomeEvent.cases)
    assert.deepStrictEqual([...intents, ...outcomes].sort(), Object.keys(SandboxEvent.cases).sort())
    for (const tag of intents) assert.match(tag, /Intended$/)
    for (const tag of outcomes) assert.notMatch(tag, /Intended$/)
  })

  it.effect.prop("are the same after a journal", [SandboxEvent], ([event]) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const stream = SandboxEvents.stream("sbx_a")
      yield* SandboxEvents.append(journal, stream, [event], { expected: noStream })
      const [recorded] = yield* Stream.runCollect(SandboxEvents.read(journal, stream))
      assert.deepStrictEqual(recorded?.payload, plain(event))
      assert.strictEqual(recorded?.type, event._tag)
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("keep their order", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const stream = SandboxEvents.stream("sbx_a")
      const [first, ...rest] = given.paused
      if (first === undefined) return assert.fail("no events")
      yield* SandboxEvents.append(journal, stream, [first, ...rest], { expected: noStream })
      const recorded = yield* Stream.runCollect(SandboxEvents.read(journal, stream))
      assert.deepStrictEqual(
        recorded.map((one) => one.payload),
        [...given.paused]
      )
    }).pipe(Effect.provide(Memory.layer))
  )
})
