/**
 * One reading of a container out of its cgroup's files (v1 or v2, per controller) and /proc/<pid>/net/dev: about 10 small files, 0.07 ms
 * where they are kept open, no engine call. Refuses what belongs to another life of the container: the process it was found by has to live before and after.
 */
import type { ContainerStats, CpuReading, MemoryReading } from "@sbx/engine/Engine"
import type { Clock } from "effect/Clock"
import * as os from "node:os"
import type { ContainerMetric, ContainerReading } from "../ContainerSampler.ts"
import type { Absence, Measured } from "../Sample.ts"
import type { CgroupDirectories, CgroupDirectory } from "./cgroupPaths.ts"
import * as Texts from "./cgroupTexts.ts"
import type { HostFiles, Unreadable } from "./hostFiles.ts"
import { isUnreadable } from "./hostFiles.ts"
import type { LifeFiles } from "./keptFiles.ts"

/** A running container as this machine shows it. Holds for one life: a restart has another process. */
export interface Located {
  readonly containerId: string
  readonly hostPid: number
  readonly identity: Texts.ProcessIdentity
  readonly directories: CgroupDirectories
  /** False where it shares the engine's network namespace, whose counters are not its own. */
  readonly ownNetwork: boolean
}

type Times = Pick<Clock, "currentTimeMillisUnsafe" | "monotonicTimeNanosUnsafe">

/** What changes only by an `update` of the container. */
export interface Limits {
  readonly cpuCores: number | undefined
  /** Version 2; version 1 tells it with its statistics. */
  readonly memoryBytes: number | undefined
  readonly pids: number | undefined
  readonly reasons: Reasons
}

export interface Read {
  readonly reading: ContainerReading
  readonly limits: Limits
  /** Host pids of its live processes. */
  readonly processes: ReadonlySet<number> | Absence
}

type Reasons = { [K in ContainerMetric]?: Absence }

/** Texts of one reading; what may not be read is put down as the reason of the metrics that it is for. */
interface Reader {
  readonly text: (
    directory: CgroupDirectory | undefined,
    names: { readonly 1: string | undefined; readonly 2: string | undefined },
    metrics: ReadonlyArray<ContainerMetric>
  ) => string | undefined
  /** Of a file that may not be kept open. */
  readonly plain: (path: string, metrics: ReadonlyArray<ContainerMetric>) => string | undefined
  readonly reasons: Reasons
  /** `<path>: <errno>` of what was there no more, or not to be read. */
  readonly failures: Array<string>
}

const readerOf = (files: HostFiles, read: LifeFiles["read"]): Reader => {
  const reasons: Reasons = {}
  const failures: Array<string> = []
  const refuse = (path: string, { code }: Unreadable, metrics: ReadonlyArray<ContainerMetric>) => {
    failures.push(`${path}: ${code}`)
    if (code === "EACCES" || code === "EPERM") for (const metric of metrics) reasons[metric] = "permission-denied"
    return undefined
  }
  return {
    reasons,
    failures,
    plain: (path, metrics) => {
      const found = files.read(path)
      return isUnreadable(found) ? refuse(path, found, metrics) : found
    },
    text: (directory, names, metrics) => {
      const name = directory === undefined ? undefined : names[directory.version]
      if (directory === undefined || name === undefined) return undefined
      const found = read(directory.path, name)
      return isUnreadable(found) ? refuse(`${directory.path}/${name}`, found, metrics) : found
    }
  }
}

/** The process of that pid, where it is the one that was found. */
const isAlive = (life: LifeFiles, { hostPid, identity }: Located): boolean => {
  const stat = life.read(`/proc/${hostPid}`, "stat")
  return !isUnreadable(stat) && Texts.identity(stat)?.startTime === identity.startTime
}

/** The container's limits as the kernel has them. */
const readLimits = (files: HostFiles, { cpu, memory, pids }: CgroupDirectories): Limits => {
  const reader = readerOf(files, (directory, name) => files.read(`${directory}/${name}`))
  return {
    cpuCores: readQuota(reader, cpu),
    memoryBytes: optional(
      reader.text(memory, { 1: undefined, 2: "memory.max" }, ["memoryLimitBytes", "memoryPercentOfLimit"]),
      Texts.number
    ),
    pids: finite(optional(reader.text(pids, { 1: "pids.max", 2: "pids.max" }, ["pidsLimit"]), Texts.number)),
    reasons: reader.reasons
  }
}

