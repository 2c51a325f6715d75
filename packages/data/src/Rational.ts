/** Exact fractions, for statistics that are known and not estimated. Integers are unbounded; nothing is ever rounded but `toNumber`. */

/** A fraction in lowest terms; the denominator is positive. */
export interface Rational {
  readonly numerator: bigint
  readonly denominator: bigint
}

/** numerator / denominator in lowest terms. Dies on a zero denominator. */
export const make = (numerator: bigint, denominator = 1n): Rational => {
  if (denominator === 0n) throw new RangeError("Could not make a fraction: the denominator is 0.")
  const divisor = gcd(magnitude(numerator), magnitude(denominator))
  const sign = denominator < 0n ? -1n : 1n
  return {
    numerator: (sign * numerator) / divisor,
    denominator: (sign * denominator) / divisor
  }
}

export const add = (a: Rational, b: Rational): Rational =>
  make(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)

export const subtract = (a: Rational, b: Rational): Rational =>
  add(a, { numerator: -b.numerator, denominator: b.denominator })

export const multiply = (a: Rational, b: Rational): Rational =>
  make(a.numerator * b.numerator, a.denominator * b.denominator)

/** Dies when `b` is zero. */
export const divide = (a: Rational, b: Rational): Rational =>
  make(a.numerator * b.denominator, a.denominator * b.numerator)

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export const compare = (a: Rational, b: Rational): number => {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The nearest double, ties to even (normal range only: magnitudes from 2^-900 to 2^1000). */
export const toNumber = ({ numerator, denominator }: Rational): number => {
  if (numerator === 0n) return 0
  const size = magnitude(numerator)
  const shift = BigInt(66 - bits(size) + bits(denominator))
  const [top, bottom] = shift >= 0n ? [size << shift, denominator] : [size, denominator << -shift]
  // 66 or 67 quotient bits, the last one made sticky, so that the one rounding in Number() sees what was cut off.
  const quotient = (top / bottom) | (top % bottom === 0n ? 0n : 1n)
  const value = Number(quotient) * 2 ** -Number(shift)
  return numerator < 0n ? -value : value
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value)
const bits = (value: bigint): number => value.toString(2).length

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b]
  return a
}
