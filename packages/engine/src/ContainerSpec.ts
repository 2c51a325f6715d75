/**
 * What a container is created from: plain data, one field per engine setting that sbx uses.
 * Absent means "the engine's default"; nothing is filled in here. Hardening is core's business, not the engine's.
 */

/** A resource limit of setrlimit(2): `name` without the RLIMIT_ prefix, lower case. */
export interface Ulimit {
  readonly name: string
  readonly soft: number
  readonly hard: number
}

export type Mount =
  | {
      readonly kind: "volume"
      readonly source: string
      readonly target: string
      readonly readOnly?: boolean
      readonly noCopy?: boolean
      /** What the volume is made with, by the container's create, where there is none of that name; one that exists stays as it is. */
      readonly create?: {
        readonly labels: Readonly<Record<string, string>>
        /** Of the local driver. */
        readonly driverOptions: Readonly<Record<string, string>>
      }
    }
  | {
      readonly kind: "bind"
      readonly source: string
      readonly target: string
      readonly readOnly?: boolean
      readonly propagation?: "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave"
    }
  | {
      readonly kind: "tmpfs"
      readonly target: string
      readonly sizeBytes?: number
      readonly mode?: number
    }

export interface Device {
  readonly pathOnHost: string
  readonly pathInContainer: string
  /** Any of `r`, `w`, `m` (mknod). */
  readonly permissions: string
}

/** Settings of the container's boundary and its limits: the engine's HostConfig. */
export interface HostSettings {
  readonly privileged?: boolean
  readonly readOnlyRoot?: boolean
  readonly capDrop?: ReadonlyArray<string>
  readonly capAdd?: ReadonlyArray<string>
  /** Raw options, e.g. `no-new-privileges:true`, `seccomp=<profile JSON>`, `seccomp=unconfined`. */
  readonly securityOpt?: ReadonlyArray<string>
  /** `none`, `bridge`, `host`, `container:<id>` or a network's name. */
  readonly networkMode?: string
  readonly pidMode?: string
  readonly ipcMode?: string
  readonly utsMode?: string
  readonly usernsMode?: string
  readonly cgroupnsMode?: "private" | "host"
  readonly cgroupParent?: string
  readonly memoryBytes?: number
  /** Memory plus swap, as the engine counts it; equal to `memoryBytes` means no swap; -1 unlimited. */
  readonly memorySwapBytes?: number
  readonly memorySwappiness?: number
  /** 1e9 is one core. */
  readonly nanoCpus?: number
  readonly cpuShares?: number
  readonly cpusetCpus?: string
  readonly pidsLimit?: number
  readonly oomKillDisable?: boolean
  readonly oomScoreAdj?: number
  readonly ulimits?: ReadonlyArray<Ulimit>
  readonly shmSizeBytes?: number
  /** Path to mount options, e.g. `{ "/tmp": "rw,nosuid,nodev,noexec,size=64m" }`. Invisible to the archive API. */
  readonly tmpfs?: Readonly<Record<string, string>>
  readonly mounts?: ReadonlyArray<Mount>
  readonly binds?: ReadonlyArray<string>
  readonly volumesFrom?: ReadonlyArray<string>
  readonly devices?: ReadonlyArray<Device>
  readonly deviceCgroupRules?: ReadonlyArray<string>
  readonly maskedPaths?: ReadonlyArray<string>
  readonly readonlyPaths?: ReadonlyArray<string>
  readonly sysctls?: Readonly<Record<string, string>>
  readonly groupAdd?: ReadonlyArray<string>
  readonly init?: boolean
  readonly restartPolicy?: {
    readonly name: "no" | "always" | "on-failure" | "unless-stopped"
    readonly maximumRetryCount?: number
  }
  readonly autoRemove?: boolean
  readonly logConfig?: { readonly type: string; readonly config: Readonly<Record<string, string>> }
  readonly runtime?: string
  readonly storageOpt?: Readonly<Record<string, string>>
  readonly dns?: ReadonlyArray<string>
  readonly extraHosts?: ReadonlyArray<string>
}

export interface ContainerSpec {
  /** Engine-wide unique name, `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. */
  readonly name: string
  /** Image reference or id; never pulled implicitly. */
  readonly image: string
  readonly entrypoint?: ReadonlyArray<string>
  readonly command?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  /** `uid[:gid]` or a name of the image. */
  readonly user?: string
  readonly workingDir?: string
  readonly hostname?: string
  readonly stopSignal?: string
  readonly stopTimeoutSeconds?: number
  readonly networkDisabled?: boolean
  readonly openStdin?: boolean
  readonly healthcheck?:
    | "none"
    | {
        readonly test: ReadonlyArray<string>
        readonly intervalMillis: number
        readonly timeoutMillis: number
        readonly retries: number
      }
  /** Aliases on the network of `host.networkMode`, when that is a user-defined network. */
  readonly networkAliases?: ReadonlyArray<string>
  readonly host?: HostSettings
}

/** Limits that can be changed while the container lives. Send memory and swap together: the engine refuses otherwise. */
export interface ContainerUpdate {
  readonly memoryBytes?: number
  readonly memorySwapBytes?: number
  readonly nanoCpus?: number
  readonly pidsLimit?: number
}
