import { assert, describe, it } from "@effect/vitest"
import { bytes, bytesPerSecond, cores, count, percent } from "../src/internal/quantities.ts"

describe("quantities", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [99_900, "99.9 kB"],
    [99_960, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [67_108_864, "67.1 MB"],
    [2e15, "2000 TB"]
  ] as const)("write %d bytes as %s", (value, text) => {
    assert.strictEqual(bytes(value), text)
    assert.strictEqual(bytesPerSecond(value), `${text}/s`)
  })

  it("write cores, shares and counts", () => {
    assert.deepStrictEqual([cores(0.256), percent(79.6), count(3)], ["0.26", "80 %", "3"])
  })
})
