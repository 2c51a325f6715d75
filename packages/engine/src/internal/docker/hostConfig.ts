/**
 * `HostSettings` to the engine's `HostConfig` and back. Encoding states nothing that was not asked for; decoding leaves out what the
 * engine sends for "not set" (0, -1 for pids, null, the empty string).
 */
import * as Schema from "effect/Schema"
import type { Device, HostSettings, Mount, Ulimit } from "../../ContainerSpec.ts"
import { maybe, nonEmpty, positive, present, StringMap, Strings } from "./wire.ts"

const WireMount = Schema.Struct({
  Type: Schema.String,
  Source: maybe(Schema.String),
  Target: Schema.String,
  ReadOnly: maybe(Schema.Boolean),
  BindOptions: maybe(Schema.Struct({ Propagation: maybe(Schema.String) })),
  VolumeOptions: maybe(
    Schema.Struct({
      NoCopy: maybe(Schema.Boolean),
      Labels: maybe(StringMap),
      DriverConfig: maybe(Schema.Struct({ Options: maybe(StringMap) }))
    })
  ),
  TmpfsOptions: maybe(Schema.Struct({ SizeBytes: maybe(Schema.Finite), Mode: maybe(Schema.Finite) }))
})

export const HostConfig = Schema.Struct({
  Privileged: maybe(Schema.Boolean),
  ReadonlyRootfs: maybe(Schema.Boolean),
  CapDrop: maybe(Strings),
  CapAdd: maybe(Strings),
  SecurityOpt: maybe(Strings),
  NetworkMode: maybe(Schema.String),
  PidMode: maybe(Schema.String),
  IpcMode: maybe(Schema.String),
  UTSMode: maybe(Schema.String),
  UsernsMode: maybe(Schema.String),
  CgroupnsMode: maybe(Schema.String),
  CgroupParent: maybe(Schema.String),
  Memory: maybe(Schema.Finite),
  MemorySwap: maybe(Schema.Finite),
  MemorySwappiness: maybe(Schema.Finite),
  NanoCpus: maybe(Schema.Finite),
  CpuQuota: maybe(Schema.Finite),
  CpuPeriod: maybe(Schema.Finite),
  CpuShares: maybe(Schema.Finite),
  CpusetCpus: maybe(Schema.String),
  PidsLimit: maybe(Schema.Finite),
  OomKillDisable: maybe(Schema.Boolean),
  OomScoreAdj: maybe(Schema.Finite),
  Ulimits: maybe(Schema.Array(Schema.Struct({ Name: Schema.String, Soft: Schema.Finite, Hard: Schema.Finite }))),
  ShmSize: maybe(Schema.Finite),
  Tmpfs: maybe(StringMap),
  Mounts: maybe(Schema.Array(WireMount)),
  Binds: maybe(Strings),
  VolumesFrom: maybe(Strings),
  Devices: maybe(
    Schema.Array(
      Schema.Struct({
        PathOnHost: Schema.String,
        PathInContainer: Schema.String,
        CgroupPermissions: Schema.String
      })
    )
  ),
  DeviceCgroupRules: maybe(Strings),
  MaskedPaths: maybe(Strings),
  ReadonlyPaths: maybe(Strings),
  Sysctls: maybe(StringMap),
  GroupAdd: maybe(Strings),
  Init: maybe(Schema.Boolean),
  RestartPolicy: maybe(Schema.Struct({ Name: Schema.String, MaximumRetryCount: maybe(Schema.Finite) })),
  AutoRemove: maybe(Schema.Boolean),
  LogConfig: maybe(Schema.Struct({ Type: Schema.String, Config: maybe(StringMap) })),
  Runtime: maybe(Schema.String),
  StorageOpt: maybe(StringMap),
  Dns: maybe(Strings),
  ExtraHosts: maybe(Strings)
})
type HostConfig = typeof HostConfig.Type

