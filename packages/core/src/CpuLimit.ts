/**
 * A cpu limit in cores: `0.5` is half a core. Refuses less than 0.01, which engines refuse too, and more than nine decimals,
 * because the engine counts billionths of a core.
 */
import * as Result from "effect/Result"

export type CpuLimitInput = number | string

/** What a good value looks like, for error messages. */
export const expectation = "a number of cores from 0.01 to 4096, e.g. 0.5"

const pattern = /^\d{1,4}(?:\.\d{1,9})?$/

/** Cores, or the {@link expectation}. */
export const parse = (input: CpuLimitInput): Result.Result<number, typeof expectation> => {
  const cores = typeof input === "number" ? input : pattern.test(input) ? Number(input) : Number.NaN
  return cores >= 0.01 && cores <= 4096 ? Result.succeed(cores) : Result.fail(expectation)
}

/** Billionths of a core, the engine's unit. */
export const toNanoCpus = (cores: number): number => Math.round(cores * 1e9)
