/**
 * What this machine's kernel counts for a container of a local engine: OOM kills of its cgroup (v1 or v2), use of its workspace.
 * An adapter over /proc and /sys/fs/cgroup. Refuses a pid that is not visibly this container's.
 */
import * as fs from "node:fs"

const readText = (path: string): string | undefined => {
  try {
    return fs.readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

const cgroupOf = (containerId: string, hostPid: number): string | undefined => {
  const text = readText(`/proc/${hostPid}/cgroup`)
  return text?.includes(containerId) === true ? text : undefined
}

/** The file that counts kills, by a line of cgroups(7) `/proc/<pid>/cgroup`. */
export const killCounterPath = (cgroup: string): string | undefined => {
  for (const line of cgroup.split("\n")) {
    const [, controllers, ...rest] = line.split(":")
    const path = rest.join(":")
    if (controllers?.split(",").includes("memory") === true) return `/sys/fs/cgroup/memory${path}/memory.oom_control`
    if (controllers === "" && line.startsWith("0:") && path !== "/") return `/sys/fs/cgroup${path}/memory.events`
  }
  return undefined
}

/** Kills since the cgroup was made, that is since the start. */
export const oomKills = (containerId: string, hostPid: number): number | undefined => {
  const cgroup = cgroupOf(containerId, hostPid)
  const path = cgroup === undefined ? undefined : killCounterPath(cgroup)
  const count = path === undefined ? undefined : /^oom_kill (\d+)$/m.exec(readText(path) ?? "")?.[1]
  return count === undefined ? undefined : Number(count)
}

/** Percent of the bytes at `path` inside, which is a mount point there and so no link to elsewhere. */
export const workspaceUse = (containerId: string, hostPid: number, path: string): number | undefined => {
  if (cgroupOf(containerId, hostPid) === undefined) return undefined
  try {
    const { blocks, bavail, bfree } = fs.statfsSync(`/proc/${hostPid}/root${path}`)
    const used = blocks - bfree
    return used + bavail === 0 ? undefined : (100 * used) / (used + bavail)
  } catch {
    return undefined
  }
}
