import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import type { LeakOptions, LeakPoint } from "../src/LeakDetector.ts"
import { judge } from "../src/LeakDetector.ts"
import { curve, shapes } from "./curves.ts"

const perOperations: LeakOptions = { tolerance: { "per-1000-operations": 5 } }
const found = (points: ReadonlyArray<LeakPoint>, options = perOperations) =>
  Result.getOrThrow(judge(points, options)).verdict

/** How often each verdict comes, over 100 seeds. */
const tally = (shape: keyof typeof shapes, leak: number, options = perOperations, seeds = 100) => {
  const counts = { pass: 0, fail: 0, unknown: 0 }
  for (let seed = 1; seed <= seeds; seed++) counts[found(curve(shapes[shape], seed, leak), options)._tag]++
  return counts
}

describe("100 seeded curves", () => {
  it.each(["flat", "sawTooth", "warmUp"] as const)("that are %s give no alarm, and most of them a pass", (shape) => {
    const counts = tally(shape, 0)
    assert.strictEqual(counts.fail, 0, JSON.stringify(counts))
    assert.isAtLeast(counts.pass, 85, JSON.stringify(counts))
  })

  it.each(["flat", "sawTooth", "warmUp"] as const)(
    "that are %s with a leak of 1 MB per 100 operations are found in 95 at least, and never passed",
    (shape) => {
      const counts = tally(shape, 10)
      assert.isAtLeast(counts.fail, 95, JSON.stringify(counts))
      assert.strictEqual(counts.pass, 0, JSON.stringify(counts))
    }
  )

  it.each(["flat", "sawTooth", "warmUp"] as const)("that are %s are judged over time as over operations", (shape) => {
    // A reading a second, 10 operations each: 1,000 operations are 100 s.
    const options: LeakOptions = { tolerance: { "per-hour": 5 * 36 } }
    assert.strictEqual(tally(shape, 0, options).fail, 0)
    assert.isAtLeast(tally(shape, 10, options).fail, 95)
  })
})

describe("1,000 seeded curves", () => {
  // At 99 % of confidence 10 alarms would be due; a step at an unlucky place, and noise that wanders one way all the time, give some.
  it.each([
    ["step up once", "step"],
    ["wander", "wander"]
  ] as const)("that %s give 6 alarms at most", (_, shape) => {
    const counts = tally(shape, 0, perOperations, 1000)
    assert.isAtMost(counts.fail, 6, JSON.stringify(counts))
  })
})

/** Exact counters: so many per operation. */
const counting = (count: number, value: (operations: number) => number): ReadonlyArray<LeakPoint> =>
  Array.from({ length: count }, (_, operations) => ({
    operations,
    atMillis: operations * 100,
    value: value(operations)
  }))
const exact: LeakOptions = { tolerance: { "per-1000-operations": 1 } }

describe("a counter", () => {
  it("that stays where it is passes, without any noise to go by", () => {
    assert.strictEqual(
      found(
        counting(40, () => 7),
        exact
      )._tag,
      "pass"
    )
  })

  it("that grows by one an operation fails, with slope, interval and evidence", () => {
    const finding = Result.getOrThrow(
      judge(
        counting(40, (operations) => 7 + operations),
        exact
      )
    )
    assert.strictEqual(finding.verdict._tag, "fail")
    const [axis] = finding.axes
    const [finest] = axis?.scales ?? []
    assert.closeTo(finest?.slope ?? 0, 1000, 1)
    assert.isAtMost(finest?.low ?? Number.POSITIVE_INFINITY, 1000.1)
    assert.isBelow(finest?.chance ?? 1, 0.001)
    assert.deepStrictEqual([axis?.points, finest?.blocks], [27, 12])
  })

  it("that grows by one every tenth operation fails in a longer run", () => {
    assert.strictEqual(
      found(
        counting(400, (operations) => Math.floor(operations / 10)),
        exact
      )._tag,
      "fail"
    )
  })

  it("that grew once is neither a leak nor sound", () => {
    const verdict = found(
      counting(60, (operations) => (operations < 40 ? 3 : 4)),
      exact
    )
    assert.strictEqual(verdict._tag, "unknown")
  })

  it("that shrinks passes", () => {
    assert.strictEqual(
      found(
        counting(40, (operations) => 100 - operations),
        exact
      )._tag,
      "pass"
    )
  })

  it("that grows ever slower is unknown, and ever faster is a leak", () => {
    const slower = found(
      counting(400, (operations) => 1000 * (1 - Math.exp(-operations / 100))),
      exact
    )
    assert.isTrue(slower._tag === "unknown" && slower.reason.includes("run for longer"))
    assert.strictEqual(
      found(
        counting(400, (operations) => operations ** 2),
        exact
      )._tag,
      "fail"
    )
  })
})

describe("what cannot be told", () => {
  it("is unknown with too few points", () => {
    const verdict = found(
      counting(17, () => 7),
      exact
    )
    assert.isTrue(verdict._tag === "unknown" && verdict.reason.includes("11 points"), JSON.stringify(verdict))
    assert.strictEqual(found([], exact)._tag, "unknown")
    assert.strictEqual(
      found(
        counting(18, () => 7),
        exact
      )._tag,
      "pass"
    )
  })

  it("is unknown when all is at one place, not finite, or not counted", () => {
    const here = counting(40, () => 7)
    assert.strictEqual(
      found(
        here.map((point) => ({ ...point, operations: 5 })),
        exact
      )._tag,
      "unknown"
    )
    assert.strictEqual(found([...here, { operations: 41, atMillis: 0, value: Number.NaN }], exact)._tag, "unknown")
    assert.strictEqual(found([...here, { atMillis: 0, value: 7 }], exact)._tag, "unknown")
  })

  it("is unknown when the noise hides the tolerance", () => {
    const tight: LeakOptions = { tolerance: { "per-1000-operations": 0.01 } }
    assert.strictEqual(found(curve(shapes.flat, 1), tight)._tag, "unknown")
  })
})

describe("axes", () => {
  it("are judged each, and the worst counts", () => {
    // 10 operations a second at first, then one: flat over operations, not over time.
    const points = counting(200, (operations) => operations)
    const both = Result.getOrThrow(judge(points, { tolerance: { "per-1000-operations": 2000, "per-hour": 1 } }))
    assert.deepStrictEqual(
      both.axes.map(({ axis, verdict }) => [axis, verdict._tag]),
      [
        ["per-1000-operations", "pass"],
        ["per-hour", "fail"]
      ]
    )
    assert.strictEqual(both.verdict._tag, "fail")
  })

  it("take the points in any order", () => {
    const points = curve(shapes.sawTooth, 3, 10)
    assert.deepStrictEqual(judge(points.toReversed(), perOperations), judge(points, perOperations))
  })
})

describe("options", () => {
  it.each([
    ["tolerance", { tolerance: {} }],
    ["tolerance", { tolerance: { "per-hour": -1 } }],
    ["tolerance", { tolerance: { "per-hour": Number.NaN } }],
    ["resolution", { ...exact, resolution: -1 }],
    ["warm-up", { ...exact, warmUpShare: 1 }],
    ["confidence", { ...exact, confidence: 1 }]
  ] as const)("are refused for their %s: %j", (fault, options) => {
    const refused = judge(
      counting(40, () => 7),
      options
    )
    assert.isTrue(Result.isFailure(refused) && refused.failure.fault === fault)
    assert.isTrue(Result.isFailure(refused) && refused.failure.message.startsWith("Could not look for leaks"))
  })
})
