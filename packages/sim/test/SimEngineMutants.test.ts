import { Engine, type EngineShape } from "@sbx/engine/Engine"
import { checkLaw, lawTitles } from "@sbx/engine/testing/EngineContract"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer } from "effect"
import * as SimEngine from "../src/SimEngine.ts"
import * as Simulation from "../src/Simulation.ts"
import { contractPrograms, simulatedPrograms } from "./support/contractPrograms.ts"
import { engineMutants } from "./support/engineMutants.ts"

const options = { image: "sim:contract", programs: contractPrograms }

const engineOf = (mutate: (engine: EngineShape) => Partial<EngineShape>) =>
  Layer.effect(
    Engine,
    Effect.map(
      SimEngine.make({
        programs: simulatedPrograms,
        images: [{ reference: "sim:contract", command: ["sleep", "infinity"] }],
        wireMillis: [0, 5],
        workMillis: () => [0, 40]
      }),
      ({ engine }) => ({ ...engine, ...mutate(engine) })
    )
  )

/** What the law says in virtual time: undefined when it holds. A law that waits for ever does not hold. */
const verdict = (law: string, seed: number, mutate: (engine: EngineShape) => Partial<EngineShape> = () => ({})) =>
  Simulation.run({ seed, program: checkLaw(law, engineOf(mutate), options) }).pipe(
    Effect.map(({ exit }) => (Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause))),
    Effect.catchTag("Deadlock", ({ message }) => Effect.succeed(message))
  )

describe("the engine contract", () => {
  for (const law of lawTitles) {
    it.effect(`holds in any order of tasks and with latency: ${law}`, () =>
      Effect.gen(function* () {
        for (let seed = 0; seed < 10; seed++) {
          assert.isUndefined(yield* verdict(law, seed), `seed ${seed}`)
        }
      })
    )
  }

  for (const { does, law, mutate } of engineMutants) {
    it.effect(`catches an engine that ${does}: ${law}`, () =>
      Effect.gen(function* () {
        assert.isDefined(yield* verdict(law, 1, mutate))
      })
    )
  }

  it("has a mutant for every law", () => {
    const caught = new Set(engineMutants.map(({ law }) => law))
    assert.deepStrictEqual(
      lawTitles.filter((law) => !caught.has(law)),
      []
    )
  })
})
