import { assert, describe, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Memory from "@sbx/journal/Memory"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { ReadOptions } from "../src/ContainerSource.ts"
import { ContainerSource, TargetGone, TargetNotRunning } from "../src/ContainerSource.ts"
import * as Monitors from "../src/Monitor.ts"
import type { Criteria } from "../src/Stabilization.ts"
import { waitForStabilization } from "../src/Stabilization.ts"
import { readingAt, target } from "./readings.ts"

const other: ContainerTarget = { containerId: "decaf0", name: "other" }

/** Megabytes in use at a second of the test's clock; or what is wrong then; or nothing, when memory is not reported. */
type Curve = (second: number, target: ContainerTarget) => number | TargetGone | TargetNotRunning | "hangs" | undefined

const source = (curve: Curve) =>
  Layer.succeed(
    ContainerSource,
    ContainerSource.of({
      read: Effect.fnUntraced(function* (from: ContainerTarget) {
        const second = (yield* Clock.currentTimeMillis) / 1000
        const seen = curve(second, from)
        if (seen === "hangs") return yield* Effect.never
        if (seen === undefined) return readingAt(second, 0.25, { memory: undefined })
        if (typeof seen !== "number") return yield* seen
        const memory = { usageBytes: seen * 1e6, inactiveFileBytes: 0, limitBytes: 1e12, maxUsageBytes: 0 }
        return readingAt(second, 0.25, { memory })
      })
    })
  )

const criteria: Criteria = {
  metric: "memoryBytes",
  below: 100e6,
  window: "10 seconds",
  interval: "1 second",
  timeout: "60 seconds"
}

/** Lets every fiber run that can: none of the test's fibers takes as many turns before it waits for the clock. */
const settled = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

/** Waits on the curve, and says at which second that ended and how. */
const waiting = (
  curve: Curve,
  options: { readonly targets?: ReadonlyArray<ContainerTarget> } & Partial<Criteria> = {}
) => {
  const { targets = [target], ...over } = options
  return Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(
      Effect.gen(function* () {
        const result = yield* Effect.result(waitForStabilization(targets, { ...criteria, ...over }))
        return { result, second: (yield* Clock.currentTimeMillis) / 1000 }
      })
    )
    // In steps, and what a sample sets off is done before the next one is due.
    for (let second = 0; second <= 61; second++) {
      yield* TestClock.adjust(second === 0 ? 0 : "1 second")
      yield* settled
    }
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(Layer.provide(Monitors.layer, Layer.mergeAll(source(curve), Memory.layer))))
}

const endsAt = (second: number, curve: Curve, options?: Parameters<typeof waiting>[1]) =>
  Effect.map(waiting(curve, options), ({ result, second: found }) => {
    assert.strictEqual(result._tag, "Success")
    assert.strictEqual(found, second)
  })

const timesOut = (finding: RegExp, curve: Curve, options?: Parameters<typeof waiting>[1]) =>
  Effect.map(waiting(curve, options), ({ result, second }) => {
    assert.strictEqual(second, 60)
    if (result._tag === "Success" || result.failure._tag !== "NotStabilized") return assert.fail("it did not time out")
    const [unrest] = result.failure.targets
    assert.match(unrest?.finding ?? "", finding)
    return unrest
  })

