/**
 * What costs more than a counter: open files, bounded mounts, and the writable layer of a container of this machine. Never a part of a
 * number: one process or directory that may not be read makes the whole absent.
 */
import * as Effect from "effect/Effect"
import type { DetailMetric } from "../ContainerSampler.ts"
import type { Absence, Measured } from "../Sample.ts"
import type { Mounted } from "./cgroupPaths.ts"
import { parseMounts } from "./cgroupPaths.ts"
import type { Located } from "./cgroupReading.ts"
import type { HostFiles } from "./hostFiles.ts"
import { isUnreadable } from "./hostFiles.ts"
import { treeBlocks } from "./treeBlocks.ts"

export type Details = { readonly [K in DetailMetric]?: Measured }

const refusal = (code: string): Absence =>
  code === "EACCES" || code === "EPERM" ? "permission-denied" : "not-reported"

/** Beyond this many processes their files are not counted: 4,096 take about 20 ms. */
const mostProcesses = 4096

/**
 * Since Linux 6.2 the size of `/proc/<pid>/fd` is the number of open files (proc_pid_fd(5)); before, it is 0 and the directory is
 * listed. A process that ended meanwhile has none.
 */
const openFiles = (files: HostFiles, processes: ReadonlySet<number> | Absence): Measured => {
  if (typeof processes === "string") return processes
  if (processes.size > mostProcesses) return "too-costly"
  let total = 0
  for (const pid of processes) {
    const path = `/proc/${pid}/fd`
    const stat = files.stat(path)
    if (!isUnreadable(stat) && stat.size > 0) total += stat.size
    else {
      const listed = files.list(path)
      if (!isUnreadable(listed)) total += listed.names.length
      else if (listed.code !== "ENOENT" && listed.code !== "ESRCH") return refusal(listed.code)
    }
  }
  return total
}

/** Major number of loop devices (kernel documentation: admin-guide/devices.txt). */
const loopMajor = "7:"

/** Writable, the container's alone and of a size of its own. What is in /dev comes with every container. */
const isBounded = ({ device, options, root, superOptions, target, type }: Mounted): boolean =>
  options.includes("rw") &&
  root === "/" &&
  target !== "/dev" &&
  !target.startsWith("/dev/") &&
  ((type === "tmpfs" && superOptions.some((option) => option.startsWith("size="))) || device.startsWith(loopMajor))

/** Of every such file system once, however often it is mounted. Absent where there is none. */
const mountUse = (files: HostFiles, hostPid: number, mounts: ReadonlyArray<Mounted>) => {
  const absent = (reason: Absence) => ({ mountUsedBytes: reason, mountLimitBytes: reason })
  const bounded = new Map(mounts.filter(isBounded).map((mount) => [mount.device, mount.target]))
  if (bounded.size === 0) return absent("no-limit")
  let mountUsedBytes = 0
  let mountLimitBytes = 0
  for (const target of bounded.values()) {
    // A mount point of the container cannot be a link to elsewhere.
    const usage = files.usage(`/proc/${hostPid}/root${target}`)
    if (isUnreadable(usage)) return absent(refusal(usage.code))
    mountUsedBytes += usage.usedBytes
    mountLimitBytes += usage.totalBytes
  }
  return { mountUsedBytes, mountLimitBytes }
}

/**
 * The upper directory of the container's root, an overlay, as the parent of its first process sees it: the engine may live in a mount
 * namespace of its own. Absent with other storage drivers.
 */
const upperDirectory = ({ identity }: Located, mounts: ReadonlyArray<Mounted>): string | undefined => {
  const root = mounts.find(({ target, type }) => target === "/" && type === "overlay")
  const upper = root?.superOptions.find((option) => option.startsWith("upperdir="))?.slice("upperdir=".length)
  return upper === undefined || !upper.startsWith("/") ? undefined : `/proc/${identity.parent}/root${upper}`
}

/** Open files and mounts always; the writable layer where asked for. */
export const readDetails = Effect.fnUntraced(function* (
  files: HostFiles,
  located: Located,
  processes: ReadonlySet<number> | Absence,
  writableLayer: boolean
): Effect.fn.Return<Details> {
  const text = files.readAll(`/proc/${located.hostPid}/mountinfo`)
  const open = openFiles(files, processes)
  if (isUnreadable(text)) {
    const reason = refusal(text.code)
    return { openFiles: open, mountUsedBytes: reason, mountLimitBytes: reason, writableLayerBytes: reason }
  }
  const mounts = parseMounts(text)
  const upper = upperDirectory(located, mounts)
  const layer = !writableLayer ? "not-requested" : upper === undefined ? "not-reported" : yield* treeBlocks(upper)
  return { openFiles: open, ...mountUse(files, located.hostPid, mounts), writableLayerBytes: layer }
})
