import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import { randomUUID } from "node:crypto"
import { dockerSubject } from "./support/dockerSubject.ts"
import { agree, drive } from "./support/engineDriver.ts"
import { Command } from "./support/engineModel.ts"

/** Three sequences at a time, side by side: the engine works on them while others wait for it. */
const sequence = Arbitrary.array(Arbitrary.schema(Command), { minLength: 1, maxLength: 12 })
const run = randomUUID().slice(0, 8)
let count = 0

describe("Docker", () => {
  it.effect.prop(
    "does what the model says, which the simulated engine does too",
    [sequence, sequence, sequence],
    (sequences) =>
      Effect.gen(function* () {
        const subject = yield* dockerSubject
        const traces = yield* Effect.forEach(sequences, (commands) => drive(subject(`${run}-${count++}`), commands), {
          concurrency: "unbounded"
        })
        yield* Effect.forEach(traces, agree, { discard: true })
      }),
    { arbitrary: { runs: 4, size: 40, maxShrinks: 60 } }
  )
})
