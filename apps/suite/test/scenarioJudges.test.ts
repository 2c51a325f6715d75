import { assert, describe, it } from "@effect/vitest"
import * as Verdict from "@sbx/core/Verdict"
import { NotStabilized } from "@sbx/monitor/Stabilization"
import { breached, type CheckVerdict, held, notApplicable, notRun } from "@sbx/security/CheckVerdict"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { missingInOrder } from "../src/internal/factOrder.ts"
import { summarise } from "../src/internal/figures.ts"
import { judgeUnrest } from "../src/scenarios/monitor/Stabilization.ts"
import { peakOverlap } from "../src/scenarios/orchestration/ConcurrentCreation.ts"
import { judgeHardened, judgeWeakened, rightCheck } from "../src/scenarios/security/Boundaries.ts"

const ran = (weakening: string, verdict: ReturnType<typeof held>, checkId = "RES-MEM") => ({
  weakening,
  outcome: { _tag: "Ran" as const, vehicles: {}, verdicts: { [checkId]: verdict } }
})
const tagsOf = (controls: Parameters<typeof judgeWeakened>[0]) =>
  Object.fromEntries(judgeWeakened(controls).map(([what, verdict]) => [what.split(" ")[0], verdict._tag]))

describe("overlap", () => {
  it("counts intervals that share one instant", () => {
    const at = (from: number, to: number) => ({ from, to })
    assert.strictEqual(peakOverlap([at(0, 10), at(2, 12), at(9, 11)]), 3)
    assert.strictEqual(peakOverlap([at(0, 5), at(5, 9), at(9, 12)]), 1, "one after the other")
    assert.strictEqual(peakOverlap([at(0, 5), at(1, 2), at(3, 4)]), 2, "never three at once")
    assert.strictEqual(peakOverlap([]), 0)
  })
})

describe("a wait for rest", () => {
  const gaveUp = (finding: string, ...values: ReadonlyArray<number>) =>
    Result.fail(
      new NotStabilized({
        metric: "cpuCores",
        below: 1,
        maxDeviation: 1,
        windowMillis: 1000,
        timeoutMillis: 2500,
        targets: [{ containerId: "c0ffee", name: "web", stable: false, finding, values }]
      })
    )
  const verdictOf = (result: Parameters<typeof judgeUnrest>[0]) =>
    Effect.map(Effect.result(judgeUnrest(result, /^up to/)), (judged) =>
      Result.isSuccess(judged) ? judged.success._tag : judged.failure._tag
    )

  it.effect("is right for the reason that it gives, and for no other", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdictOf(gaveUp("up to 2", 1, 2)), "pass")
      assert.strictEqual(yield* verdictOf(gaveUp("deviates by 3", 1, 2)), "fail")
      assert.strictEqual(yield* verdictOf(Result.succeed([])), "fail")
    })
  )

  it.effect.each(["no sample for 700 ms", "no value (TargetNotRunning)", "at rest for 0 ms only"])(
    "says nothing of the monitor where a busy host left holes: %s",
    (finding) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* verdictOf(gaveUp(finding, 1)), "unknown")
        assert.strictEqual(yield* verdictOf(gaveUp(finding)), "Undecidable")
      })
  )
})

describe("facts in order", () => {
  it("allows others between", () => {
    assert.deepStrictEqual(missingInOrder(["a", "b", "a"], ["a", "x", "b", "a"]), [])
  })

  it("names what is missing or too early", () => {
    assert.deepStrictEqual(missingInOrder(["a", "b"], ["a"]), ["b"])
    assert.deepStrictEqual(missingInOrder(["a", "b"], ["b", "a"]), ["b"])
  })
})

describe("weakened sandboxes", () => {
  it("pass when the right check reports them", () => {
    assert.strictEqual(tagsOf([ran("noMemoryLimit", breached("none"))])["noMemoryLimit"], "pass")
  })

  it("fail when the right check holds, is missing, or was not tried", () => {
    assert.strictEqual(tagsOf([ran("noMemoryLimit", held("256 MiB"))])["noMemoryLimit"], "fail")
    assert.strictEqual(tagsOf([ran("noMemoryLimit", breached("none"), "RES-PIDS")])["noMemoryLimit"], "fail")
    assert.strictEqual(tagsOf([])["noMemoryLimit"], "fail")
    assert.lengthOf(Object.keys(tagsOf([])), Object.keys(rightCheck).length)
  })

  it("are unknown where they could not be made", () => {
    const refused = {
      weakening: "privileged",
      outcome: { _tag: "NotPermitted" as const, reason: "private engine only" }
    }
    assert.strictEqual(tagsOf([refused])["privileged"], "unknown")
  })
})

describe("figures", () => {
  it("use the nearest rank", () => {
    const figures = summarise([4, 1, 3, 2, 5, 6, 7, 8, 9, 100])
    assert.deepStrictEqual(figures, { n: 10, mean: 14.5, p50: 5, p95: 100, min: 1, max: 100 })
  })

  it("of nothing meet no budget", () => {
    assert.isFalse(summarise([]).mean < 500)
  })
})

describe("the hardened sandbox", () => {
  const categories = ["container", "filesystem", "limits", "network", "privilege", "process"] as const
  const finding = (index: number, verdict: CheckVerdict, category: (typeof categories)[number]) => ({
    checkId: `CHECK-${index}`,
    category,
    layer: "structure" as const,
    severity: "high" as const,
    maps: { mitre: [], cis: [] },
    description: "",
    verdict,
    observed: verdict
  })
  const heldOf = (count: number) =>
    Array.from({ length: count }, (_, i) => finding(i, held("refused"), categories[i % 6] ?? "process"))
  const verdictOf = (findings: Parameters<typeof judgeHardened>[0]) =>
    Verdict.mergeAll(judgeHardened(findings).map(([, verdict]) => verdict))

  it("passes with fifteen checks held over all categories, whatever does not apply", () => {
    assert.strictEqual(verdictOf(heldOf(15))._tag, "pass")
    assert.strictEqual(verdictOf([...heldOf(15), finding(15, notApplicable("no such feature"), "limits")])._tag, "pass")
  })

  it("is unknown when a check did not run", () => {
    const verdict = verdictOf([...heldOf(15), finding(15, notRun("no tool"), "limits")])
    assert.deepStrictEqual(verdict, { _tag: "unknown", reason: "CHECK-15: no tool" })
  })

  it("fails when one is breached, fewer than fifteen held, or a category has none", () => {
    assert.strictEqual(verdictOf([...heldOf(15), finding(15, breached("open"), "limits")])._tag, "fail")
    assert.strictEqual(verdictOf(heldOf(14))._tag, "fail")
    const withoutLimits = heldOf(20).filter(({ category }) => category !== "limits")
    assert.lengthOf(withoutLimits, 17)
    assert.match(JSON.stringify(verdictOf(withoutLimits)), /none of limits/)
  })
})
