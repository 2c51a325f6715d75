/**
 * Adapter (/proc): the cpu time that processes used, by the kernel's accounting, and which processes an engine consists of. A process
 * that is gone, or a host without /proc, gives nothing instead of zero.
 */
import type { EngineEndpoint } from "@sbx/engine/Engine"
import { readdirSync, readFileSync } from "node:fs"

/** USER_HZ of every Linux that Node runs on: 10 ms a tick. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const millisPerTick = 10

interface Stat {
  readonly command: string
  readonly parent: number
  readonly cpuMillis: number
}

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const stat = (pid: number): Stat | undefined => {
  const text = readText(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The command stands in parentheses and may contain some itself.
  const end = text.lastIndexOf(")")
  const fields = text.slice(end + 2).split(" ")
  return {
    command: text.slice(text.indexOf("(") + 1, end),
    parent: Number(fields[1]),
    cpuMillis: (Number(fields[11]) + Number(fields[12])) * millisPerTick
  }
}

/** User and system time of the processes together, milliseconds; `undefined` when one of them is gone. */
export const cpuMillis = (pids: ReadonlyArray<number>): number | undefined => {
  let sum = 0
  for (const pid of pids) {
    const found = stat(pid)
    if (found === undefined) return undefined
    sum += found.cpuMillis
  }
  return sum
}

/**
 * The daemon that listens on the endpoint's socket, in whichever network namespace, and its containerd. Empty where this process does
 * not see them: a remote engine, or one that shares a containerd with others.
 */
export const engineProcesses = ({ address }: EngineEndpoint): ReadonlyArray<number> => {
  const { pathname, protocol } = new URL(address)
  if (protocol !== "unix:") return []
  const pids = readdirSync("/proc").map(Number).filter(Number.isSafeInteger)
  const stats = new Map(pids.map((pid) => [pid, stat(pid)]))
  const daemons = pids.filter(
    (pid) =>
      stats.get(pid)?.command === "dockerd" &&
      readText(`/proc/${pid}/net/unix`)
        ?.split("\n")
        .some((line) => line.endsWith(` ${pathname}`)) === true
  )
  const helpers = pids.filter((pid) => {
    const found = stats.get(pid)
    return found?.command === "containerd" && daemons.includes(found.parent)
  })
  return daemons.length === 1 ? [...daemons, ...helpers] : []
}
