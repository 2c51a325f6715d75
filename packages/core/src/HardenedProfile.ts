/**
 * The container settings of a sandbox: everything closed, then each loosening of the spec opened, field by field.
 * The only place that knows both; proved against the engine's inspect and from inside by the security package.
 */
import type { ContainerSpec, HostSettings, Mount, Ulimit } from "@sbx/engine/ContainerSpec"
import { toNanoCpus } from "./CpuLimit.ts"
import type { Loosening, SandboxSpec } from "./SandboxSpec.ts"
import { hardenedJson } from "./SeccompProfile.ts"

/** What is known only when the container is made. */
export interface ContainerContext {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Leased, numeric; also the group. */
  readonly uid: number
  /** Name of the workspace's volume, already bounded and owned by `uid`. */
  readonly volume: string
  /** What the volume is made with, where it is the container's create that makes it. */
  readonly volumeCreate?: {
    readonly labels: Readonly<Record<string, string>>
    readonly driverOptions: Readonly<Record<string, string>>
  }
  /** Swappiness exists on v1 only; v2 engines reject it. */
  readonly cgroupVersion: "1" | "2" | "unknown"
}

/** The engine's own list (moby `oci/defaults.go`) and what else tells about the host; absent paths are skipped by the runtime. */
export const maskedPaths: ReadonlyArray<string> = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
  "/proc/interrupts",
  "/proc/kallsyms",
  "/proc/modules",
  "/proc/config.gz",
  "/proc/key-users",
  "/proc/slabinfo",
  "/proc/vmallocinfo",
  "/proc/diskstats",
  "/proc/partitions",
  "/proc/cmdline",
  "/sys/devices/virtual/dmi"
]

/** The engine's own list. */
export const readonlyPaths: ReadonlyArray<string> = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger"
]

const noNewPrivileges = "no-new-privileges:true"

/** The container to create for `spec`; pure. */
export const containerSpec = (spec: SandboxSpec, context: ContainerContext): ContainerSpec => {
  const open = spec.loosening
  const isolated = spec.network === "none" && open.hostNetwork !== true
  return {
    name: context.name,
    image: spec.image,
    // As entrypoint, so that the image's own cannot come in between.
    entrypoint: spec.command,
    env: { HOME: spec.workspace.path, TMPDIR: spec.workspace.path, ...spec.env },
    labels: { ...spec.labels, ...context.labels },
    user: open.user ?? `${context.uid}:${context.uid}`,
    workingDir: spec.workingDir,
    // The engine refuses a host name together with the host's UTS namespace.
    ...(open.hostUts === true ? {} : { hostname: spec.hostname }),
    stopSignal: "SIGTERM",
    stopTimeoutSeconds: Math.ceil(spec.stopGraceMillis / 1000),
    networkDisabled: isolated,
    openStdin: false,
    healthcheck: "none",
    host: {
      ...boundary(open),
      ...namespaces(spec),
      ...limits(spec, context),
      ...storage(spec, context),
      init: true,
      restartPolicy: { name: "no" },
      // Evidence is read before the removal, which is explicit.
      autoRemove: false,
      logConfig: { type: "local", config: { "max-size": "1m", "max-file": "2" } }
    }
  }
}

const boundary = (open: Loosening): HostSettings => ({
  privileged: open.privileged === true,
  readOnlyRoot: open.writableRoot !== true,
  capDrop: open.defaultCapabilities === true ? [] : ["ALL"],
  capAdd: open.capabilities ?? [],
  securityOpt: [...(open.newPrivileges === true ? [] : [noNewPrivileges]), ...seccomp(open.seccomp)],
  maskedPaths: open.unmaskedPaths === true ? [] : maskedPaths,
  readonlyPaths: open.unmaskedPaths === true ? [] : readonlyPaths,
  devices: [],
  deviceCgroupRules: [],
  groupAdd: []
})

const seccomp = (choice: Loosening["seccomp"]): ReadonlyArray<string> => {
  if (choice === undefined) return [`seccomp=${hardenedJson}`]
  if (choice === "engine-default") return []
  return [choice === "unconfined" ? "seccomp=unconfined" : `seccomp=${choice.profile}`]
}

const namespaces = (spec: SandboxSpec): HostSettings => {
  const open = spec.loosening
  return {
    networkMode: open.hostNetwork === true ? "host" : spec.network,
    ipcMode: open.hostIpc === true ? "host" : "private",
    cgroupnsMode: open.hostCgroupns === true ? "host" : "private",
    ...(open.hostPid === true ? { pidMode: "host" } : {}),
    ...(open.hostUts === true ? { utsMode: "host" } : {}),
    // Nothing resolves without a network; the address keeps the host's resolver out of resolv.conf.
    ...(open.hostNetwork !== true && spec.network === "none" ? { dns: ["127.0.0.1"] } : {}),
    // No ICMP sockets for anybody; the engine refuses network sysctls in the host's namespace.
    sysctls: open.hostNetwork === true ? {} : { "net.ipv4.ping_group_range": "1 0" }
  }
}

const limits = (spec: SandboxSpec, context: ContainerContext): HostSettings => {
  const open = spec.loosening
  const { memoryBytes, pids, cpus, shmBytes } = spec.limits
  return {
    ...(open.noMemoryLimit === true ? {} : { memoryBytes, memorySwapBytes: memoryBytes }),
    ...(open.noMemoryLimit !== true && context.cgroupVersion === "1" ? { memorySwappiness: 0 } : {}),
    oomKillDisable: false,
    // The sandbox dies before its host's processes do.
    oomScoreAdj: 500,
    ...(open.noPidsLimit === true ? {} : { pidsLimit: pids }),
    // Half the host's default share: under contention the host's own work goes first.
    ...(open.noCpuLimit === true ? {} : { nanoCpus: toNanoCpus(cpus), cpuShares: 512 }),
    ulimits: open.noUlimits === true ? [] : ulimits(spec),
    shmSizeBytes: shmBytes
  }
}

const ulimit = (name: string, value: number): Ulimit => ({ name, soft: value, hard: value })

/** No `nproc`: it counts per uid over all containers; the pids cgroup does that job. */
const ulimits = (spec: SandboxSpec): ReadonlyArray<Ulimit> => [
  ulimit("nofile", spec.limits.openFiles),
  ulimit("core", 0),
  // Above what the workspace holds: a full one is then ENOSPC, which programs handle, and not SIGXFSZ, which ends them.
  ulimit("fsize", 2 * spec.limits.diskBytes),
  ulimit("memlock", 64 * 1024),
  ulimit("msgqueue", 0),
  ulimit("sigpending", 256),
  ulimit("rtprio", 0),
  ulimit("nice", 0)
]

const storage = (spec: SandboxSpec, context: ContainerContext): HostSettings => ({
  tmpfs: { "/tmp": `rw,nosuid,nodev,noexec,size=${spec.limits.tmpBytes},nr_inodes=4096,mode=1777` },
  mounts: [
    // NoCopy: the engine would else copy the image's files into an empty volume.
    {
      kind: "volume",
      source: context.volume,
      target: spec.workspace.path,
      noCopy: true,
      ...(context.volumeCreate === undefined ? {} : { create: context.volumeCreate })
    },
    ...(spec.loosening.binds ?? []).map((bind): Mount => ({
      kind: "bind",
      source: bind.source,
      target: bind.target,
      readOnly: !bind.writable,
      propagation: "rprivate"
    }))
  ]
})