const encodeMount = (mount: Mount) => {
  const common = { Type: mount.kind, Target: mount.target }
  switch (mount.kind) {
    case "volume":
      return {
        ...common,
        Source: mount.source,
        ReadOnly: mount.readOnly,
        VolumeOptions: {
          NoCopy: mount.noCopy,
          Labels: mount.create?.labels,
          DriverConfig: mount.create && { Name: "local", Options: mount.create.driverOptions }
        }
      }
    case "bind":
      return {
        ...common,
        Source: mount.source,
        ReadOnly: mount.readOnly,
        BindOptions: { Propagation: mount.propagation }
      }
    case "tmpfs":
      return { ...common, TmpfsOptions: { SizeBytes: mount.sizeBytes, Mode: mount.mode } }
  }
}

const encodeDevice = (device: Device) => ({
  PathOnHost: device.pathOnHost,
  PathInContainer: device.pathInContainer,
  CgroupPermissions: device.permissions
})

const encodeUlimit = (limit: Ulimit) => ({ Name: limit.name, Soft: limit.soft, Hard: limit.hard })

/** Undefined fields vanish in JSON. */
export const encodeHost = (host: HostSettings) => ({
  Privileged: host.privileged,
  ReadonlyRootfs: host.readOnlyRoot,
  CapDrop: host.capDrop,
  CapAdd: host.capAdd,
  SecurityOpt: host.securityOpt,
  NetworkMode: host.networkMode,
  PidMode: host.pidMode,
  IpcMode: host.ipcMode,
  UTSMode: host.utsMode,
  UsernsMode: host.usernsMode,
  CgroupnsMode: host.cgroupnsMode,
  CgroupParent: host.cgroupParent,
  Memory: host.memoryBytes,
  MemorySwap: host.memorySwapBytes,
  MemorySwappiness: host.memorySwappiness,
  NanoCpus: host.nanoCpus,
  CpuShares: host.cpuShares,
  CpusetCpus: host.cpusetCpus,
  PidsLimit: host.pidsLimit,
  OomKillDisable: host.oomKillDisable,
  OomScoreAdj: host.oomScoreAdj,
  Ulimits: host.ulimits?.map(encodeUlimit),
  ShmSize: host.shmSizeBytes,
  Tmpfs: host.tmpfs,
  Mounts: host.mounts?.map(encodeMount),
  Binds: host.binds,
  VolumesFrom: host.volumesFrom,
  Devices: host.devices?.map(encodeDevice),
  DeviceCgroupRules: host.deviceCgroupRules,
  MaskedPaths: host.maskedPaths,
  ReadonlyPaths: host.readonlyPaths,
  Sysctls: host.sysctls,
  GroupAdd: host.groupAdd,
  Init: host.init,
  RestartPolicy: host.restartPolicy && {
    Name: host.restartPolicy.name,
    MaximumRetryCount: host.restartPolicy.maximumRetryCount
  },
  AutoRemove: host.autoRemove,
  LogConfig: host.logConfig && { Type: host.logConfig.type, Config: host.logConfig.config },
  Runtime: host.runtime,
  StorageOpt: host.storageOpt,
  Dns: host.dns,
  ExtraHosts: host.extraHosts
})

const propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave"] as const

export const propagation = (text: string | null | undefined) => propagations.find((known) => known === text)

const createdWith = (options: (typeof WireMount.Type)["VolumeOptions"]) => {
  const driverOptions = options?.DriverConfig?.Options ?? undefined
  return driverOptions && { labels: options?.Labels ?? {}, driverOptions }
}

const decodeMount = (mount: typeof WireMount.Type): ReadonlyArray<Mount> => {
  const target = mount.Target
  const source = mount.Source ?? ""
  const readOnly = mount.ReadOnly ?? undefined
  switch (mount.Type) {
    case "volume":
      return [
        {
          kind: "volume",
          source,
          target,
          ...present({
            readOnly,
            noCopy: mount.VolumeOptions?.NoCopy ?? undefined,
            create: createdWith(mount.VolumeOptions)
          })
        }
      ]
    case "bind":
      return [
        {
          kind: "bind",
          source,
          target,
          ...present({ readOnly, propagation: propagation(mount.BindOptions?.Propagation) })
        }
      ]
    case "tmpfs":
      return [
        {
          kind: "tmpfs",
          target,
          ...present({
            sizeBytes: positive(mount.TmpfsOptions?.SizeBytes),
            mode: positive(mount.TmpfsOptions?.Mode)
          })
        }
      ]
    default:
      return [] // npipe, cluster, image: nothing that sbx creates
  }
}

