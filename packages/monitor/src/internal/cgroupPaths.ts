/**
 * Where this machine shows a container's cgroup: from cgroups(7) `/proc/<pid>/cgroup` and our own mountinfo, per controller, version 1,
 * version 2 or both (hybrid). Pure. Refuses a process that is not visibly the container's.
 */

export type Controller = "cpu" | "cpuacct" | "memory" | "pids" | "blkio"

export interface CgroupDirectory {
  readonly version: 1 | 2
  readonly path: string
}

export type CgroupDirectories = { readonly [C in Controller]: CgroupDirectory | undefined }

export interface Mounted {
  /** What part of the file system is mounted; `/` is all of it. */
  readonly root: string
  readonly target: string
  /** `<major>:<minor>`. */
  readonly device: string
  readonly options: ReadonlyArray<string>
  readonly type: string
  readonly superOptions: ReadonlyArray<string>
}

/** Lines of proc_pid_mountinfo(5); what is not one is left out. Space, tab, newline and backslash come as `\040` and so on. */
export const parseMounts = (mountinfo: string): ReadonlyArray<Mounted> =>
  mountinfo.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ")
    const [, , device, root, target, options] = before?.split(" ") ?? []
    const [type, , superOptions] = after?.split(" ") ?? []
    if (device === undefined || root === undefined || target === undefined || type === undefined) return []
    return [
      {
        root: unescape(root),
        target: unescape(target),
        device,
        options: options?.split(",") ?? [],
        type,
        superOptions: superOptions?.split(",") ?? []
      }
    ]
  })

const unescape = (path: string): string =>
  path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The path without what is below the container's own cgroup, where it made cgroups in itself; absent for another one's. */
const ownPath = (path: string, containerId: string): string | undefined => {
  const parts = path.split("/")
  const own = parts.findIndex((part) => part.includes(containerId))
  return own < 0 || parts.includes("..") ? undefined : parts.slice(0, own + 1).join("/")
}

const directoryIn = (mounts: ReadonlyArray<Mounted>, version: 1 | 2, path: string): CgroupDirectory | undefined => {
  for (const { root, target } of mounts) {
    if (root === "/") return { version, path: target + path }
    if (path.startsWith(`${root}/`)) return { version, path: target + path.slice(root.length) }
  }
  return undefined
}

/** The directories of the container whose process has this `/proc/<pid>/cgroup`; absent when it names another or none. */
export const locate = (
  containerId: string,
  cgroup: string,
  mounts: ReadonlyArray<Mounted>
): CgroupDirectories | undefined => {
  const lines = cgroup.split("\n").flatMap((line) => {
    const [hierarchy, controllers, ...rest] = line.split(":")
    const path = ownPath(rest.join(":"), containerId)
    return path === undefined ? [] : [{ hierarchy, controllers: controllers?.split(",") ?? [], path }]
  })
  if (lines.length === 0) return undefined
  const unified = lines.find((line) => line.hierarchy === "0")
  const directory = (controller: Controller): CgroupDirectory | undefined => {
    const line = lines.find(({ controllers }) => controllers.includes(controller))
    if (line !== undefined) {
      const of = ({ superOptions, type }: Mounted) => type === "cgroup" && superOptions.includes(controller)
      return directoryIn(mounts.filter(of), 1, line.path)
    }
    return unified === undefined
      ? undefined
      : directoryIn(
          mounts.filter(({ type }) => type === "cgroup2"),
          2,
          unified.path
        )
  }
  return {
    cpu: directory("cpu"),
    cpuacct: directory("cpuacct"),
    memory: directory("memory"),
    pids: directory("pids"),
    blkio: directory("blkio")
  }
}
