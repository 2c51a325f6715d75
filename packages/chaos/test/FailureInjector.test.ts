import { assert, describe, it } from "@effect/vitest"
import * as Journals from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { FailureEvents, pendingFaults } from "../src/FailureEvent.ts"
import { FailureInjector, layerWith } from "../src/FailureInjector.ts"
import { cpuStress, processKill } from "../src/Fault.ts"
import type { Double, Misbehaviour } from "./engineDouble.ts"
import { makeDouble } from "./engineDouble.ts"

const identity = { run: "run_test", journalPath: "/nowhere", owner: "test" }
const injectorLayer = layerWith({ ...identity, sidecarImage: "tiny" })

/** Lets the test's clock run until the effect has ended, and never longer than an hour. */
const simulated = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  for (let step = 0; step < 36_000 && fiber.pollUnsafe() === undefined; step++) yield* TestClock.adjust("100 millis")
  assert.isDefined(fiber.pollUnsafe(), "it ends within an hour")
  return yield* Fiber.join(fiber)
})

type Services = FailureInjector | Journals.Journal | Scope.Scope

/** Runs with an injector on a double; the journal may refuse events of one type. */
const withDouble = <A, E>(
  wrong: Misbehaviour,
  use: (double: Double, target: { containerId: string; name: string }) => Effect.Effect<A, E, Services>,
  journal: Layer.Layer<Journals.Journal> = Memory.layer
) =>
  Effect.suspend(() => {
    const double = makeDouble(wrong)
    const target = { containerId: double.addTarget("web"), name: "web" }
    return simulated(
      use(double, target).pipe(
        Effect.scoped,
        Effect.provide(Layer.provideMerge(injectorLayer, Layer.mergeAll(double.layer, journal)))
      )
    )
  })

/** A journal in memory that refuses events of one type, as a full disk would. */
const refusing = (type: string) =>
  Layer.effect(
    Journals.Journal,
    Effect.map(Journals.Journal, (journal) =>
      Journals.Journal.of({
        ...journal,
        append: (stream, events, options) =>
          events.some((event) => event.type === type)
            ? Effect.fail(
                new Journals.JournalUnavailable({ operation: "append to", reason: "DiskFull", detail: "full" })
              )
            : journal.append(stream, events, options)
      })
    )
  ).pipe(Layer.provide(Memory.layer))

const recorded = Effect.gen(function* () {
  const journal = yield* Journals.Journal
  return yield* Stream.runCollect(FailureEvents.replay(journal))
})

const tags = Effect.map(recorded, (events) => events.map((event) => event.payload._tag))

const sidecars = ({ containers }: Double) =>
  [...containers.values()].filter((one) => one.spec.labels?.["sbx.kind"] === "sidecar")

const stress = { duration: "5 seconds" } as const

