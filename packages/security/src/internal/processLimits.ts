/** Hard limits of the probe's process, as /proc/self/limits shows them (getrlimit(2)). */
import * as Result from "effect/Result"
import type { Evidence, Reading } from "../Evidence.ts"
import { text } from "../Evidence.ts"
import { notRun } from "../CheckVerdict.ts"
import { readText } from "../Probe.ts"

export const limitsProbe = readText("/proc/self/limits")

/** The hard limit of the row with this name, e.g. `Max open files`; a number or `unlimited`. */
export const hardLimit = (evidence: Evidence, name: string): Reading<string> =>
  Result.flatMap(text(evidence, limitsProbe), (lines) => {
    const row = lines.find((line) => line.startsWith(`${name} `))
    const hard = row?.slice(name.length).trim().split(/\s+/)[1]
    return hard === undefined ? Result.fail(notRun(`/proc/self/limits has no "${name}"`)) : Result.succeed(hard)
  })
