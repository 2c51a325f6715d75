/**
 * Steps away from the hardened profile, one unless it says so, as data: what a positive control is made of. Each is a dangerous subject: it runs
 * for a moment, with nothing in it but our probes, on an engine where that is allowed.
 */
import type { ContainerSpec, HostSettings } from "@sbx/engine/ContainerSpec"

/** What some weakenings need to know about the engine. */
export interface WeakeningContext {
  /** `unix:///path` or `tcp://host:port`. */
  readonly engineAddress: string
  readonly cgroupVersion: "1" | "2" | "unknown"
}

export interface Weakening {
  readonly description: string
  /** The weakened spec, or undefined where the step does not exist on this engine. */
  readonly apply: (spec: ContainerSpec, context: WeakeningContext) => ContainerSpec | undefined
}

const host = (description: string, change: (settings: HostSettings) => HostSettings): Weakening => ({
  description,
  apply: (spec) => ({ ...spec, host: { ...spec.host, ...change(spec.host ?? {}) } })
})

const dropping = (description: string, rest: (settings: HostSettings) => HostSettings): Weakening => ({
  description,
  apply: (spec) => ({ ...spec, host: rest(spec.host ?? {}) })
})

const options = (settings: HostSettings, prefix: string): ReadonlyArray<string> =>
  (settings.securityOpt ?? []).filter((option) => !option.startsWith(prefix))

const bind = (settings: HostSettings, source: string, target: string): HostSettings => ({
  mounts: [...(settings.mounts ?? []), { kind: "bind", source, target, readOnly: true, propagation: "rprivate" }]
})

const allowAll = `{"defaultAction":"SCMP_ACT_ALLOW"}`

const table = {
  privileged: host("privileged", () => ({ privileged: true })),
  seccompUnconfined: host("seccomp off", (s) => ({ securityOpt: [...options(s, "seccomp"), "seccomp=unconfined"] })),
  /** Mode still reads 2: only behaviour shows it. */
  seccompAllowAll: host("seccomp profile that allows all", (s) => ({
    securityOpt: [...options(s, "seccomp"), `seccomp=${allowAll}`]
  })),
  newPrivileges: host("no-new-privileges off", (s) => ({ securityOpt: options(s, "no-new-privileges") })),
  defaultCapabilities: host("the engine's default capabilities", () => ({ capDrop: [] })),
  /**
   * Several steps: engines put capabilities into force for a configured root only, no-new-privileges keeps a root exec in another
   * user's container without any, and the filter would answer before the capability is asked for. Not `privileged`, which an
   * engine without CAP_SYS_RESOURCE cannot give to root.
   */
  capableRoot: {
    description: "root inside with capabilities over the host's kernel and no filter",
    apply: (spec) => ({
      ...spec,
      user: "0:0",
      host: {
        ...spec.host,
        capAdd: ["SYS_ADMIN", "SYS_MODULE", "SYS_BOOT", "SYS_TIME", "SYS_CHROOT", "NET_RAW", "DAC_READ_SEARCH"],
        securityOpt: [...options(spec.host ?? {}, "seccomp"), "seccomp=unconfined"]
      }
    })
  },
  /** Two steps, for the same reason. */
  defaultCapabilitiesRoot: {
    description: "the engine's default capabilities, and root inside",
    apply: (spec) => ({ ...spec, user: "0:0", host: { ...spec.host, capDrop: [] } })
  },
  rootUser: { description: "root inside", apply: (spec) => ({ ...spec, user: "0:0" }) },
  rootGroup: host("supplementary group root", () => ({ groupAdd: ["0"] })),
  hostPid: host("host pid namespace", () => ({ pidMode: "host" })),
  hostIpc: host("host ipc namespace", () => ({ ipcMode: "host" })),
  hostUts: {
    description: "host uts namespace",
    apply: (spec) => {
      const { hostname: _, ...rest } = spec
      return { ...rest, host: { ...spec.host, utsMode: "host" } }
    }
  },
  /** Without effect on an engine that does not remap. */
  hostUserns: host("host user namespace", () => ({ usernsMode: "host" })),
  hostCgroupns: host("host cgroup namespace", () => ({ cgroupnsMode: "host" })),
  /** Engines refuse network sysctls in the host's namespace. */
  hostNetwork: {
    description: "host network",
    apply: (spec) => ({ ...spec, networkDisabled: false, host: { ...spec.host, networkMode: "host", sysctls: {} } })
  },
  bridgeNetwork: {
    description: "the engine's default bridge",
    apply: (spec) => ({ ...spec, networkDisabled: false, host: { ...spec.host, networkMode: "bridge" } })
  },
  writableRoot: host("writable root", () => ({ readOnlyRoot: false })),
  unmaskedPaths: host("nothing masked in /proc and /sys", () => ({ maskedPaths: [] })),
  writableProc: host("nothing read-only in /proc", () => ({ readonlyPaths: [] })),
  hostBind: host("host directory, read-only", (s) => bind(s, "/etc", "/sbx-host")),
  procBind: host("host /proc, read-only", (s) => bind(s, "/proc", "/sbx-proc")),
  engineSocket: {
    description: "the engine's own socket",
    apply: (spec, { engineAddress }) =>
      engineAddress.startsWith("unix://")
        ? { ...spec, host: { ...spec.host, ...bind(spec.host ?? {}, engineAddress.slice(7), "/run/docker.sock") } }
        : undefined
  },
  hostDevice: host("a device of the host", () => ({
    devices: [{ pathOnHost: "/dev/kmsg", pathInContainer: "/dev/kmsg", permissions: "r" }]
  })),
  looseTmpfs: host("an undeclared tmpfs without bounds or flags", (s) => ({
    tmpfs: { ...s.tmpfs, "/sbx-scratch": "rw,suid,dev,exec" }
  })),
  largeShm: host("8 GiB of shared memory", () => ({ shmSizeBytes: 8 * 1024 ** 3 })),
  noMemoryLimit: dropping("no memory limit", (settings) => {
    const { memoryBytes: _0, memorySwapBytes: _1, memorySwappiness: _2, ...rest } = settings
    return rest
  }),
  unlimitedSwap: host("unlimited swap", () => ({ memorySwapBytes: -1 })),
  noPidsLimit: dropping("no pids limit", (settings) => {
    const { pidsLimit: _, ...rest } = settings
    return rest
  }),
  noCpuLimit: dropping("no cpu limit", (settings) => {
    const { nanoCpus: _, ...rest } = settings
    return rest
  }),
  noUlimits: dropping("no ulimits", (settings) => {
    const { ulimits: _, ...rest } = settings
    return rest
  }),
  /** cgroup v2 has no such switch: the engine ignores it there. */
  oomKillDisabled: {
    description: "out-of-memory killer off",
    apply: (spec, { cgroupVersion }) =>
      cgroupVersion === "1" ? { ...spec, host: { ...spec.host, oomKillDisable: true } } : undefined
  },
  unboundedLog: host("log without a bound", () => ({ logConfig: { type: "json-file", config: {} } })),
  restartAlways: host("restarted for ever", () => ({ restartPolicy: { name: "always" } })),
  noInit: host("no reaping init", () => ({ init: false })),
  shareableIpc: host("ipc namespace that others may join", () => ({ ipcMode: "shareable" }))
} satisfies Record<string, Weakening>

export type WeakeningName = keyof typeof table

/** All weakenings by name. */
export const weakenings: Readonly<Record<WeakeningName, Weakening>> = table

export const weakeningNames: ReadonlyArray<WeakeningName> = Object.keys(table).filter(
  (name): name is WeakeningName => name in table
)
