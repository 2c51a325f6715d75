import { assert, describe, it } from "@effect/vitest"
import * as Journals from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { FailureEvent } from "../src/FailureEvent.ts"
import * as Failure from "../src/FailureEvent.ts"

const at = (faultId: string) => ({ faultId, atMillis: 1 })

const intended = (faultId: string, containers: ReadonlyArray<string>): FailureEvent => ({
  _tag: "FaultIntended",
  ...at(faultId),
  kind: "CpuStress",
  params: { workers: 1 },
  target: { containerId: "c", name: "web" },
  rung: "sidecar-in-cgroup",
  durationMillis: 1000,
  control: [],
  undo: { steps: containers.map((containerId) => ({ _tag: "RemoveContainer", containerId })) }
})

const reverted = (faultId: string): FailureEvent => ({ _tag: "FaultReverted", ...at(faultId), by: "injector" })

const recorded = (...events: ReadonlyArray<FailureEvent>) => events.map((payload) => ({ payload }))

describe("pendingUndos", () => {
  it("keeps the intents without a revert on record, in order", () => {
    const events = recorded(
      intended("a", ["one"]),
      intended("b", ["two", "three"]),
      { _tag: "FaultInjected", ...at("a") },
      { _tag: "FaultFailed", ...at("a"), reason: "?" },
      { _tag: "FaultRevertFailed", ...at("b"), residue: ["two"], reason: "busy" },
      intended("c", ["four"]),
      reverted("c")
    )
    assert.deepStrictEqual(
      Failure.pendingUndos(events).map((plan) => plan.steps.map((step) => step.containerId)),
      [["one"], ["two", "three"]]
    )
  })

  it("has nothing to undo for an irreversible fault, nor after a reconciler's word", () => {
    assert.deepStrictEqual(Failure.pendingUndos(recorded(intended("a", []))), [])
    assert.deepStrictEqual(Failure.pendingUndos(recorded(intended("a", ["x"]), Failure.undone("a", 2))), [])
  })

  it("ignores events of a newer program", () => {
    const unknown = {
      _tag: "UnknownEvent",
      category: "failure",
      type: "FaultEchoed",
      schemaVersion: 1,
      payload: {}
    } as const
    assert.strictEqual(Failure.pendingUndos([...recorded(intended("a", ["x"])), { payload: unknown }]).length, 1)
  })
})

describe("FailureEvents", () => {
  it.effect.prop(
    "come back from the journal as they were written",
    [Schema.NonEmptyArray(Failure.FailureEvent)],
    ([events]) =>
      Effect.gen(function* () {
        const journal = yield* Journals.Journal
        const stream = Failure.FailureEvents.stream("flt_a")
        yield* Failure.FailureEvents.append(journal, stream, events, { expected: Journals.noStream })
        const read = yield* Stream.runCollect(Failure.FailureEvents.read(journal, stream))
        // JSON has no negative zero.
        const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
        assert.deepStrictEqual(json(read.map((event) => event.payload)), json(events))
      }).pipe(Effect.provide(Memory.layer)),
    { arbitrary: { runs: 30 } }
  )
})
