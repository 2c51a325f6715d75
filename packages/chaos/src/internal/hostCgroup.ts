/**
 * A container's cgroup v1 directories on this machine: cpu accounting, processes, and what is left when they should be gone.
 * An adapter: synchronous reads of /proc and /sys/fs/cgroup. Absent where the engine is not local.
 */
import * as fs from "node:fs"

const root = "/sys/fs/cgroup"

export interface CpuTimes {
  readonly usageNanos: number
  readonly periods: number
  readonly throttledPeriods: number
}

const text = (path: string): string | undefined => {
  try {
    return fs.readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

/**
 * Path of the container's cgroup below the root of every v1 hierarchy, e.g. `/docker/<id>`. Absent unless all hierarchies
 * agree and the path names the container: a guess would put a sidecar elsewhere.
 */
export const pathOf = (containerId: string, hostPid: number | undefined): string | undefined => {
  const lines = hostPid === undefined ? undefined : text(`/proc/${hostPid}/cgroup`)?.trim().split("\n")
  const version1 = lines?.filter((line) => !line.startsWith("0::")) ?? []
  const paths = new Set(version1.map((line) => line.split(":").slice(2).join(":")))
  const [path] = paths
  return paths.size === 1 && path !== undefined && path.endsWith(`/${containerId}`) ? path : undefined
}

/** Cumulative times of a cgroup with everything below it. */
export const cpuTimes = (path: string): CpuTimes | undefined => {
  const usage = text(`${root}/cpuacct${path}/cpuacct.usage`)
  const stat = text(`${root}/cpu${path}/cpu.stat`)
  const field = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat ?? "")?.[1])
  return usage === undefined || stat === undefined
    ? undefined
    : { usageNanos: Number(usage), periods: field("nr_periods"), throttledPeriods: field("nr_throttled") }
}

const hierarchies = (): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(root).map((name) => `${root}/${name}`)
  } catch {
    return []
  }
}

const directories = (path: string): ReadonlyArray<string> =>
  hierarchies()
    .map((hierarchy) => hierarchy + path)
    .filter((directory) => fs.existsSync(directory))

/** Host pids in a cgroup of any hierarchy. */
export const processes = (path: string): ReadonlyArray<number> => {
  const pids = directories(path).flatMap((directory) => text(`${directory}/cgroup.procs`)?.split("\n") ?? [])
  return [...new Set(pids.filter((pid) => pid !== "").map(Number))]
}

/** True while any hierarchy has the directory. */
export const exists = (path: string): boolean => directories(path).length > 0

/**
 * Removes directories that nothing lives in; the kernel refuses others. A container that is removed while another one is
 * nested in its cgroup leaves its own directories behind (runc 1.1, cgroup v1).
 */
export const removeEmpty = (path: string): void => {
  for (const directory of directories(path)) {
    try {
      fs.rmdirSync(directory)
    } catch {
      // Not empty, or already gone: `exists` tells.
    }
  }
}
