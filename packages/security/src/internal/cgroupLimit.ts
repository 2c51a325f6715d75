/** Limits as the container's own cgroup shows them inside: cgroup v1 (Documentation/admin-guide/cgroup-v1) and v2 (cgroup-v2.rst). */
import * as Result from "effect/Result"
import type { CheckVerdict } from "../CheckVerdict.ts"
import { breached, held, notRun } from "../CheckVerdict.ts"
import type { Evidence, Reading } from "../Evidence.ts"
import { textIfPresent } from "../Evidence.ts"
import type { Probe } from "../Probe.ts"
import { readText } from "../Probe.ts"

/** v1 says "no limit" by a huge number: the largest page-aligned 63-bit value. */
const unlimitedFrom = 2 ** 62

/** A file of the container's cgroup. */
export const cgroupFile = (path: string): Probe => readText(`/sys/fs/cgroup/${path}`)

/** First line of the first of the files that exists; undefined when none does. Any file that cannot be told is `NotRun`. */
export const firstPresent = (evidence: Evidence, files: ReadonlyArray<Probe>): Reading<string | undefined> =>
  Result.map(Result.all(files.map((file) => textIfPresent(evidence, file))), (found) =>
    found.map((lines) => lines?.[0]).find((line) => line !== undefined)
  )

/** Like {@link firstPresent}; `NotRun` when none exists. */
export const required = (evidence: Evidence, files: ReadonlyArray<Probe>, what: string): Reading<string> =>
  Result.flatMap(firstPresent(evidence, files), (value) =>
    value === undefined ? Result.fail(notRun(`no cgroup file shows ${what}`)) : Result.succeed(value)
  )

/** A limit in its own unit; Infinity for `max`, -1 and the largest value of v1; malformed is `NotRun`. */
export const limitOf = (value: string, what: string): Reading<number> => {
  if (value === "max" || value === "-1" || value === "unlimited") return Result.succeed(Number.POSITIVE_INFINITY)
  if (!/^\d+$/.test(value)) return Result.fail(notRun(`${what} reads "${value}"`))
  const number = Number(value)
  return Result.succeed(number >= unlimitedFrom ? Number.POSITIVE_INFINITY : number)
}

/** Held when the limit is finite and no larger than declared. */
export const atMost = (actual: number, declared: number | undefined, what: string): CheckVerdict => {
  if (!Number.isFinite(actual)) return breached(`${what} is unlimited`)
  return declared !== undefined && actual > declared
    ? breached(`${what} is ${actual}, declared ${declared}`)
    : held(`${what} is ${actual}${declared === undefined ? "" : `, declared ${declared}`}`)
}
