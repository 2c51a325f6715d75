/** The contract suite itself: each declared fault turns a law red, and none does so without its fault. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import type { Faults } from "./faulty.ts"
import { faulty } from "./faulty.ts"
import type { Law } from "./laws.ts"
import { allLaws } from "./contract.ts"
import type { History } from "./subscribeLaw.ts"
import { subscribeLaw } from "./subscribeLaw.ts"

const history: History = {
  writers: [
    [1, 2, 3, 1],
    [2, 2, 5, 1],
    [1, 1, 1, 1]
  ],
  subscribers: [
    { from: "Start", after: 0, slowness: 3, slowFor: 9, delay: 5, category: "" },
    { from: "After", after: 2, slowness: 0, slowFor: 0, delay: 1, category: "odd" },
    { from: "Now", after: 0, slowness: 1, slowFor: 99, delay: 0, category: "even" }
  ]
}

const subscriptions = "delivers each event once and in order"
const all: Readonly<Record<string, Law>> = { ...allLaws, [subscriptions]: subscribeLaw(history) }

const cases: ReadonlyArray<readonly [faults: Faults, law: string]> = [
  [{ dropEvery: 2 }, subscriptions],
  [{ repeatEvery: 5 }, subscriptions],
  [{ boastProgress: true }, subscriptions],
  [{ ignoreExpected: true }, "checks the expected version of every append"],
  [{ ignoreCommandIds: true }, "answers a repeated command id as the first time, and refuses it for other events"],
  [{ tearAppendAll: true }, "appends to several streams at once or to none"],
  [{ tearAppendAll: true }, "lets rivals over several streams win whole or not at all"],
  [{ forgetCheckpoints: true }, "folds each event into a projection once, whoever interrupts its runners"],
  [{ ignoreExpected: true }, "handles commands of rivals one after the other"],
  [{ tearAppends: true }, "writes all events of an append at once"]
]

const run = (law: string, faults: Faults) => {
  const layer = Layer.effect(
    Journal.Journal,
    Effect.map(Journal.Journal, (journal) => faulty(journal, faults))
  ).pipe(Layer.provide(Layer.fresh(Memory.layer)))
  const program = all[law]
  if (program === undefined) return Effect.die(new Error(`no law "${law}"`))
  return Effect.exit(program.pipe(Effect.timeout("2 seconds"), Effect.provide(layer)))
}

describe("the contract suite", () => {
  it.live.each(cases)("notices %o", ([faults, law]) =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isFailure(yield* run(law, faults)), `${law} stays green`)
      const healthy = yield* run(law, {})
      assert.isTrue(Exit.isSuccess(healthy), `without the fault: ${String(healthy)}`)
    })
  )
})
