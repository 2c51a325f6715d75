/**
 * A machine's small files as they were read, in place of this machine's: version 1 texts were recorded from a container on Linux 6.18
 * (hybrid), version 2 texts are in the format of the kernel's documentation (admin-guide/cgroup-v2). A test changes them as it goes.
 */
import type { ContainerInspect } from "@sbx/engine/Engine"
import type { HostFiles } from "../src/internal/hostFiles.ts"
import { target } from "./readings.ts"

const fullId = "c0ffee".padEnd(64, "0")
export const hostPid = 8832

const v1 = "/sys/fs/cgroup"
const path = `/sbx-f52fd1d1efe7/${fullId}`

/** proc(5) stat with a command that tries to look like its end. */
export const statOf = (pid: number, startTime = 2_293_207, state = "S") =>
  `${pid} (a) Z 1 (b) ${state} 8813 8832 8832 0 -1 4194560 1135 0 0 0 0 1 0 0 20 0 1 0 ${startTime} 2322432 316 0\n`

const netDev = [
  "Inter-|   Receive                                                |  Transmit",
  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
  "    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0",
  "  eth0:     396       4    0    0    0     0          0         0       70       2    0    0    0     0       0          0",
  "  eth1:       4       1    0    0    0     0          0         0        5       1    0    0    0     0       0          0",
  ""
].join("\n")

const overlay =
  "116 83 0:46 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/data/l/A:/data/l/B,upperdir=/data/upper/diff,workdir=/data/upper/work"

const mountinfo = [
  overlay,
  "118 116 0:50 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755",
  "132 118 0:54 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k",
  "133 116 0:55 / /work\\040space rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,size=10240k",
  "134 116 7:3 / /volume rw,relatime - ext4 /dev/loop3 rw",
  "135 116 7:3 / /volume/again rw,relatime - ext4 /dev/loop3 rw",
  "136 116 7:4 / /sealed ro,relatime - ext4 /dev/loop4 ro",
  "137 116 254:0 /data/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw",
  "138 116 254:0 / /host rw,relatime - ext4 /dev/vda rw",
  "139 116 0:24 /part /run/part rw,nosuid - tmpfs tmpfs rw,size=800000k",
  "91 120 0:57 / /sys/firmware ro,relatime - tmpfs tmpfs ro",
  ""
].join("\n")

/** What a process of either version shows under /proc. */
const proc = (cgroup: string, selfMounts: string): ReadonlyArray<readonly [string, string]> => [
  ["/proc/self/mountinfo", selfMounts],
  [`/proc/${hostPid}/stat`, statOf(hostPid)],
  [`/proc/${hostPid}/cgroup`, cgroup],
  [`/proc/${hostPid}/net/dev`, netDev],
  [`/proc/${hostPid}/mountinfo`, mountinfo]
]

const controllers = ["cpu", "cpuacct", "memory", "pids", "blkio"]

const memoryStatV1 =
  "cache 21102592\nrss 61440\nmapped_file 57344\ninactive_anon 57344\nactive_anon 4096\ninactive_file 17\nactive_file 131072\nhierarchical_memory_limit 67108864\nhierarchical_memsw_limit 134217728\ntotal_cache 21102592\ntotal_rss 61440\ntotal_inactive_file 20971520\ntotal_active_file 131072\ntotal_unevictable 0\n"

export const recordedV1 = (): Map<string, string> =>
  new Map(
    [
      ...proc(
        [
          ...controllers.map((name, index) => `${index + 1}:${name}:${path}`),
          `9:name=systemd:${path}`,
          "0::/",
          ""
        ].join("\n"),
        [
          "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
          ...controllers.map(
            (name, index) => `${32 + index} 31 0:29 / ${v1}/${name} rw,relatime - cgroup cgroup rw,${name}`
          ),
          "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
        ].join("\n")
      ),
      ["cpu/cpu.stat", "nr_periods 17\nnr_throttled 15\nthrottled_time 718479318\nnr_bursts 0\nburst_time 0\n"],
      ["cpu/cpu.cfs_quota_us", "50000\n"],
      ["cpu/cpu.cfs_period_us", "100000\n"],
      ["cpuacct/cpuacct.usage", "815110044\n"],
      ["memory/memory.usage_in_bytes", "22278144\n"],
      ["memory/memory.max_usage_in_bytes", "23625728\n"],
      ["memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"],
      ["memory/memory.stat", memoryStatV1],
      ["pids/pids.current", "4\n"],
      ["pids/pids.max", "50\n"],
      ["pids/cgroup.procs", "8832\n8840\n8832\n"],
      ["pids/tasks", "8832\n8840\n8841\n"],
      [
        "blkio/blkio.throttle.io_service_bytes_recursive",
        "254:0 Read 4096\n254:0 Write 8192\n254:0 Total 12288\n7:3 Write 1\nTotal 12289\n"
      ]
    ].map(([name = "", text = ""]) => [name.startsWith("/") ? name : v1File(name), text] as const)
  )

/** `<controller>/<file>` in the container's version 1 cgroup. */
export const v1File = (name: string) => {
  const [controller, file] = name.split("/")
  return `${v1}/${controller}${path}/${file}`
}