describe("a fault on an engine that behaves", () => {
  it.effect("is proved, holds, is reverted and leaves nothing", () =>
    withDouble({}, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const handle = yield* injector.start(target, cpuStress(), stress)
        const statuses = yield* Effect.forkChild(
          Stream.runCollect(Stream.takeUntil(handle.statusChanges, (status) => status._tag === "Ended"))
        )
        const report = yield* handle.awaitEnd
        assert.strictEqual(report.reason, "duration")
        assert.deepStrictEqual(
          report.evidence.map((item) => [item.metric, item.holds]),
          [
            ["targetCpuCores", true],
            ["sidecarCpuCores", true]
          ]
        )
        assert.deepStrictEqual(
          (yield* Fiber.join(statuses)).map((status) => status._tag),
          ["Pending", "Active", "Ended"]
        )
        assert.deepStrictEqual(yield* tags, [
          "FaultIntended",
          "FaultInjected",
          "FaultProven",
          "FaultReverted",
          "FaultRevertProven",
          "FaultEnded"
        ])
        assert.deepStrictEqual(pendingFaults(yield* recorded), [])
        assert.deepStrictEqual(sidecars(double), [])
      })
    )
  )

  it.effect("has its intent on record, with the undo, before the sidecar exists", () =>
    withDouble(
      {},
      (double, target) =>
        Effect.gen(function* () {
          const injector = yield* FailureInjector
          const error = yield* Effect.flip(injector.inject(target, cpuStress(), stress))
          assert.strictEqual(error._tag, "JournalUnavailable")
          // Two throw-away containers of the preflight, and no sidecar.
          assert.strictEqual(double.calls.get("create"), 2)
          assert.deepStrictEqual(sidecars(double), [])
        }),
      refusing("FaultIntended")
    )
  )

  it.effect("is reverted although its proof could not be recorded", () =>
    withDouble(
      {},
      (double, target) =>
        Effect.gen(function* () {
          const injector = yield* FailureInjector
          const error = yield* Effect.flip(injector.inject(target, cpuStress(), stress))
          assert.strictEqual(error._tag, "JournalUnavailable")
          const handle = yield* injector.start(target, cpuStress(), stress)
          assert.strictEqual((yield* Effect.flip(handle.awaitEnd))._tag, "JournalUnavailable")
          assert.deepStrictEqual(sidecars(double), [])
          assert.isTrue((yield* tags).includes("FaultReverted"))
        }),
      refusing("FaultProven")
    )
  )

  it.effect("is stopped with the injector's own end", () =>
    withDouble({}, (double, target) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(
          Layer.provide(
            Layer.fresh(injectorLayer),
            Layer.merge(double.layer, Layer.succeed(Journals.Journal, yield* Journals.Journal))
          ),
          scope
        )
        const handle = yield* Effect.flatMap(FailureInjector, (injector) =>
          injector.inject(target, cpuStress(), { duration: "1 hour" })
        ).pipe(Effect.provide(context))
        assert.strictEqual(sidecars(double).length, 1)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(sidecars(double), [])
        assert.strictEqual((yield* handle.awaitEnd).reason, "stopped")
      })
    )
  )

  it.effect("can be stopped before it is proved", () =>
    withDouble({ burnsNothing: true }, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const handle = yield* injector.start(target, cpuStress(), stress)
        assert.strictEqual((yield* handle.stop).reason, "stopped")
        assert.deepStrictEqual(sidecars(double), [])
        assert.strictEqual((yield* Effect.flip(handle.awaitActive))._tag, "NotProven")
      })
    )
  )

  it.effect("labels its sidecar for reconcilers, and throw-away containers so that none takes them for leftovers", () =>
    withDouble({}, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const handle = yield* injector.inject(target, cpuStress(), stress)
        const journal = yield* Journals.Journal
        const labels = double.created.map((spec) => spec.labels ?? {})
        assert.deepStrictEqual(
          labels.map((one) => [one["sbx.kind"], one["sbx.owner"], one["sbx.journal"]]),
          [
            ["sidecar", "test", "probe"],
            ["sidecar", "test", "probe"],
            ["sidecar", "test", journal.id]
          ]
        )
        assert.strictEqual(labels[2]?.["sbx.stream"], `failure/${handle.faultId}`)
      })
    )
  )

  it.effect("asks the engine's abilities once", () =>
    withDouble({}, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        yield* (yield* injector.inject(target, cpuStress(), stress)).stop
        assert.strictEqual(double.calls.get("create"), 3)
        yield* (yield* injector.inject(target, cpuStress(), stress)).stop
        assert.strictEqual(double.calls.get("create"), 4)
      })
    )
  )
})

describe("a fault without effect", () => {
  const notProven = (wrong: Misbehaviour) =>
    withDouble(wrong, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const exit = yield* Effect.exit(injector.inject(target, cpuStress(), stress))
        const failed = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
        return { failed, left: sidecars(double), seen: yield* tags }
      })
    )

  it.effect("is not proved, and reverted", () =>
    Effect.gen(function* () {
      const { failed, left, seen } = yield* notProven({ burnsNothing: true })
      assert.isTrue(failed?._tag === "NotProven" && failed.evidence.every((item) => !item.holds))
      assert.deepStrictEqual(left, [])
      assert.deepStrictEqual(seen, [
        "FaultIntended",
        "FaultInjected",
        "FaultNotProven",
        "FaultReverted",
        "FaultRevertProven",
        "FaultEnded"
      ])
      // The control: without the misbehaviour the same steps prove it.
      assert.isUndefined((yield* notProven({})).failed)
    })
  )

  it.effect("is not proved by what the target does itself", () =>
    Effect.gen(function* () {
      const { failed } = yield* notProven({ burnsNothing: true, targetWakes: true })
      assert.isTrue(
        failed?._tag === "NotProven" && failed.evidence.some((item) => item.metric === "targetCpuCores" && item.holds)
      )
    })
  )
})

describe("a fault that cannot be undone", () => {
  const undoing = (removal: NonNullable<Misbehaviour["removal"]>) =>
    withDouble({ removal }, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const handle = yield* injector.inject(target, cpuStress(), stress)
        const error = yield* Effect.flip(handle.awaitEnd)
        assert.strictEqual((yield* handle.status)._tag, "Failed")
        assert.strictEqual(sidecars(double).length, 1)
        const [pending, ...more] = pendingFaults(yield* recorded)
        assert.deepStrictEqual(more, [])
        const name = sidecars(double)[0]?.spec.name
        assert.deepStrictEqual(pending?.undo.steps, [{ _tag: "RemoveContainer", containerId: name ?? "" }])
        const journal = yield* Journals.Journal
        const open = yield* journal.streams({ category: "failure", open: true })
        assert.strictEqual(open.length, 1)
        assert.strictEqual((yield* tags).at(-1), "FaultRevertFailed")
        const residue = error._tag === "RevertFailed" ? error.residue.map((item) => item.replace(name ?? "", "it")) : []
        return { residue, removals: double.calls.get("remove"), tag: error._tag }
      })
    )

  // Two removals by the preflight, then three tries.
  it.effect("names what is left when the engine refuses, after three tries", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* undoing("refused"), {
        tag: "RevertFailed",
        residue: ["RemoveContainer it"],
        removals: 5
      })
    })
  )

  it.effect("does not believe an engine that says it removed", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* undoing("pretended"), {
        tag: "RevertFailed",
        residue: ["container it"],
        removals: 5
      })
    })
  )

  it.effect("does not wait for ever for an engine that does not answer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* undoing("hangs"), {
        tag: "RevertFailed",
        residue: ["RemoveContainer it"],
        removals: 5
      })
    })
  )

  it.effect("is not proved reverted while the target goes on burning", () =>
    withDouble({ targetWakes: true }, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const handle = yield* injector.inject(target, cpuStress(), stress)
        const error = yield* Effect.flip(handle.awaitEnd)
        assert.isTrue(error._tag === "NotProven" && error.phase === "revert")
        assert.deepStrictEqual((yield* tags).slice(3), ["FaultReverted", "FaultRevertNotProven", "FaultEnded"])
        assert.deepStrictEqual(sidecars(double), [])
      })
    )
  )
})

