import { assert, describe, it } from "@effect/vitest"
import type { EngineShape } from "@sbx/engine/Engine"
import { Effect, Exit, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import * as Simulation from "../src/Simulation.ts"
import { agree, drive, type Traces } from "./support/engineDriver.ts"
import { type Command, empty, sequence, step } from "./support/engineModel.ts"
import { engineMutants } from "./support/engineMutants.ts"
import { simSubject } from "./support/simSubject.ts"

const commands = sequence(20)
const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 }))

const tracesOf = (
  asked: ReadonlyArray<Command>,
  seed: number,
  mutate: (engine: EngineShape) => Partial<EngineShape> = () => ({})
): Effect.Effect<Traces, unknown> =>
  Effect.gen(function* () {
    const subject = Effect.map(simSubject("model", { wireMillis: [0, 9], workMillis: () => [0, 90] }), (sound) => ({
      ...sound,
      engine: { ...sound.engine, ...mutate(sound.engine) }
    }))
    const { exit } = yield* Simulation.run({
      seed,
      program: Effect.flatMap(subject, (under) => drive(under, asked))
    })
    return Exit.isSuccess(exit) ? exit.value : yield* exit
  })

/** The same sequences each time, to say something about all of them. */
const samples = Arbitrary.sampleEffect(commands, { count: 300, seed: 1 })

describe("the simulated engine", () => {
  it.effect.prop(
    "does what the model says, for every sequence of commands and in any order of tasks",
    [commands, Seed],
    ([asked, seed]) => Effect.flatMap(tracesOf(asked, seed), agree),
    { arbitrary: { runs: 250 } }
  )
})

describe("the sequences", () => {
  it.effect("reach every answer that the model knows", () =>
    Effect.gen(function* () {
      const reached = new Set<string>()
      for (const asked of yield* samples) {
        let model = empty
        for (const command of asked) {
          const { model: next, outcome } = step(model, command)
          model = next
          reached.add(outcome)
        }
      }
      assert.deepStrictEqual([...reached].sort(), [
        "EngineConflict already-paused",
        "EngineConflict name-in-use",
        "EngineConflict not-paused",
        "EngineConflict not-running",
        "EngineConflict paused",
        "EngineFailure 400",
        "EngineFailure 500",
        "InvalidRequest command-not-found",
        "ObjectNotFound container",
        "absent",
        "cannot run",
        "exit 0",
        "exit 1",
        "exit 137",
        "exit 255",
        "exit 42",
        "exit 7",
        "ok",
        "present",
        "would wait"
      ])
    })
  )

  for (const law of [
    "refuses an unknown image and a name in use",
    "stops with the stop signal before it kills",
    "waits for the exit code, also of one that has already ended",
    "pauses and resumes, and says when it already is so",
    "refuses to kill, pause, exec in or list processes of one that does not run",
    "says not found for every call on a container that is not there",
    "tells a command that is not there from a failing engine"
  ]) {
    const mutant = engineMutants.find((one) => one.law === law)
    it.effect(`find an engine that ${mutant?.does}`, () =>
      Effect.gen(function* () {
        for (const asked of yield* samples) {
          const found = yield* Effect.exit(Effect.flatMap(tracesOf(asked, 1, mutant?.mutate), agree))
          if (Exit.isFailure(found)) return
        }
        assert.fail("no sequence showed it")
      })
    )
  }
})
