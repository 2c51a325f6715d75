/**
 * The limits and peaks that the kernel shows inside a sandbox, cgroup v1 or v2 (kernel documentation: admin-guide/cgroup-v1,
 * cgroup-v2). Absent means that the kernel does not show it; an absent limit is never taken for an unlimited one.
 */
export interface CgroupReading {
  /** Infinity = no limit. */
  readonly memoryLimitBytes: number | undefined
  readonly memoryPeakBytes: number | undefined
  /** Cores; Infinity = no limit. */
  readonly cpus: number | undefined
  readonly pidsLimit: number | undefined
  readonly pidsPeak: number | undefined
  readonly openFiles: number | undefined
}

const files = [
  "memory/memory.limit_in_bytes",
  "memory/memory.max_usage_in_bytes",
  "cpu/cpu.cfs_quota_us",
  "cpu/cpu.cfs_period_us",
  "pids/pids.max",
  "memory.max",
  "memory.peak",
  "cpu.max",
  "pids.max",
  "pids.peak"
]

/** Prints `<file> <content>` a line; needs a POSIX shell with `read`, no other program. */
export const script = `cd /sys/fs/cgroup && for f in ${files.join(" ")}; do if [ -r "$f" ] && read -r v < "$f"; then echo "$f $v"; fi; done; echo "nofile $(ulimit -n)"`

/** cgroup v1 says "no limit" with the largest page-aligned number. */
const unlimitedV1 = 2 ** 62

export const parseReading = (text: string): CgroupReading => {
  const values = new Map<string, string>()
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ")
    if (space > 0) values.set(line.slice(0, space), line.slice(space + 1).trim())
  }
  const number = (...names: ReadonlyArray<string>): number | undefined => {
    const value = names.map((name) => values.get(name)).find((found) => found !== undefined)
    if (value === undefined) return undefined
    if (value === "max" || value === "unlimited") return Number.POSITIVE_INFINITY
    const parsed = /^-?\d+$/.test(value) ? Number(value) : undefined
    return parsed !== undefined && parsed >= unlimitedV1 ? Number.POSITIVE_INFINITY : parsed
  }
  return {
    memoryLimitBytes: number("memory.max", "memory/memory.limit_in_bytes"),
    memoryPeakBytes: number("memory.peak", "memory/memory.max_usage_in_bytes"),
    cpus: coresV2(values.get("cpu.max")) ?? coresV1(number("cpu/cpu.cfs_quota_us"), number("cpu/cpu.cfs_period_us")),
    pidsLimit: number("pids.max", "pids/pids.max"),
    pidsPeak: number("pids.peak"),
    openFiles: number("nofile")
  }
}

/** `<quota|max> <period>`. */
const coresV2 = (value: string | undefined): number | undefined => {
  const [quota, period] = value?.split(" ") ?? []
  if (quota === "max") return Number.POSITIVE_INFINITY
  return quota === undefined || period === undefined ? undefined : Number(quota) / Number(period)
}

/** Quota -1 is no limit. */
const coresV1 = (quota: number | undefined, period: number | undefined): number | undefined => {
  if (quota === undefined || period === undefined) return undefined
  return quota < 0 ? Number.POSITIVE_INFINITY : quota / period
}
