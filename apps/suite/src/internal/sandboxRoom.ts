/** Scenarios that need several sandboxes at once. Where fewer are allowed they would wait for one that nobody gives back. */
import { Environment, variables } from "@sbx/core/Environment"
import * as Scenario from "@sbx/core/Scenario"
import * as Effect from "effect/Effect"

/** The most that a scenario of the suite needs at once. */
export const most = 5

/** Scenarios at the same time: each holds one sandbox, but for one that may need {@link most}. */
export const concurrency = (allowed: number): number => Math.max(1, Math.min(4, allowed - most + 1))

/** Runs the program where `count` sandboxes may be alive at once; elsewhere it cannot be judged. */
export const withRoomFor = <A, E, R>(count: number, program: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { maxConcurrentSandboxes: allowed } = yield* Environment
    if (allowed >= count) return yield* Effect.asVoid(program)
    const { unknown } = yield* Scenario.ScenarioContext
    yield* unknown(`needs ${count} sandboxes at once; ${variables.maxConcurrentSandboxes} is ${allowed}`)
  })
