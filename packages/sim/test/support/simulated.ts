/** A test in virtual time, whatever the order of tasks: ten seeds, each twice, which must take the same way. */
import { it } from "@effect/vitest"
import type { Scope } from "effect"
import { Effect } from "effect"
import * as Simulation from "../../src/Simulation.ts"
import type { World } from "../../src/World.ts"

const seeds = 10

export const simulated = <E>(title: string, program: Effect.Effect<void, E, World | Scope.Scope>) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < seeds; seed++) {
        const { exit } = yield* Simulation.runTwice({ seed, program: Effect.scoped(program) })
        yield* exit
      }
    })
  )
