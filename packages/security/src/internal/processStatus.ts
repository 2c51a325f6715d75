/** Fields of /proc/<pid>/status (proc_pid_status(5)) of the probe itself and of the container's first process. */
import * as Result from "effect/Result"
import type { Evidence, Reading } from "../Evidence.ts"
import { text } from "../Evidence.ts"
import { notRun } from "../CheckVerdict.ts"
import type { Probe } from "../Probe.ts"
import { readText } from "../Probe.ts"

/** The probe's own process: what the engine gives an exec. */
export const selfStatus = readText("/proc/self/status")
/** Worst case: the same as uid 0. */
export const rootStatus = readText("/proc/self/status", "root")
/** The first process in the probe's pid namespace: what the engine gave the container itself. */
export const firstStatus = readText("/proc/1/status")

export type StatusProbe = Probe & { readonly _tag: "ReadText" }

const label = (probe: StatusProbe): string => `${probe.identity} ${probe.path.replace("/status", "")}`

/** The value of a field, or undefined when this kernel does not have it. */
const field = (evidence: Evidence, probe: StatusProbe, name: string): Reading<string | undefined> =>
  Result.map(text(evidence, probe), (lines) =>
    lines
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  )

/** Like {@link field}; `NotRun` when the field is absent. */
export const requiredField = (evidence: Evidence, probe: StatusProbe, name: string): Reading<string> =>
  Result.flatMap(field(evidence, probe, name), (value) =>
    value === undefined ? Result.fail(notRun(`${label(probe)} has no field ${name}`)) : Result.succeed(value)
  )

/** A capability set of any width (41 bits since Linux 5.9) as a number; malformed is `NotRun`. */
export const capabilitySet = (evidence: Evidence, probe: StatusProbe, name: string): Reading<bigint> =>
  Result.flatMap(requiredField(evidence, probe, name), (value) =>
    /^[0-9a-f]+$/i.test(value)
      ? Result.succeed(BigInt(`0x${value}`))
      : Result.fail(notRun(`${label(probe)} ${name} is "${value}"`))
  )

/** `user /proc/1 CapBnd=0` */
export const show = (probe: StatusProbe, name: string, value: string): string => `${label(probe)} ${name}=${value}`
