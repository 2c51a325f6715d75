import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Rational from "../src/Rational.ts"

const pair = { a: Schema.Finite, b: Schema.Finite }
const usual = (value: number) => value === 0 || (Math.abs(value) > 1e-90 && Math.abs(value) < 1e90)

/** The exact value of a double, by doubling until it is whole. */
const exactly = (value: number): Rational.Rational => {
  let [whole, denominator] = [value, 1n]
  while (!Number.isInteger(whole)) [whole, denominator] = [whole * 2, denominator * 2n]
  return Rational.make(BigInt(whole), denominator)
}

describe("Rational", () => {
  it("is in lowest terms with the sign above", () => {
    assert.deepStrictEqual(Rational.make(6n, -4n), { numerator: -3n, denominator: 2n })
    assert.deepStrictEqual(Rational.make(0n, -4n), { numerator: 0n, denominator: 1n })
    assert.throws(() => Rational.make(1n, 0n), /denominator is 0/)
  })

  it.prop("agrees with doubles on operations that IEEE 754 rounds once", pair, ({ a, b }) => {
    if (!usual(a) || !usual(b)) return
    const [x, y] = [exactly(a), exactly(b)]
    // IEEE 754 requires each of these to be the exact result rounded once: what toNumber claims.
    assert.strictEqual(Rational.toNumber(Rational.add(x, y)), a + b)
    assert.strictEqual(Rational.toNumber(Rational.subtract(x, y)), a - b)
    assert.isTrue(Rational.toNumber(Rational.multiply(x, y)) === a * b)
    if (b !== 0) assert.isTrue(Rational.toNumber(Rational.divide(x, y)) === a / b)
    assert.strictEqual(Math.sign(Rational.compare(x, y)), Math.sign(a - b))
  })

  it("rounds ties to even and looks at every bit below", () => {
    const tie = 2n ** 53n + 1n
    assert.strictEqual(Rational.toNumber(Rational.make(tie)), 2 ** 53)
    const above = Rational.add(Rational.make(tie), Rational.make(1n, 10n ** 40n))
    assert.strictEqual(Rational.toNumber(above), 2 ** 53 + 2)
  })
})