const restartNames = ["no", "always", "on-failure", "unless-stopped"] as const

const decodeRestart = (policy: HostConfig["RestartPolicy"]) => {
  const name = restartNames.find((known) => known === policy?.Name)
  if (name === undefined) return undefined
  return { name, ...present({ maximumRetryCount: positive(policy?.MaximumRetryCount) }) }
}

/** `docker run --cpu-quota`, Compose's `cpu_quota`: microseconds a period, of 100,000 where none is set; the engine refuses it beside NanoCpus. */
const quotaNanoCpus = ({ CpuPeriod, CpuQuota }: HostConfig): number | undefined => {
  const quota = positive(CpuQuota)
  return quota === undefined ? undefined : (quota / (positive(CpuPeriod) ?? 100_000)) * 1e9
}

const decodeLimits = (host: HostConfig) => ({
  memoryBytes: positive(host.Memory),
  memorySwapBytes: host.MemorySwap === -1 ? -1 : positive(host.MemorySwap),
  // -1 is older engines' "not set"; 0 is a setting.
  memorySwappiness: (host.MemorySwappiness ?? -1) < 0 ? undefined : (host.MemorySwappiness ?? 0),
  nanoCpus: positive(host.NanoCpus) ?? quotaNanoCpus(host),
  cpuShares: positive(host.CpuShares),
  cpusetCpus: nonEmpty(host.CpusetCpus),
  pidsLimit: positive(host.PidsLimit),
  oomKillDisable: host.OomKillDisable ?? undefined,
  oomScoreAdj: host.OomScoreAdj ?? undefined,
  ulimits: host.Ulimits?.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
  shmSizeBytes: positive(host.ShmSize)
})

const decodeNamespaces = (host: HostConfig) => ({
  networkMode: nonEmpty(host.NetworkMode),
  pidMode: nonEmpty(host.PidMode),
  ipcMode: nonEmpty(host.IpcMode),
  utsMode: nonEmpty(host.UTSMode),
  usernsMode: nonEmpty(host.UsernsMode),
  cgroupnsMode: (["private", "host"] as const).find((mode) => mode === host.CgroupnsMode),
  cgroupParent: nonEmpty(host.CgroupParent)
})

const decodeStorage = (host: HostConfig) => ({
  tmpfs: host.Tmpfs ?? undefined,
  mounts: host.Mounts?.flatMap(decodeMount),
  binds: host.Binds ?? undefined,
  volumesFrom: host.VolumesFrom ?? undefined,
  storageOpt: host.StorageOpt ?? undefined,
  devices: host.Devices?.map((device) => ({
    pathOnHost: device.PathOnHost,
    pathInContainer: device.PathInContainer,
    permissions: device.CgroupPermissions
  })),
  deviceCgroupRules: host.DeviceCgroupRules ?? undefined,
  maskedPaths: host.MaskedPaths ?? undefined,
  readonlyPaths: host.ReadonlyPaths ?? undefined
})

export const decodeHost = (host: HostConfig): HostSettings =>
  present({
    privileged: host.Privileged ?? undefined,
    readOnlyRoot: host.ReadonlyRootfs ?? undefined,
    capDrop: host.CapDrop ?? undefined,
    capAdd: host.CapAdd ?? undefined,
    securityOpt: host.SecurityOpt ?? undefined,
    ...decodeNamespaces(host),
    ...decodeLimits(host),
    ...decodeStorage(host),
    sysctls: host.Sysctls ?? undefined,
    groupAdd: host.GroupAdd ?? undefined,
    init: host.Init ?? undefined,
    restartPolicy: decodeRestart(host.RestartPolicy),
    autoRemove: host.AutoRemove ?? undefined,
    logConfig: host.LogConfig ? { type: host.LogConfig.Type, config: host.LogConfig.Config ?? {} } : undefined,
    runtime: nonEmpty(host.Runtime),
    dns: host.Dns ?? undefined,
    extraHosts: host.ExtraHosts ?? undefined
  })
