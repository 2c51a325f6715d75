import { assert, describe, it } from "@effect/vitest"
import * as Journals from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
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

describe("pendingFaults", () => {
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
      Failure.pendingFaults(events).map(({ undo }) => undo.steps.map((step) => step.containerId)),
      [["one"], ["two", "three"]]
    )
  })

  it("has nothing to undo for an irreversible fault, nor after a reconciler's word", () => {
    assert.deepStrictEqual(Failure.pendingFaults(recorded(intended("a", []))), [])
    assert.deepStrictEqual(Failure.pendingFaults(recorded(intended("a", ["x"]), Failure.undone("a", 2))), [])
  })

  it("ignores events of a newer program", () => {
    const unknown = {
      _tag: "UnknownEvent",
      category: "failure",
      type: "FaultEchoed",
      schemaVersion: 1,
      payload: {}
    } as const
    assert.strictEqual(Failure.pendingFaults([...recorded(intended("a", ["x"])), { payload: unknown }]).length, 1)
  })
})

describe("pendingUndos", () => {
  it.effect("finds what a journal holds unreverted, and records that it is undone", () =>
    Effect.gen(function* () {
      const journal = yield* Journals.Journal
      const append = (faultId: string, ...events: readonly [FailureEvent, ...Array<FailureEvent>]) =>
        Failure.FailureEvents.append(journal, Failure.FailureEvents.stream(faultId), events, {
          expected: Journals.noStream
        })
      yield* append("a", intended("a", ["one"]), { _tag: "FaultInjected", ...at("a") })
      yield* append("b", intended("b", ["two"]), reverted("b"))
      const [pending, ...more] = yield* Failure.pendingUndos(journal)
      assert.isEmpty(more)
      assert.strictEqual(pending?.id, "a")
      assert.isDefined(pending)
      assert.isUndefined(pending.untilMillis, "its injection was seen to end")
      assert.deepStrictEqual(pending.plan.steps, [{ _tag: "RemoveContainer", containerId: "one" }])
      yield* TestClock.adjust(7)
      yield* pending.record
      assert.deepStrictEqual(yield* Failure.pendingUndos(journal), [])
      const events = yield* Stream.runCollect(Failure.FailureEvents.read(journal, Failure.FailureEvents.stream("a")))
      assert.deepStrictEqual(events.at(-1)?.payload, Failure.undone("a", 7))
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("says until when an injection without an outcome may still take effect", () =>
    Effect.gen(function* () {
      const journal = yield* Journals.Journal
      yield* Failure.FailureEvents.append(journal, Failure.FailureEvents.stream("c"), [intended("c", ["three"])], {
        expected: Journals.noStream
      })
      const [pending] = yield* Failure.pendingUndos(journal)
      assert.strictEqual(pending?.untilMillis, intended("c", ["three"]).atMillis + 10_000)
    }).pipe(Effect.provide(Memory.layer))
  )
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
