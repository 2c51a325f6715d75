import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Decimal from "../src/Decimal.ts"
import * as Rational from "../src/Rational.ts"

const decimal = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Int),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 })))
  ]),
  ([units, scale]): Decimal.Decimal => ({ units: BigInt(units), scale })
)

describe("Decimal", () => {
  it.prop("reads back what it writes", [decimal], ([value]) => {
    assert.deepStrictEqual(Decimal.parse(Decimal.format(value)), value)
  })

  it("writes plain notation", () => {
    assert.strictEqual(Decimal.format({ units: -5n, scale: 3 }), "-0.005")
    assert.strictEqual(Decimal.format({ units: 1250n, scale: 2 }), "12.50")
    assert.strictEqual(Decimal.format({ units: 0n, scale: 0 }), "0")
  })

  it("reads nothing else than plain decimals", () => {
    for (const text of ["", "-", ".5", "5.", "1e3", "+1", " 1", "1,5", "NaN", "--1", "1.2.3"]) {
      assert.isUndefined(Decimal.parse(text), text)
    }
  })

  it("refuses to lose digits", () => {
    assert.throws(() => Decimal.rescale({ units: 15n, scale: 1 }, 0), /Could not rescale 1.5/)
  })

  it.prop("adds and multiplies exactly", { a: decimal, b: decimal }, ({ a, b }) => {
    const [x, y] = [Decimal.toRational(a), Decimal.toRational(b)]
    assert.deepStrictEqual(Decimal.toRational(Decimal.add(a, b)), Rational.add(x, y))
    assert.deepStrictEqual(Decimal.toRational(Decimal.multiply(a, b)), Rational.multiply(x, y))
  })

  it.prop("orders as fractions do, and knows signs", { a: decimal, b: decimal }, ({ a, b }) => {
    const [x, y] = [Decimal.toRational(a), Decimal.toRational(b)]
    assert.strictEqual(Decimal.compare(a, b), Rational.compare(x, y))
    assert.strictEqual(Decimal.compare(a, a), 0)
    assert.deepStrictEqual(Decimal.toRational(Decimal.add(a, Decimal.negate(a))), Rational.make(0n))
    const magnitude = Decimal.toRational(Decimal.absolute(a))
    assert.deepStrictEqual(magnitude, x.numerator < 0n ? Rational.multiply(x, Rational.make(-1n)) : x)
  })

  it.prop("aligns values without changing them", [decimal, decimal], ([a, b]) => {
    const { units, scale } = Decimal.align([a, b])
    assert.strictEqual(scale, Math.max(a.scale, b.scale))
    assert.deepStrictEqual(
      units.map((value) => Decimal.toRational({ units: value, scale })),
      [a, b].map(Decimal.toRational)
    )
  })
})
