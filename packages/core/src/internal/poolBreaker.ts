/** A circuit breaker as plain data: opens after so many failures in a row, lets one try through after a time. */

export interface Breaker {
  readonly failures: number
  /** Milliseconds since the epoch; absent while closed. */
  readonly openUntil: number | undefined
  readonly lastCause: string
}

export interface BreakerPolicy {
  readonly failures: number
  readonly cooldownMillis: number
}

export const closed: Breaker = { failures: 0, openUntil: undefined, lastCause: "" }

export const statusAt = ({ openUntil }: Breaker, now: number): "closed" | "open" | "half-open" => {
  if (openUntil === undefined) return "closed"
  return now < openUntil ? "open" : "half-open"
}

/** A failure of the one try opens it again at once. */
export const afterFailure = (breaker: Breaker, policy: BreakerPolicy, now: number, lastCause: string): Breaker => {
  const failures = breaker.failures + 1
  return { failures, lastCause, openUntil: failures >= policy.failures ? now + policy.cooldownMillis : undefined }
}
