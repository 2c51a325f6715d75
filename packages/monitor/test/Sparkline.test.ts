import { assert, describe, it } from "@effect/vitest"
import { sparkline } from "../src/Sparkline.ts"

describe("sparkline", () => {
  it("draws bars in proportion, from zero", () => {
    assert.strictEqual(sparkline([1, 2, 3, 4, 5, 6, 7, 8], { width: 8 }), "▁▂▃▄▅▆▇█")
    assert.strictEqual(sparkline([100, 101], { width: 8 }), "██")
    assert.strictEqual(sparkline([1, 2], { width: 8, max: 8 }), "▁▂")
  })

  it("shows the newest values where there is no room for all", () => {
    assert.strictEqual(sparkline([8, 1, 8], { width: 2 }), "▁█")
    assert.strictEqual(sparkline([8, 1, 8], { width: 0 }), "")
  })

  it("leaves a gap blank, and draws zero", () => {
    assert.strictEqual(sparkline([0, undefined, 4], { width: 5 }), "▁ █")
    assert.strictEqual(sparkline([0, 0], { width: 5 }), "▁▁")
    assert.strictEqual(sparkline([], { width: 5 }), "")
    assert.strictEqual(sparkline([undefined], { width: 5 }), " ")
  })

  it("does not overflow a scale that a value exceeds", () => {
    assert.strictEqual(sparkline([9], { width: 5, max: 1 }), "█")
  })
})