const scope = `/system.slice/docker-${fullId}.scope`

/** A file in the container's version 2 cgroup. */
export const v2File = (name: string) => `/sys/fs/cgroup${scope}/${name}`

export const recordedV2 = (): Map<string, string> =>
  new Map(
    [
      // Its first process sits in a cgroup that it made itself, as a nested engine does.
      ...proc(`0::${scope}/init\n`, "30 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"),
      [
        "cpu.stat",
        "usage_usec 815110\nuser_usec 800000\nsystem_usec 15110\nnr_periods 17\nnr_throttled 15\nthrottled_usec 718479\nnr_bursts 0\nburst_usec 0\n"
      ],
      ["cpu.max", "50000 100000\n"],
      ["memory.current", "22278144\n"],
      ["memory.max", "67108864\n"],
      ["memory.peak", "23625728\n"],
      ["memory.events", "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n"],
      [
        "memory.stat",
        "anon 61440\nfile 21102592\nkernel 4096\ninactive_anon 57344\nactive_anon 4096\ninactive_file 20971520\nactive_file 131072\n"
      ],
      ["pids.current", "4\n"],
      ["pids.max", "50\n"],
      ["cgroup.procs", ""],
      ["cgroup.threads", ""],
      ["init/cgroup.procs", "8832\n8840\n"],
      ["init/cgroup.threads", "8832\n8840\n8841\n"],
      [
        "io.stat",
        "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:3 rbytes=0 wbytes=1 rios=0 wios=1 dbytes=0 dios=0\n"
      ]
    ].map(([name = "", text = ""]) => [name.startsWith("/") ? name : v2File(name), text] as const)
  )

export interface Recorded {
  readonly texts: Map<string, string>
  /** Paths that may not be read, with errno's name. */
  readonly refused: Map<string, string>
  readonly usages: Map<string, { readonly usedBytes: number; readonly totalBytes: number }>
  /** Open files by `/proc/<pid>/fd`. */
  readonly sizes: Map<string, number>
  /** How often each path was read. */
  readonly reads: Map<string, number>
  /** Paths of the descriptors that are open. */
  readonly open: Array<string>
  /** The kernel removes the file, and makes another one there: descriptors of the old one are dead. */
  readonly remake: (path: string, text: string) => void
  readonly files: HostFiles
}

/** Directories are what the paths imply; a directory counts a link for each one in it. */
export const recorded = (texts: Map<string, string>): Recorded => {
  const refused = new Map<string, string>()
  const usages: Recorded["usages"] = new Map()
  const sizes = new Map<string, number>()
  const reads = new Map<string, number>()
  const open: Array<string> = []
  const makes = new Map<string, number>()
  const children = (path: string) =>
    new Set(
      [...texts.keys()].flatMap((key) =>
        key.startsWith(`${path}/`) ? [key.slice(path.length + 1).split("/")[0] ?? ""] : []
      )
    )
  const guarded = <A>(path: string, found: A | undefined): A | { readonly code: string } => {
    reads.set(path, (reads.get(path) ?? 0) + 1)
    const code = refused.get(path)
    return code === undefined ? (found ?? { code: "ENOENT" }) : { code }
  }
  const files: HostFiles = {
    read: (path) => guarded(path, texts.get(path)),
    open: (path) => {
      const found = guarded(path, texts.get(path))
      if (typeof found !== "string") return found
      const make = makes.get(path)
      open.push(path)
      return {
        read: () => (makes.get(path) === make ? guarded(path, texts.get(path)) : { code: "ENODEV" }),
        close: () => void open.splice(open.indexOf(path), 1)
      }
    },
    readAll: (path) => guarded(path, texts.get(path)),
    list: (path) => guarded(path, children(path).size === 0 ? undefined : { names: [...children(path)] }),
    stat: (path) => {
      const size = sizes.get(path)
      if (size !== undefined) return guarded(path, { size, links: 2 })
      if (texts.has(path)) return guarded(path, { size: 0, links: 1 })
      const inside = [...children(path)]
      const directories = inside.filter((name) => !texts.has(`${path}/${name}`)).length
      return guarded(path, inside.length === 0 ? undefined : { size: 0, links: 2 + directories })
    },
    usage: (path) => guarded(path, usages.get(path))
  }
  const remake = (path: string, text: string) => {
    makes.set(path, (makes.get(path) ?? 0) + 1)
    texts.set(path, text)
  }
  return { texts, refused, usages, sizes, reads, open, remake, files }
}

export const inspected = (
  over: Partial<ContainerInspect["state"]> = {},
  host: ContainerInspect["host"] = {}
): ContainerInspect => ({
  id: fullId,
  name: target.name,
  imageId: "sha256:0",
  labels: {},
  env: [],
  user: "",
  createdAtMillis: 0,
  restartCount: 0,
  state: {
    status: "running",
    running: true,
    paused: false,
    restarting: false,
    oomKilled: false,
    hostPid,
    exitCode: undefined,
    error: "",
    startedAtMillis: 0,
    finishedAtMillis: undefined,
    health: "none",
    ...over
  },
  host,
  mounts: [],
  networks: {},
  execIds: []
})
