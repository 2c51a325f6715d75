/**
 * Statistics straight from their definitions (two passes, deviations from the mean), on fractions kept as plain
 * bigint pairs and read from text: shares neither formulas nor arithmetic with the package.
 */
interface Fraction {
  readonly numerator: bigint
  readonly denominator: bigint
}

const reduce = (n: bigint, d: bigint): Fraction => {
  let [a, b] = [n < 0n ? -n : n, d]
  while (b > 0n) [a, b] = [b, a % b]
  return { numerator: n / a, denominator: d / a }
}
const plus = (a: Fraction, b: Fraction) =>
  reduce(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)
const times = (a: Fraction, b: Fraction) => reduce(a.numerator * b.numerator, a.denominator * b.denominator)
const negate = (a: Fraction) => ({ ...a, numerator: -a.numerator })
const over = (a: Fraction, n: number) => reduce(a.numerator, a.denominator * BigInt(n))

/** "-1.25" as -125/100, by deleting the point. */
const read = (text: string): Fraction => {
  const point = text.indexOf(".")
  const digits = point === -1 ? 0 : text.length - point - 1
  return reduce(BigInt(text.replace(".", "")), 10n ** BigInt(digits))
}

export const zero: Fraction = { numerator: 0n, denominator: 1n }

const total = (values: ReadonlyArray<Fraction>) => values.reduce(plus, zero)

export const sum = (texts: ReadonlyArray<string>): Fraction => total(texts.map(read))

export const mean = (texts: ReadonlyArray<string>): Fraction => over(sum(texts), texts.length)

export const variance = (texts: ReadonlyArray<string>): Fraction => {
  const centre = negate(mean(texts))
  const deviations = texts.map((text) => plus(read(text), centre))
  return over(total(deviations.map((d) => times(d, d))), texts.length)
}

/** Type 7 by its piecewise definition: between order statistics k and k+1, k = floor((n-1)p). */
export const quantile = (texts: ReadonlyArray<string>, percent: bigint): Fraction => {
  const order = texts.map(read).sort((a, b) => (a.numerator * b.denominator < b.numerator * a.denominator ? -1 : 1))
  const position = reduce(BigInt(order.length - 1) * percent, 100n)
  const k = position.numerator / position.denominator
  const part = plus(position, { numerator: -k, denominator: 1n })
  const [low, high] = [order[Number(k)] ?? zero, order[Number(k) + 1] ?? zero]
  if (part.numerator === 0n) return low
  return plus(times(low, plus({ numerator: 1n, denominator: 1n }, negate(part))), times(high, part))
}

/** The normal equations of least squares: both sums are zero at the best line and at no other. */
export const residuals = (
  x: ReadonlyArray<string>,
  y: ReadonlyArray<string>,
  slope: Fraction,
  intercept: Fraction
): { readonly plain: Fraction; readonly timesX: Fraction } => {
  const errors = x.map((text, index) => plus(read(y[index] ?? ""), negate(plus(intercept, times(slope, read(text))))))
  return {
    plain: total(errors),
    timesX: total(errors.map((error, index) => times(error, read(x[index] ?? ""))))
  }
}
