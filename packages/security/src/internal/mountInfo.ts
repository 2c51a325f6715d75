/** /proc/self/mountinfo as proc_pid_mountinfo(5) describes it; lines that do not fit are dropped. */
import * as Result from "effect/Result"
import type { Evidence, Reading } from "../Evidence.ts"
import { text } from "../Evidence.ts"
import { notRun } from "../CheckVerdict.ts"
import { readText } from "../Probe.ts"

export interface MountEntry {
  /** The path within the mounted file system that is shown here; `/` unless bound. */
  readonly root: string
  readonly target: string
  readonly options: ReadonlyArray<string>
  readonly type: string
  readonly source: string
  /** Options of the file system itself, e.g. `size=65536k`. */
  readonly superOptions: ReadonlyArray<string>
}

export const mountInfoProbe = readText("/proc/self/mountinfo")

const unescape = (path: string): string =>
  path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const parseLine = (line: string): ReadonlyArray<MountEntry> => {
  const [left, right] = line.split(" - ")
  const [, , , root, target, options] = left?.split(" ") ?? []
  const [type, source, superOptions] = right?.split(" ") ?? []
  if (root === undefined || target === undefined || options === undefined || type === undefined) return []
  return [
    {
      root: unescape(root),
      target: unescape(target),
      options: options.split(","),
      type,
      source: source ?? "",
      superOptions: superOptions?.split(",") ?? []
    }
  ]
}

const parseMountInfo = (lines: ReadonlyArray<string>): ReadonlyArray<MountEntry> => lines.flatMap(parseLine)

/** The mounts that the probe sees; `NotRun` when there is not even a root. */
export const mounts = (evidence: Evidence): Reading<ReadonlyArray<MountEntry>> =>
  Result.flatMap(text(evidence, mountInfoProbe), (lines) => {
    const entries = parseMountInfo(lines)
    return entries.some((entry) => entry.target === "/")
      ? Result.succeed(entries)
      : Result.fail(notRun("mountinfo shows no root"))
  })

/** The mount that is visible at exactly this path: the last one made there. */
export const mountAt = (entries: ReadonlyArray<MountEntry>, target: string): MountEntry | undefined =>
  entries.findLast((entry) => entry.target === target)

export const isReadOnly = (entry: MountEntry): boolean =>
  entry.options.includes("ro") || entry.superOptions.includes("ro")

/** `size=64k` of a tmpfs in bytes; undefined when it has no bound of its own. */
export const sizeOf = (entry: MountEntry): number | undefined => {
  const [, digits, unit] =
    /^size=(\d+)([kmg]?)$/.exec(entry.superOptions.find((o) => o.startsWith("size=")) ?? "") ?? []
  if (digits === undefined) return undefined
  return Number(digits) * ({ k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit ?? ""] ?? 1)
}

/** `path (type)` for evidence. */
export const show = (entry: MountEntry): string =>
  `${entry.target} (${entry.type}${entry.root === "/" ? "" : ` from ${entry.root}`})`

const pseudo = new Set([
  "bpf",
  "cgroup",
  "cgroup2",
  "configfs",
  "debugfs",
  "devpts",
  "devtmpfs",
  "efivarfs",
  "mqueue",
  "proc",
  "pstore",
  "securityfs",
  "sysfs",
  "tmpfs",
  "tracefs"
])

/** True for file systems that store nothing on a disk of the host. */
export const isPseudo = (entry: MountEntry): boolean => pseudo.has(entry.type)
