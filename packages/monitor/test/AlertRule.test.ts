import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { AlertRuleOptions, Selector } from "../src/AlertRule.ts"
import * as AlertRules from "../src/AlertRule.ts"

const good: AlertRuleOptions = { name: "memory", metric: "memoryPercentOfLimit", threshold: 80 }

describe("rules", () => {
  it.effect("have a default for all but name, metric and threshold", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* AlertRules.make(good), {
        ...good,
        comparison: ">",
        resolveThreshold: 80,
        severity: "warning",
        forMillis: 0,
        cooldownMillis: 0,
        selector: { _tag: "all" }
      })
    })
  )

  it.effect("of the defaults are memory over 80 % and cpu over 90 % of the limit", () =>
    Effect.gen(function* () {
      const rules = yield* AlertRules.makeAll(AlertRules.defaults)
      assert.deepStrictEqual(
        rules.map(({ comparison, metric, threshold }) => `${metric} ${comparison} ${threshold}`),
        ["memoryPercentOfLimit > 80", "cpuPercentOfLimit > 90"]
      )
    })
  )

  it.effect.each([
    ["name", { name: "" }],
    ["name", { name: "Memory!" }],
    ["threshold", { threshold: Number.NaN }],
    ["threshold", { threshold: Number.POSITIVE_INFINITY }],
    ["resolve-threshold", { resolveThreshold: 80.1 }],
    ["resolve-threshold", { resolveThreshold: Number.NaN }],
    // No metric is ever below zero, so nothing would resolve these.
    ["resolve-threshold", { resolveThreshold: -1 }],
    ["resolve-threshold", { threshold: -1 }],
    ["resolve-threshold", { comparison: ">=", threshold: 0 }],
    ["resolve-threshold", { comparison: ">=", resolveThreshold: 0 }],
    ["for", { for: -1 }],
    ["for", { for: Number.NaN }],
    ["for", { for: "-5 seconds" }],
    ["for", { for: Number.POSITIVE_INFINITY }],
    ["cooldown", { cooldown: "-1 minutes" }],
    ["selector", { selector: { _tag: "ids", ids: [] } }],
    ["selector", { selector: { _tag: "names", names: [] } }],
    ["selector", { selector: { _tag: "labels", labels: {} } }]
  ] as const)("are refused for their %s: %j", ([fault, wrong]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(AlertRules.make({ ...good, ...wrong }))
      assert.strictEqual(error.fault, fault)
      assert.match(error.message, /^Could not accept the alert rule .*\.\n.+\.$/s)
    })
  )

  it.effect("are refused when two have one name", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(AlertRules.makeAll([good, good]))
      assert.strictEqual(error.fault, "duplicate-name")
    })
  )
})

describe("rules from outside", () => {
  it.effect("are read with durations as text or milliseconds", () =>
    Effect.gen(function* () {
      const [rule] = yield* AlertRules.decodeAll([{ ...good, for: "30 seconds", cooldown: 500, comparison: ">=" }])
      assert.deepStrictEqual([rule?.forMillis, rule?.cooldownMillis, rule?.comparison], [30_000, 500, ">="])
    })
  )

  it.effect.each([
    ["metric", { metric: "memory" }],
    ["comparison", { comparison: "<" }],
    ["severity", { severity: "bad" }],
    ["for", { for: -1 }]
  ] as const)("are refused for their %s: %j", ([fault, wrong]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(AlertRules.decodeAll([{ ...good, ...wrong }]))
      assert.isTrue(error._tag === "InvalidRule" && error.fault === fault)
    })
  )

  it.effect.each([
    { threshold: Number.NaN },
    { for: "soon" },
    { threshold: "80" },
    { selector: "all" },
    // A misspelt option would silently be its default.
    { coolDown: "5 minutes" },
    { selector: { _tag: "all", ids: ["c0ffee"] } }
  ])("are refused by their schema: %j", (wrong) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(AlertRules.decodeAll([{ ...good, ...wrong }]))
      assert.strictEqual(error._tag, "SchemaError")
    })
  )
})

describe("selects", () => {
  const target = { containerId: "c0ffee", name: "web", labels: { tier: "front" } }
  const { labels: _, ...bare } = target
  it.effect.each([
    [{ _tag: "all" }, bare, true],
    [{ _tag: "ids", ids: ["c0ffee"] }, bare, true],
    [{ _tag: "ids", ids: ["c0ff"] }, bare, false],
    [{ _tag: "names", names: ["db", "web"] }, bare, true],
    [{ _tag: "names", names: ["we"] }, bare, false],
    [{ _tag: "labels", labels: { tier: "front" } }, target, true],
    [{ _tag: "labels", labels: { tier: "front", owner: "me" } }, target, false],
    [{ _tag: "labels", labels: { tier: "front" } }, bare, "unknown"]
  ] satisfies ReadonlyArray<readonly [Selector, AlertRules.AlertTarget, boolean | "unknown"]>)(
    "%j",
    ([selector, from, expected]) =>
      Effect.gen(function* () {
        const rule = yield* AlertRules.make({ ...good, selector })
        assert.strictEqual(AlertRules.selects(rule, from), expected)
      })
  )
})