/** `gone` when the process it was found by lives no more; `unreadable`, with why, when this process may not see cpu or memory. */
export const readContainer = (
  files: HostFiles,
  life: LifeFiles,
  located: Located,
  times: Times,
  knownLimits?: Limits
): Read | "gone" | { readonly unreadable: string } => {
  const { containerId, directories, hostPid, identity, ownNetwork } = located
  const reader = readerOf(files, life.read)
  const limits = knownLimits ?? readLimits(files, directories)
  const monotonicNanos = times.monotonicTimeNanosUnsafe()
  life.begin(monotonicNanos)
  const cpu = readCpu(reader, directories)
  const stats: ContainerStats = {
    containerId,
    readAtMillis: times.currentTimeMillisUnsafe(),
    cpu,
    memory: readMemory(reader, directories.memory, limits),
    pids: readPids(reader, directories.pids, limits),
    network: ownNetwork ? readNetwork(reader, hostPid) : undefined,
    blockIo: readBlockIo(reader, directories.blkio)
  }
  const memoryOomKills = readOomKills(reader, directories.memory)
  const { processes, threads } = readTasks(files, life, located, stats.pids?.current)
  // Last: what was read above was read while the process lived, so of this life of the container.
  if (!isAlive(life, located)) return "gone"
  if (stats.cpu === undefined || stats.memory === undefined)
    return { unreadable: reader.failures[0] ?? "no cpu or memory controller" }
  return {
    reading: {
      stats,
      cpuLimitCores: limits.cpuCores,
      source: "cgroup",
      monotonicNanos,
      incarnation: `${hostPid}/${identity.startTime}`,
      details: { memoryOomKills, processes: typeof processes === "string" ? processes : processes.size, threads },
      reasons: { ...limits.reasons, ...reader.reasons }
    },
    limits,
    processes
  }
}

const finite = (value: number | undefined) => (value === Number.POSITIVE_INFINITY ? undefined : value)
const optional = <A>(text: string | undefined, read: (text: string) => A) =>
  text === undefined ? undefined : read(text)

const throttling = ["cpuThrottledMillis", "cpuThrottledPeriods"] as const

const readCpu = (reader: Reader, { cpu, cpuacct }: CgroupDirectories): CpuReading | undefined => {
  // Version 2 has both in one file.
  const usage = reader.text(cpuacct, { 1: "cpuacct.usage", 2: "cpu.stat" }, [])
  if (usage === undefined) return undefined
  const usageMicros = cpuacct?.version === 2 ? Texts.field(usage, "usage_usec") : undefined
  const usageNanos = cpuacct?.version === 2 ? optionalTimes(usageMicros, 1000) : Texts.number(usage)
  if (usageNanos === undefined) return undefined
  const stat =
    cpu?.version === 2 && cpuacct?.version === 2
      ? usage
      : reader.text(cpu, { 1: "cpu.stat", 2: "cpu.stat" }, throttling)
  return {
    usageNanos,
    systemNanos: undefined,
    onlineCpus: undefined,
    throttledPeriods: optional(stat, (text) => Texts.field(text, "nr_throttled")),
    throttledNanos: optional(stat, (text) =>
      cpu?.version === 2
        ? optionalTimes(Texts.field(text, "throttled_usec"), 1000)
        : Texts.field(text, "throttled_time")
    )
  }
}

const optionalTimes = (value: number | undefined, factor: number) => (value === undefined ? undefined : value * factor)

const readQuota = (reader: Reader, cpu: CgroupDirectory | undefined): number | undefined => {
  const metrics = ["cpuLimitCores", "cpuPercentOfLimit"] as const
  if (cpu?.version === 2)
    return finite(optional(reader.text(cpu, { 1: undefined, 2: "cpu.max" }, metrics), Texts.coresOfMax))
  const quota = reader.text(cpu, { 1: "cpu.cfs_quota_us", 2: undefined }, metrics)
  if (quota === undefined || quota.startsWith("-")) return undefined
  const period = reader.text(cpu, { 1: "cpu.cfs_period_us", 2: undefined }, metrics)
  return finite(optional(period, (text) => Texts.coresOfQuota(quota, text)))
}

/** A limit of all memory or more is none. Asked once: it costs a read of /proc/meminfo. */
const hostMemoryBytes = os.totalmem()

const readMemory = (reader: Reader, memory: CgroupDirectory | undefined, limits: Limits): MemoryReading | undefined => {
  const usage = reader.text(memory, { 1: "memory.usage_in_bytes", 2: "memory.current" }, [])
  if (usage === undefined) return undefined
  const stat = reader.text(memory, { 1: "memory.stat", 2: "memory.stat" }, ["memoryBytes", "memoryPercentOfLimit"])
  const peak = reader.text(memory, { 1: "memory.max_usage_in_bytes", 2: "memory.peak" }, ["memoryPeakBytes"])
  // Version 1 tells the limit in force, of the cgroup and all above it, with the statistics.
  const limit =
    memory?.version === 1
      ? optional(stat, (text) => Texts.field(text, "hierarchical_memory_limit"))
      : limits.memoryBytes
  return {
    usageBytes: Texts.number(usage),
    inactiveFileBytes: optional(stat, (text) =>
      Texts.field(text, memory?.version === 1 ? "total_inactive_file" : "inactive_file")
    ),
    limitBytes: limit !== undefined && limit >= hostMemoryBytes ? undefined : limit,
    maxUsageBytes: optional(peak, Texts.number)
  }
}

