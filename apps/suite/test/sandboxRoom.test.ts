import { assert, describe, it } from "@effect/vitest"
import * as Environment from "@sbx/core/Environment"
import * as MachineLock from "@sbx/core/MachineLock"
import * as Scenario from "@sbx/core/Scenario"
import * as ScenarioRunner from "@sbx/core/ScenarioRunner"
import * as Memory from "@sbx/journal/Memory"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { concurrency, withRoomFor } from "../src/internal/sandboxRoom.ts"

/** The verdict where so many sandboxes are allowed, and whether the program ran. */
const judged = (allowed: number, count: number) =>
  Effect.gen(function* () {
    const runs: Array<number> = []
    const program = withRoomFor(
      count,
      Effect.flatMap(Scenario.ScenarioContext, ({ check }) => {
        runs.push(count)
        return check("it ran", true)
      })
    )
    const directory = yield* (yield* FileSystem).makeTempDirectoryScoped()
    const report = yield* ScenarioRunner.run([Scenario.make("a/one", { description: "one" }, program)], {
      runId: "run_room",
      seed: "1",
      directory
    })
    return [report.verdict, runs.length] as const
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(
        Memory.layer,
        Environment.layerWith({ maxConcurrentSandboxes: allowed }),
        MachineLock.layerMemory,
        NodeServices.layer
      )
    )
  )

describe("room for sandboxes", () => {
  it.live("too small makes the scenario unknown with the setting, at once", () =>
    Effect.gen(function* () {
      const reason = "needs 5 sandboxes at once; MAX_CONCURRENT_SANDBOXES is 4"
      assert.deepStrictEqual(yield* judged(4, 5), [{ _tag: "unknown", reason }, 0])
      assert.deepStrictEqual(yield* judged(5, 5), [{ _tag: "pass" }, 1])
    })
  )

  it("is left to the widest scenario beside the others", () => {
    assert.deepStrictEqual([1, 5, 6, 8, 10, 100].map(concurrency), [1, 1, 2, 4, 4, 4])
  })
})
