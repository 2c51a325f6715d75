/**
 * The engine's processes as the kernel lists them. A process is ours when its environment carries our marker (daemon,
 * containerd, shims, proxies inherit it) or when its cgroup lies beneath ours (containers). Pids alone are never trusted.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"

export interface OwnedProcess {
  readonly pid: number
  readonly command: string
}

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot, /proc/<pid>/stat field 22 (proc(5)). */
  readonly startTime: string
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

/** Absent when the process is gone or a zombie: a zombie holds no resources and waits for its parent only. */
export const startTimeOf = (pid: number): string | undefined => {
  const stat = read(`/proc/${pid}/stat`)
  // The command name may contain blanks and parentheses: fields count from the last one.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
  const state = fields?.[0]
  return state === undefined || state === "Z" || state === "X" ? undefined : fields?.[19]
}

/** By marker or by cgroup; false for zombies. */
export const isOwnedProcess = (pid: number, id: string): boolean => {
  if (startTimeOf(pid) === undefined) return false
  const environ = read(`/proc/${pid}/environ`)
  if (environ?.split("\0").includes(`SBX_ENGINE_ID=${id}`)) return true
  const cgroups = read(`/proc/${pid}/cgroup`)
  return cgroups !== undefined && cgroups.split("\n").some((line) => `${line}/`.includes(`:/sbx-${id}/`))
}

const listOwned = (id: string): ReadonlyArray<OwnedProcess> =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && isOwnedProcess(pid, id))
    .map((pid) => ({ pid, command: (read(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim().slice(0, 120) }))

export const ownedProcesses = (id: string): Effect.Effect<ReadonlyArray<OwnedProcess>> =>
  Effect.sync(() => listOwned(id))

/** True while exactly that process lives and is still ours; a reused pid has another start time and no marker. */
export const isAlive = (identity: ProcessIdentity, id: string): boolean =>
  startTimeOf(identity.pid) === identity.startTime && isOwnedProcess(identity.pid, id)

/** Sends the signal if the process is still ours; one that is gone is success. */
export const signalOwned = (pid: number, id: string, signal: "SIGTERM" | "SIGKILL"): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!isOwnedProcess(pid, id)) return
    try {
      process.kill(pid, signal)
    } catch {
      // It ended between the check and the signal.
    }
  })

/** Mount namespaces of the machine, one live member each. */
export const mountNamespaces = (): ReadonlyArray<{ readonly pid: number; readonly mountinfo: string }> => {
  const seen = new Map<string, number>()
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const mountinfo = read(`/proc/${pid}/mountinfo`)
    if (mountinfo !== undefined && mountinfo !== "" && !seen.has(mountinfo)) seen.set(mountinfo, pid)
  }
  return [...seen].map(([mountinfo, pid]) => ({ pid, mountinfo }))
}