describe("waitForStabilization", () => {
  it.effect("takes a flat curve when the whole window has passed, not before", () => endsAt(10, () => 50))

  it.effect("gives the window that shows it", () =>
    Effect.gen(function* () {
      const { result } = yield* waiting((second) => (second % 2 === 0 ? 50 : 52))
      assert.strictEqual(result._tag, "Success")
      const [stable] = result._tag === "Success" ? result.success : []
      assert.deepStrictEqual(stable?.target, target)
      assert.deepInclude(stable?.summary, { count: 11, min: 50e6, max: 52e6, p50: 50e6 })
      assert.closeTo(stable?.deviation ?? 0, 995_859, 1)
    })
  )

  // Level at 99 MB from second 20 on; at second 28 the window holds the two last steps of the ramp and deviates by 1.8 MB.
  it.effect("waits for the end of a ramp", () =>
    endsAt(28, (second) => Math.min(99, 39 + 3 * second), { maxDeviation: 2e6 })
  )

  it.effect("waits until what was above has left the window", () => endsAt(15, (second) => (second < 5 ? 100 : 99)))

  it.effect("does not take noise below the threshold for rest, and tells the deviation and the last values", () =>
    Effect.gen(function* () {
      const unrest = yield* timesOut(/^deviates by 19/, (second) => (second % 2 === 0 ? 50 : 90))
      assert.deepStrictEqual(unrest?.values.slice(-2), [50e6, 90e6])
      assert.strictEqual(unrest?.values.length, 11)
    })
  )

  it.effect("does not take quiet above the threshold for rest", () => timesOut(/^up to 101000000$/, () => 101))

  it.effect("is not at rest at the threshold itself", () => timesOut(/^up to 100000000$/, () => 100))

  it.effect("does not take noise above the threshold for rest", () =>
    timesOut(/^up to/, (second) => (second % 2 === 0 ? 110 : 190))
  )

  it.effect("does not take an oscillation around the threshold for rest, however small", () =>
    timesOut(/^up to/, (second) => (second % 6 === 0 ? 100.5 : 99.5))
  )

  it.effect("says why there is no value, and takes no absence for a low one", () =>
    timesOut(/^no value \(not-reported\)$/, () => undefined)
  )

  it.effect("begins anew after a hole", () =>
    endsAt(17, (second) => (second === 6 ? new TargetNotRunning(target) : 50))
  )

  it.effect("begins anew after a value that is absent", () => endsAt(16, (second) => (second === 5 ? undefined : 50)))

  it.effect("allows a deviation of 5 % of the threshold where none is given", () =>
    endsAt(10, (second) => (second % 2 === 0 ? 45 : 55))
  )

  it.effect("allows no more than that", () =>
    timesOut(/^deviates by 507/, (second) => (second % 2 === 0 ? 44.9 : 55.1))
  )

  it.effect("waits for all of them at once", () =>
    endsAt(
      40,
      (second, from) => {
        const [from1, to1] = from === target ? [0, 12] : [12, 30]
        return second >= from1 && second < to1 ? 500 : 50
      },
      { targets: [target, other] }
    )
  )

  it.effect("is not at rest while one of them does not answer", () =>
    Effect.gen(function* () {
      const { result } = yield* waiting((second, from) => (from === other && second > 3 ? "hangs" : 50), {
        targets: [target, other]
      })
      if (result._tag === "Success" || result.failure._tag !== "NotStabilized")
        return assert.fail("it did not time out")
      assert.deepStrictEqual(
        result.failure.targets.map(({ finding, name, stable }) => [name, stable, finding]),
        [
          ["subject", true, "at rest, but others were not"],
          ["other", false, "no sample for 57000 ms"]
        ]
      )
      assert.include(result.failure.message, "other: no sample for 57000 ms; last values 50000000, 50000000")
    })
  )

  it.effect("does not take a number that is only repeated for a steady one", () =>
    Effect.gen(function* () {
      // Open files as a source reads them: every 10 s, repeated in between, unless they are asked for.
      const paced = ContainerSource.of({
        read: Effect.fnUntraced(function* (_: ContainerTarget, options?: ReadOptions) {
          const second = (yield* Clock.currentTimeMillis) / 1000
          const openFiles = options?.details === "fresh" && second % 2 === 1 ? 900 : 100
          return { ...readingAt(second, 0.25), details: { openFiles } }
        })
      })
      const fiber = yield* Effect.forkChild(
        Effect.result(waitForStabilization(target, { ...criteria, metric: "openFiles", below: 1000 })).pipe(
          Effect.provide(
            Layer.provide(Monitors.layer, Layer.mergeAll(Layer.succeed(ContainerSource, paced), Memory.layer))
          )
        )
      )
      for (let second = 0; second <= 61; second++) {
        yield* TestClock.adjust(second === 0 ? 0 : "1 second")
        yield* settled
      }
      const result = yield* Fiber.join(fiber)
      assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "at rest", "NotStabilized")
    })
  )

  it.effect("fails at once when one of them is gone", () =>
    Effect.gen(function* () {
      const { result, second } = yield* waiting((at, from) => (from === other && at >= 3 ? new TargetGone(from) : 50), {
        targets: [target, other]
      })
      assert.strictEqual(second, 3)
      assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "", "TargetGone")
    })
  )

  it.effect.each([
    [{ below: Number.NaN }, "InvalidCriteria"],
    [{ maxDeviation: -1 }, "InvalidCriteria"],
    [{ maxDeviation: Number.NaN }, "InvalidCriteria"],
    [{ window: "1 second" }, "InvalidCriteria"],
    [{ timeout: "9 seconds" }, "InvalidCriteria"],
    [{ targets: [] }, "InvalidCriteria"],
    [{ interval: 0 }, "InvalidInterval"],
    [{ window: -1 }, "InvalidInterval"],
    [{ timeout: Number.NaN }, "InvalidInterval"]
  ] as const)("refuses %o", ([over, tag]) =>
    Effect.gen(function* () {
      const { result } = yield* waiting(() => 50, over)
      assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "", tag)
    })
  )
})
