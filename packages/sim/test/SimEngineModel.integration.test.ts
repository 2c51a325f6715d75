// @effect-diagnostics processEnv:off -- another seed comes from outside
import { describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { randomUUID } from "node:crypto"
import * as Simulation from "../src/Simulation.ts"
import { dockerSubject } from "./support/dockerSubject.ts"
import { agree, drive } from "./support/engineDriver.ts"
import { type Command, sequence } from "./support/engineModel.ts"
import { simSubject } from "./support/simSubject.ts"

/** Three sequences at a time, side by side: the engine works on them while others wait for it. */
const commands = sequence(10)
/** The same sequences each time, so that a verdict can be repeated; others with `SBX_TEST_MODEL_SEED`. */
const seed = process.env["SBX_TEST_MODEL_SEED"] ?? "20260101"
const run = randomUUID().slice(0, 8)
let count = 0

/** Without the command lines, which differ. */
const words = (events: ReadonlyArray<string>) => events.map((event) => event.replace(/(exec_\w+).*/, "$1"))

const simulatedEvents = (asked: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const program = Effect.flatMap(simSubject("model"), (subject) => drive(subject, asked))
    const { exit } = yield* Simulation.run({ seed: 1, program })
    return words((Exit.isSuccess(exit) ? exit.value : yield* exit).events)
  })

describe("Docker", () => {
  // The engine's clock is the real one.
  it.live.prop(
    "does what the model says, as the simulated engine does, and tells the same events",
    [commands, commands, commands],
    (sequences) =>
      Effect.gen(function* () {
        const subject = yield* dockerSubject
        const traces = yield* Effect.forEach(sequences, (asked) => drive(subject(`${run}-${count++}`), asked), {
          concurrency: "unbounded"
        })
        yield* Effect.forEach(traces, agree, { discard: true })
        for (const [index, { events }] of traces.entries()) {
          const simulated = yield* simulatedEvents(sequences[index] ?? [])
          yield* agree({ engine: words(events), model: simulated })
        }
      }),
    { timeout: 300_000, arbitrary: { runs: 4, maxShrinks: 24, seed } }
  )
})
