import { assert, describe, it } from "@effect/vitest"
import { EngineConflict, EngineFailure, ObjectNotFound } from "@sbx/engine/EngineError"
import { Effect } from "effect"
import { runUndoPlan } from "../src/UndoRunner.ts"
import type { UndoPlan } from "../src/UndoPlan.ts"
import { engineOf, inspected } from "./support/contextOn.ts"

const gone = new ObjectNotFound({ operation: "x", kind: "container", id: "c1" })
const conflict = (reason: EngineConflict["reason"]) =>
  new EngineConflict({ operation: "x", id: "c1", reason, detail: "" })

const all: UndoPlan = {
  steps: [
    { _tag: "UnpauseContainer", containerId: "c1" },
    { _tag: "UpdateContainer", containerId: "c1", memoryBytes: 5, memorySwapBytes: 5 },
    { _tag: "ConnectNetwork", networkId: "n1", containerId: "c1", aliases: ["a"] },
    { _tag: "StartContainer", containerId: "c1" },
    { _tag: "RemoveContainer", containerId: "c2" }
  ]
}

describe("undo plan", () => {
  it.effect("is run in order, with what it says", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const note = (call: string) => Effect.sync(() => void calls.push(call))
      const engine = yield* engineOf({
        unpauseContainer: (id) => note(`unpause ${id}`),
        updateContainer: (id, update) => note(`update ${id} ${JSON.stringify(update)}`),
        inspectContainer: () => Effect.succeed(inspected()),
        connectNetwork: (network, id, aliases) => note(`connect ${network} ${id} ${aliases.join()}`),
        startContainer: (id) => note(`start ${id}`),
        removeContainer: (id) => note(`remove ${id}`)
      })
      yield* runUndoPlan(engine, all)
      assert.deepStrictEqual(calls, [
        "unpause c1",
        'update c1 {"memoryBytes":5,"memorySwapBytes":5}',
        "connect n1 c1 a",
        "start c1",
        "remove c2"
      ])
    })
  )

  it.effect("counts what is absent or already so as undone", () =>
    Effect.gen(function* () {
      const network = { networkId: "n1", ipAddress: "", aliases: [] }
      const engine = yield* engineOf({
        unpauseContainer: () => Effect.fail(conflict("not-paused")),
        updateContainer: () => Effect.fail(gone),
        inspectContainer: () => Effect.succeed({ ...inspected(), networks: { net: network } }),
        startContainer: () => Effect.fail(gone),
        removeContainer: () => Effect.void
      })
      yield* runUndoPlan(engine, all)
    })
  )

  it.effect("goes on after a step that fails, and names it", () =>
    Effect.gen(function* () {
      let removed = 0
      const busy = new EngineFailure({ operation: "x", status: 500, detail: "busy" })
      const engine = yield* engineOf({
        unpauseContainer: () => Effect.fail(busy),
        updateContainer: () => Effect.fail(conflict("in-use")),
        inspectContainer: () => Effect.fail(gone),
        startContainer: () => Effect.void,
        removeContainer: () => Effect.sync(() => void (removed += 1))
      })
      const error = yield* Effect.flip(runUndoPlan(engine, all))
      assert.deepStrictEqual(
        error.failures.map(({ step }) => step._tag),
        ["UnpauseContainer", "UpdateContainer"]
      )
      assert.strictEqual(removed, 1)
    })
  )
})
