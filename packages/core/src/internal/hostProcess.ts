/**
 * Processes of a container as this machine's /proc shows them. An adapter: reads /proc synchronously (a scan of 500
 * processes takes about 5 ms) and sends signals. Refuses processes of the host's own pid namespace, always.
 */
import * as fs from "node:fs"

/** One live process; `startTime` (clock ticks since boot) tells it from a later one with the same pid. */
export interface HostProcess {
  readonly pid: number
  readonly parent: number
  readonly session: number
  readonly startTime: string
  readonly namespace: string
}

const readText = (path: string): string | undefined => {
  try {
    return fs.readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

const pidNamespace = (pid: number | "self"): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** Fields of proc(5) stat after the command, which may itself hold spaces and parentheses. A zombie is dead for our purposes. */
const readProcess = (pid: number): HostProcess | undefined => {
  const stat = readText(`/proc/${pid}/stat`)
  const namespace = pidNamespace(pid)
  if (stat === undefined || namespace === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const [state, parent, , session] = fields
  if (state === "Z" || state === "X") return undefined
  return { pid, parent: Number(parent), session: Number(session), startTime: fields[19] ?? "", namespace }
}

const allProcesses = (): ReadonlyArray<HostProcess> =>
  fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])

/**
 * The pid namespace of a container whose PID 1 the engine reports as `hostPid`; absent when that pid is not visibly this
 * container's (another machine, another pid namespace) or shares the host's namespace.
 */
export const containerNamespace = (containerId: string, hostPid: number): string | undefined => {
  const namespace = pidNamespace(hostPid)
  const cgroup = readText(`/proc/${hostPid}/cgroup`)
  if (namespace === undefined || cgroup === undefined || !cgroup.includes(containerId)) return undefined
  return namespace === pidNamespace("self") || namespace === pidNamespace(1) ? undefined : namespace
}

const carries = (pid: number, variable: string): boolean =>
  readText(`/proc/${pid}/environ`)?.split("\0").includes(variable) ?? false

/** The live process of that pid, where it is in `namespace` itself. */
export const processIn = (namespace: string, pid: number): HostProcess | undefined => {
  const found = readProcess(pid)
  return found?.namespace === namespace ? found : undefined
}

export interface Kin {
  readonly namespace: string
  /** `NAME=value` in the environment. */
  readonly variable: string
  /** Known to belong, whatever their environment says; counted while they are the processes that were found. */
  readonly seeds: ReadonlyArray<HostProcess>
  /** False where the session is shared with processes that do not belong. Default true. */
  readonly sessions?: boolean
}

/**
 * The seeds that still live, the processes in `namespace` that carry the variable, their descendants, and the mates of their
 * sessions, which process groups are parts of (the runtime gives every exec a session of its own). Out of reach: one whose
 * parent is gone, in a session of its own, without the variable (what `env -i setsid` leaves behind).
 */
export const findKin = ({
  namespace,
  variable,
  seeds,
  sessions: withMates = true
}: Kin): ReadonlyArray<HostProcess> => {
  const host = new Set([pidNamespace("self"), pidNamespace(1)])
  const processes = allProcesses().filter((process) => !host.has(process.namespace))
  const known = new Map(seeds.map((seed) => [seed.pid, seed.startTime]))
  const found = new Map<number, HostProcess>()
  const sessions = new Set<number>()
  const add = (process: HostProcess) => {
    found.set(process.pid, process)
    if (withMates && process.session !== 0 && process.namespace === namespace) sessions.add(process.session)
  }
  for (const process of processes) {
    const isSeed = known.get(process.pid) === process.startTime
    if (isSeed || (process.namespace === namespace && carries(process.pid, variable))) add(process)
  }
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const process of processes) {
      const isMate = process.namespace === namespace && sessions.has(process.session)
      if (!found.has(process.pid) && (found.has(process.parent) || isMate)) add(process)
    }
  }
  return [...found.values()]
}

/** Signals a process that is still the one that was found. False when it is gone. */
export const signal = (target: HostProcess, name: string): boolean => {
  const now = readProcess(target.pid)
  if (now === undefined || now.startTime !== target.startTime || now.namespace !== target.namespace) return false
  try {
    process.kill(target.pid, name)
    return true
  } catch {
    return false
  }
}

/** /proc/net/tcp and tcp6 of the container's network namespace; absent when the pid is not visibly this container's. */
export const readListeningPorts = (containerId: string, hostPid: number): string | undefined => {
  const cgroup = readText(`/proc/${hostPid}/cgroup`)
  if (cgroup === undefined || !cgroup.includes(containerId)) return undefined
  const tcp = readText(`/proc/${hostPid}/net/tcp`)
  return tcp === undefined ? undefined : `${tcp}${readText(`/proc/${hostPid}/net/tcp6`) ?? ""}`
}
