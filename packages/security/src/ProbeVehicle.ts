/**
 * Vehicles carry probes into a container: an interpreter that its image already has, fed over the exec's standard input,
 * so that nothing is written inside. Pure: a vehicle turns a program into script text; running it is `ProbeRun`'s business.
 */
import * as Errno from "./Errno.ts"
import type { Answer, Evidence } from "./Evidence.ts"
import { answerOf, describeAnswer } from "./Evidence.ts"
import type { Identity, Probe } from "./Probe.ts"
import { readLink, readText, syscall } from "./Probe.ts"
import type { Architecture } from "./SyscallTable.ts"
import { perl } from "./vehicles/Perl.ts"
import { posixShell } from "./vehicles/PosixShell.ts"
import { python } from "./vehicles/Python.ts"

export interface ProbeProgram {
  /** Marks our lines; 32 hex digits drawn for each run, unknown to the image beforehand. */
  readonly nonce: string
  /** Undefined where system call numbers are not known. */
  readonly architecture: Architecture | undefined
  /** The container's first process as the engine's host numbers it. */
  readonly hostPid: number | undefined
  readonly probes: ReadonlyArray<Probe>
}

export interface ProbeVehicle {
  readonly name: string
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** Why it cannot carry this probe, or undefined when it can. */
  readonly refusal: (probe: Probe, program: ProbeProgram) => string | undefined
  /** The script; probes that it refuses are left out, the others keep their index in `probes`. */
  readonly script: (program: ProbeProgram) => string
}

/** Best first: full ability from perl-base or python3 with ctypes; the shell reads files only. */
export const vehicles: readonly [ProbeVehicle, ...ReadonlyArray<ProbeVehicle>] = [perl, python, posixShell]

const status = readText("/proc/self/status")
const getpid = syscall("getpid", [])
const closeNothing = syscall("close", [-1])
const absent = readLink("/proc/self/sbx-calibration-absent")

/** Operations with a known answer in every container; a vehicle that gets one wrong is not believed in anything. */
export const calibrationProbes = (identity: Identity): ReadonlyArray<Probe> =>
  [status, getpid, closeNothing, absent].map((probe) => ({ ...probe, identity }))

const contradiction = (probe: Probe, answer: Answer, wanted: string): string =>
  `calibration failed: ${describeAnswer(probe, answer)}, must be ${wanted}`

/**
 * Why the vehicle's answers are not believed, or undefined. getpid must agree with /proc/self/status, close(-1) must be EBADF,
 * an absent link must not be readable: a vehicle that says "denied" or "done" to everything fails at least one.
 */
export const calibrate = (evidence: Evidence, identity: Identity): string | undefined => {
  const as = (probe: Probe): Probe => ({ ...probe, identity })
  const ask = (probe: Probe) => answerOf(evidence, as(probe))
  const read = ask(status)
  if (read._tag !== "Text") return contradiction(as(status), read, "readable")
  const link = ask(absent)
  if (link._tag === "Done" || link._tag === "Text") return contradiction(as(absent), link, "ENOENT")
  const pid = ask(getpid)
  if (pid._tag === "Unanswered") return undefined
  const own = read.lines.find((l) => l.startsWith("Pid:"))?.split(/\s+/)[1]
  if (pid._tag !== "Done" || String(pid.value) !== own) return contradiction(as(getpid), pid, `${own}`)
  const close = ask(closeNothing)
  return close._tag === "Refused" && close.errno === Errno.numberOf("EBADF")
    ? undefined
    : contradiction(as(closeNothing), close, "EBADF")
}
