import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as SeededRandom from "../src/SeededRandom.ts"

const draws = (random: SeededRandom.SeededRandom, count = 8): ReadonlyArray<number> =>
  Array.from({ length: count }, () => random.uint32())

describe("SeededRandom", () => {
  it("gives the reference sequence of xoshiro128** 1.1 from state 1, 2, 3, 4", () => {
    const next = SeededRandom.generator([1, 2, 3, 4])
    assert.deepStrictEqual(
      Array.from({ length: 10 }, next),
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804]
    )
  })

  it("refuses the all-zero state", () => {
    assert.throws(() => SeededRandom.generator([0, 0, 0, 0]), /state is all zero/)
  })

  it("gives the same values for a seed for ever", () => {
    assert.deepStrictEqual(draws(SeededRandom.make("golden"), 3), GOLDEN)
  })

  it("takes a number and its decimal text as one seed", () => {
    assert.deepStrictEqual(draws(SeededRandom.make(42)), draws(SeededRandom.make("42")))
    assert.notDeepEqual(draws(SeededRandom.make(42)), draws(SeededRandom.make(43)))
  })

  it("keeps named streams apart from each other, from their parent and from what was drawn", () => {
    const parent = SeededRandom.make("s")
    const before = draws(parent.stream("a"))
    draws(parent)
    assert.deepStrictEqual(draws(parent.stream("a")), before)
    assert.deepStrictEqual(draws(SeededRandom.make("s", "a")), before)
    assert.notDeepEqual(draws(parent.stream("b")), before)
    assert.notDeepEqual(draws(SeededRandom.make("s", "a", "b")), draws(SeededRandom.make("s", "ab")))
    assert.notDeepEqual(draws(SeededRandom.make("sa")), before)
  })

  it.prop(
    "draws integers inside the range, both ends included",
    {
      seed: Schema.String,
      min: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -1000, maximum: 1000 }))),
      width: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })))
    },
    ({ seed, min, width }) => {
      const random = SeededRandom.make(seed)
      const seen = new Set(Array.from({ length: 200 }, () => random.integer(min, min + width)))
      assert.deepStrictEqual(
        [...seen].sort((a, b) => a - b),
        Array.from({ length: width + 1 }, (_, index) => min + index)
      )
    }
  )

  it("draws from ranges wider than 32 bits and refuses empty and unsafe ones", () => {
    const random = SeededRandom.make("wide")
    const values = Array.from({ length: 200 }, () => random.integer(0, 2 ** 52))
    assert.isTrue(values.every((value) => Number.isSafeInteger(value) && value <= 2 ** 52))
    assert.isTrue(values.some((value) => value > 2 ** 51) && values.some((v) => v < 2 ** 51))
    assert.throws(() => random.integer(1, 0), /holds 0 values/)
    assert.throws(() => random.integer(0, 2 ** 53), /holds/)
    assert.throws(() => random.choice([]), /holds 0 values/)
  })

  it("draws fractions over all of [0, 1)", () => {
    const random = SeededRandom.make("fractions")
    const values = Array.from({ length: 10_000 }, random.fraction)
    assert.isTrue(values.every((value) => value >= 0 && value < 1))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    // Standard error is 1/sqrt(12·10⁴) ≈ 0.0029; the bound is more than five of them.
    assert.approximately(mean, 0.5, 0.015)
  })

  it.prop("shuffles without losing or adding", [Schema.Array(Schema.Int)], ([values]) => {
    const shuffled = SeededRandom.make("shuffle").shuffle(values)
    const ordered = (list: ReadonlyArray<number>) => [...list].sort((a, b) => a - b)
    assert.deepStrictEqual(ordered(shuffled), ordered(values))
  })

  it("reaches every order of three", () => {
    const random = SeededRandom.make("orders")
    const seen = new Set(Array.from({ length: 200 }, () => random.shuffle([1, 2, 3]).join("")))
    assert.strictEqual(seen.size, 6)
  })
})

// Computed from the definition in Python (hashlib, integers modulo 2^32), not with this code.
const GOLDEN = [4261730293, 2421068330, 2765315655]