describe("a fault that is refused", () => {
  const refusal = (wrong: Misbehaviour, sidecarImage = "tiny") =>
    Effect.suspend(() => {
      const double = makeDouble(wrong)
      const target = { containerId: double.addTarget("web"), name: "web" }
      return simulated(
        Effect.flatMap(FailureInjector, (injector) =>
          Effect.map(Effect.flip(injector.inject(target, cpuStress(), stress)), (error) => ({
            error,
            double,
            injector
          }))
        ).pipe(
          Effect.scoped,
          Effect.provide(
            Layer.provide(layerWith({ ...identity, sidecarImage }), Layer.mergeAll(double.layer, Memory.layer))
          )
        )
      )
    })

  it.effect.each([
    { wrong: { info: { cgroupDriver: "systemd" } }, missing: "cgroup driver cgroupfs (it is systemd)" },
    { wrong: { info: { cgroupVersion: "2" as const } }, missing: "cgroup version 1 (it is 2)" }
  ])("says what is missing: $missing", ({ missing, wrong }) =>
    Effect.gen(function* () {
      const { double, error } = yield* refusal(wrong)
      assert.isTrue(error._tag === "Unsupported" && error.missing.includes(missing))
      assert.isUndefined(double.calls.get("create"))
    })
  )

  it.effect("says that the sidecar's image is missing", () =>
    Effect.gen(function* () {
      const { error } = yield* refusal({}, "missing")
      assert.isTrue(error._tag === "Unsupported" && error.missing.includes("image missing"))
    })
  )

  it.effect("finds out by doing that nesting does not count, and leaves nothing of the trial", () =>
    Effect.gen(function* () {
      const { double, error } = yield* refusal({ nestingIgnored: true })
      assert.isTrue(
        error._tag === "Unsupported" && error.missing[0]?.startsWith("a container in another's cgroup") === true
      )
      assert.deepStrictEqual(sidecars(double), [])
    })
  )

  it.effect("has its lost sidecar removed when the reply to the creation is lost", () =>
    withDouble({ createReplyLost: true }, (double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const error = yield* Effect.flip(injector.inject(target, cpuStress(), stress))
        assert.strictEqual(error._tag, "EngineUnavailable")
        yield* injector.stopAll
        assert.deepStrictEqual(sidecars(double), [])
        assert.deepStrictEqual(yield* tags, [
          "FaultIntended",
          "FaultFailed",
          "FaultReverted",
          "FaultRevertProven",
          "FaultEnded"
        ])
      })
    )
  )

  it.effect.each([
    { fault: cpuStress({ workers: 0 }), options: stress },
    { fault: cpuStress({ workers: 1.5 }), options: stress },
    { fault: cpuStress({ loadPercent: 101 }), options: stress },
    { fault: cpuStress(), options: {} },
    { fault: cpuStress(), options: { duration: 0 } },
    { fault: cpuStress(), options: { duration: -1 } },
    { fault: cpuStress(), options: { duration: Number.POSITIVE_INFINITY } }
  ])("is invalid: $fault for $options", ({ fault, options }) =>
    withDouble({}, (_double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        assert.strictEqual((yield* Effect.flip(injector.inject(target, fault, options)))._tag, "InvalidFault")
      })
    )
  )

  it.effect("conflicts with the one that holds the target's cpu", () =>
    withDouble({}, (_double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        const first = yield* injector.inject(target, cpuStress(), { duration: "1 minute" })
        const error = yield* Effect.flip(injector.inject(target, cpuStress(), stress))
        assert.isTrue(error._tag === "Conflict" && error.holder === first.faultId)
      })
    )
  )

  it.effect("cannot kill processes that are not visible here", () =>
    withDouble({}, (_double, target) =>
      Effect.gen(function* () {
        const injector = yield* FailureInjector
        assert.strictEqual((yield* Effect.flip(injector.inject(target, processKill())))._tag, "Unsupported")
      })
    )
  )
})
