/**
 * Sizes as people write them, in bytes: `256M`, `1G`, `64Ki`, `4096`. Multiples are binary (1K = 1024), as the engine counts.
 * Refuses fractions, signs, spaces and `MB`, which means two different things.
 */
import * as Result from "effect/Result"

/** Bytes as a whole number, or text that {@link parse} accepts. */
export type ByteSizeInput = number | string

/** What a good value looks like, for error messages. */
export const expectation = "a whole number of bytes, or one with K, M, G or T (binary), e.g. 256M, 1G, 64Ki, 4096"

const units = ["", "K", "M", "G", "T"] as const
const pattern = /^(\d{1,16})(?:([KMGT])(?:iB?)?|B)?$/i

/** Bytes, or nothing but the {@link expectation} when `input` is not a size or is beyond 2^53 - 1. */
export const parse = (input: ByteSizeInput): Result.Result<number, typeof expectation> => {
  const bytes = typeof input === "number" ? input : fromText(input)
  return bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= 0
    ? Result.succeed(bytes)
    : Result.fail(expectation)
}

const fromText = (text: string): number | undefined => {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const exponent = units.findIndex((unit) => unit === (match[2] ?? "").toUpperCase())
  return Number(match[1]) * 1024 ** exponent
}

/** The shortest text that {@link parse} reads back to exactly `bytes`: `268435456` is `256M`. */
export const format = (bytes: number): string => {
  let value = bytes
  let unit = 0
  while (value > 0 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value}${units[unit]}`
}