const readPids = (reader: Reader, pids: CgroupDirectory | undefined, limits: Limits): ContainerStats["pids"] => {
  const current = reader.text(pids, { 1: "pids.current", 2: "pids.current" }, ["pids"])
  return current === undefined ? undefined : { current: Texts.number(current), limit: limits.pids }
}

const readNetwork = (reader: Reader, hostPid: number): ContainerStats["network"] =>
  optional(
    reader.plain(`/proc/${hostPid}/net/dev`, [
      "networkRxBytes",
      "networkTxBytes",
      "networkRxBytesPerSecond",
      "networkTxBytesPerSecond"
    ]),
    Texts.interfaces
  )

const readBlockIo = (reader: Reader, blkio: CgroupDirectory | undefined): ContainerStats["blockIo"] => {
  const metrics = ["blockReadBytes", "blockWriteBytes", "blockReadBytesPerSecond", "blockWriteBytesPerSecond"] as const
  const text = reader.text(blkio, { 1: "blkio.throttle.io_service_bytes_recursive", 2: "io.stat" }, metrics)
  return optional(text, blkio?.version === 2 ? Texts.blockIoV2 : Texts.blockIoV1)
}

const readOomKills = (reader: Reader, memory: CgroupDirectory | undefined): Measured =>
  optional(reader.text(memory, { 1: "memory.oom_control", 2: "memory.events" }, ["memoryOomKills"]), (text) =>
    Texts.field(text, "oom_kill")
  ) ?? "not-reported"

/** Beyond this many cgroups of its own inside one container its processes are not counted. */
const mostNested = 64

/** A container's cgroup and those that it made in itself; `too-costly` where they are too many. */
const nested = (files: HostFiles, path: string): ReadonlyArray<string> | "too-costly" => {
  const found = [path]
  for (let at = 0; at < found.length; at++) {
    const directory = found[at] ?? path
    const stat = files.stat(directory)
    if (isUnreadable(stat) || stat.links <= 2) continue
    const listed = files.list(directory)
    if (isUnreadable(listed)) continue
    for (const name of listed.names) {
      const child = files.stat(`${directory}/${name}`)
      if (!isUnreadable(child) && child.links >= 2) found.push(`${directory}/${name}`)
    }
    if (found.length > mostNested) return "too-costly"
  }
  return found
}

/** Ids in the files of that name; `read` reads those of the container's own cgroup. */
const collect = (
  files: HostFiles,
  read: LifeFiles["read"] | undefined,
  paths: ReadonlyArray<string>,
  name: string
): ReadonlySet<number> | Absence => {
  const all = new Set<number>()
  for (const [index, path] of paths.entries()) {
    const text = index === 0 && read !== undefined ? read(path, name) : files.read(`${path}/${name}`)
    if (isUnreadable(text)) {
      if (text.code === "EACCES") return "permission-denied"
      // One that the container made in itself may go at any time; its own may not.
      if (index === 0 || text.code !== "ENOENT") return "not-reported"
    } else for (const id of Texts.ids(text)) all.add(id)
  }
  return all
}

/** Host pids of the container's live processes, and the number of their threads; the dead that were not reaped are in neither. */
const readTasks = (
  files: HostFiles,
  life: LifeFiles,
  { directories: { memory, pids }, hostPid }: Located,
  tasks: number | undefined
): { readonly processes: ReadonlySet<number> | Absence; readonly threads: Measured } => {
  const directory = pids ?? memory
  if (directory === undefined) return { processes: "not-reported", threads: "not-reported" }
  // The kernel counts what is below too: a single task is that of the process that the container was found by, which has to live.
  if (tasks === 1) return { processes: new Set([hostPid]), threads: 1 }
  const paths = nested(files, directory.path)
  if (typeof paths === "string") return { processes: paths, threads: paths }
  // Version 1 shows a list of before for as long as somebody reads it through one descriptor.
  const read = directory.version === 1 ? undefined : life.read
  const processes = collect(files, read, paths, "cgroup.procs")
  // Every process has a thread and every thread is a task: as many tasks as processes leave no other number.
  if (typeof processes !== "string" && processes.size === tasks) return { processes, threads: processes.size }
  const threads = collect(files, read, paths, directory.version === 1 ? "tasks" : "cgroup.threads")
  return { processes, threads: typeof threads === "string" ? threads : threads.size }
}
