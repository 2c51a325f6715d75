import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Verdict from "../src/Verdict.ts"

const { pass } = Verdict
const fail = Verdict.fail("f")
const unknown = Verdict.unknown("u")

describe("a verdict", () => {
  it("is the worst of those merged", () => {
    assert.deepStrictEqual(Verdict.merge(pass, unknown), unknown)
    assert.deepStrictEqual(Verdict.merge(unknown, fail), fail)
    assert.deepStrictEqual(Verdict.merge(fail, unknown), fail)
    assert.deepStrictEqual(Verdict.mergeAll([pass, unknown, fail, pass]), fail)
    assert.deepStrictEqual(Verdict.merge(fail, Verdict.fail("later")), fail)
  })

  it("of nothing is unknown", () => {
    assert.strictEqual(Verdict.mergeAll([])._tag, "unknown")
    assert.deepStrictEqual(Verdict.mergeAll([pass]), pass)
  })

  const V = Verdict.Verdict
  it.effect.prop("merges in any grouping, and never better than its parts", [V, V, V], ([a, b, c]) =>
    Effect.sync(() => {
      const left = Verdict.merge(Verdict.merge(a, b), c)
      assert.deepStrictEqual(left, Verdict.merge(a, Verdict.merge(b, c)))
      if (left._tag === "pass") for (const one of [a, b, c]) assert.strictEqual(one._tag, "pass")
    })
  )

  it("has its exit code", () => {
    assert.deepStrictEqual([pass, fail, unknown].map(Verdict.exitCode), [0, 1, 3])
    assert.strictEqual(new Set(Object.values(Verdict.exitCodes)).size, 6)
  })

  it("that is unknown is a failure under a test framework", () => {
    assert.deepStrictEqual(Verdict.toTestOutcome(pass), { passed: true })
    assert.deepStrictEqual(Verdict.toTestOutcome(fail), { passed: false, message: "f" })
    const outcome = Verdict.toTestOutcome(unknown)
    assert.isFalse(outcome.passed)
  })

  it("is plain JSON", () => {
    assert.deepStrictEqual(Schema.encodeSync(V)(unknown), { _tag: "unknown", reason: "u" })
  })
})
