/**
 * Student's t for whole degrees of freedom, from the finite sums of Abramowitz & Stegun, Handbook of Mathematical Functions (1964),
 * 26.7.3 and 26.7.4: exact up to rounding. The quantile is found by bisection. Refuses nothing: callers give sane numbers.
 */

/** Beyond this the distribution is the normal one to five digits; it bounds the length of the sums. */
const mostDegrees = 10_000

/** P(|T| <= t) for `degrees` = 1, 2, … and `t` >= 0. */
export const withinT = (t: number, degrees: number): number => {
  const nu = Math.min(Math.floor(degrees), mostDegrees)
  const theta = Math.atan(t / Math.sqrt(nu))
  const sin = Math.sin(theta)
  const cos = Math.cos(theta)
  const isOdd = nu % 2 === 1
  if (nu === 1) return (2 * theta) / Math.PI
  let term = isOdd ? cos : 1
  let sum = term
  for (let k = isOdd ? 3 : 2; k < nu; k += 2) {
    term *= ((k - 1) / k) * cos * cos
    sum += term
  }
  return isOdd ? (2 / Math.PI) * (theta + sin * sum) : sin * sum
}

/** The `t` with P(|T| <= t) = `confidence`, 0 < confidence < 1. */
export const twoSidedT = (confidence: number, degrees: number): number => {
  let high = 1
  while (withinT(high, degrees) < confidence) high *= 2
  let low = 0
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (withinT(middle, degrees) < confidence) low = middle
    else high = middle
  }
  return (low + high) / 2
}
