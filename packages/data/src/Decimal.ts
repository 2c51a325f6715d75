/**
 * Finite decimals as exact values: an integer and a scale. A cell of a dataset is the text of one, so that every
 * language reads the very number whose statistics are known.
 */
import * as Rational from "./Rational.ts"

/** units × 10^-scale; scale ≥ 0. */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
}

/** Reads `-12.50`: sign, digits, at most one point with digits on both sides; no exponent. Anything else is undefined. */
export const parse = (text: string): Decimal | undefined => {
  const match = /^(-?\d+)(?:\.(\d+))?$/.exec(text)
  if (match === null) return undefined
  const [, whole = "", part = ""] = match
  return { units: BigInt(whole + part), scale: part.length }
}

/** Plain notation with exactly `scale` digits after the point. */
export const format = ({ units, scale }: Decimal): string => {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0")
  const sign = units < 0n ? "-" : ""
  const cut = digits.length - scale
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, cut)}.${digits.slice(cut)}`
}

/** The same value with more digits after the point. Dies when digits would be lost. */
export const rescale = (value: Decimal, scale: number): Decimal => {
  if (scale < value.scale) throw new RangeError(`Could not rescale ${format(value)} to ${scale}.`)
  return { units: value.units * 10n ** BigInt(scale - value.scale), scale }
}

/** Exact sum, at the larger scale. */
export const add = (a: Decimal, b: Decimal): Decimal => {
  const scale = Math.max(a.scale, b.scale)
  return { units: rescale(a, scale).units + rescale(b, scale).units, scale }
}

/** Exact product, at the sum of the scales. */
export const multiply = (a: Decimal, b: Decimal): Decimal => ({
  units: a.units * b.units,
  scale: a.scale + b.scale
})

export const negate = (value: Decimal): Decimal => ({ ...value, units: -value.units })

export const absolute = (value: Decimal): Decimal => (value.units < 0n ? negate(value) : value)

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export const compare = (a: Decimal, b: Decimal): number => {
  const { units } = add(a, negate(b))
  return units < 0n ? -1 : units > 0n ? 1 : 0
}

/** Several values at the largest of their scales, as integers and that scale. */
export const align = (
  values: ReadonlyArray<Decimal>
): { readonly units: ReadonlyArray<bigint>; readonly scale: number } => {
  const scale = values.reduce((most, value) => Math.max(most, value.scale), 0)
  return { units: values.map((value) => rescale(value, scale).units), scale }
}

export const toRational = ({ units, scale }: Decimal): Rational.Rational => Rational.make(units, 10n ** BigInt(scale))
