/**
 * Processes of a container as this machine's /proc shows them, and their signals. An adapter: synchronous reads.
 * Refuses processes of the host's own pid namespace, always: a runtime that ignores the pid namespace (gVisor's runsc
 * with `PidMode: container:…`) would else put the host's PID 1 in reach.
 */
import * as fs from "node:fs"
import process from "node:process"

export interface ContainerProcess {
  readonly hostPid: number
  /** As the container numbers it. */
  readonly pid: number
  readonly command: string
  /** Base name of argv[0], which may differ from `command` (15 characters, changeable). */
  readonly program: string
  /** Clock ticks since boot: tells a process from a later one with the same pid; field 22 of proc(5) stat. */
  readonly startTime: string
}

const text = (path: string): string | undefined => {
  try {
    return fs.readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

const namespaceOf = (pid: number | "self"): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/**
 * The pid namespace of the container whose PID 1 the engine reports as `hostPid`. Absent when that pid is not visibly this
 * container's (another machine, another pid namespace) or lives in the host's namespace.
 */
export const containerNamespace = (containerId: string, hostPid: number | undefined): string | undefined => {
  if (hostPid === undefined) return undefined
  const namespace = namespaceOf(hostPid)
  const cgroup = text(`/proc/${hostPid}/cgroup`)
  if (namespace === undefined || cgroup === undefined || !cgroup.includes(containerId)) return undefined
  return namespace === namespaceOf("self") || namespace === namespaceOf(1) ? undefined : namespace
}

/** Live processes in a pid namespace, by their pid inside. Zombies are dead. */
export const processesIn = (namespace: string): ReadonlyArray<ContainerProcess> =>
  fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name), namespace) ?? [])
    .sort((a, b) => a.pid - b.pid)

const readProcess = (hostPid: number, namespace: string): ContainerProcess | undefined => {
  if (namespaceOf(hostPid) !== namespace) return undefined
  const startTime = startTimeOf(hostPid)
  // The innermost number comes last.
  const pid = /^NSpid:\t(?:\d+\t)*(\d+)$/m.exec(text(`/proc/${hostPid}/status`) ?? "")?.[1]
  if (startTime === undefined || pid === undefined) return undefined
  const argv0 = text(`/proc/${hostPid}/cmdline`)?.split("\0")[0] ?? ""
  return {
    hostPid,
    pid: Number(pid),
    command: text(`/proc/${hostPid}/comm`)?.trim() ?? "",
    program: argv0.slice(argv0.lastIndexOf("/") + 1),
    startTime
  }
}

/** Absent when there is no such live process. The command may contain blanks and parentheses: fields count from its last one. */
export const startTimeOf = (hostPid: number): string | undefined => {
  const stat = text(`/proc/${hostPid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
  const state = fields?.[0]
  return state === undefined || state === "Z" || state === "X" ? undefined : fields?.[19]
}

export const isAlive = (target: ContainerProcess): boolean => startTimeOf(target.hostPid) === target.startTime

/** Signals a process that is still the one that was found, in the namespace it was found in. False when it is gone. */
export const signal = (target: ContainerProcess, namespace: string, name: NodeJS.Signals): boolean => {
  if (!isAlive(target) || namespaceOf(target.hostPid) !== namespace) return false
  try {
    process.kill(target.hostPid, name)
    return true
  } catch {
    return false
  }
}
