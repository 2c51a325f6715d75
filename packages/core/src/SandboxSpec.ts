/**
 * What a sandbox is made from. `SandboxOptions` is what a user writes; `SandboxSpec` is the same with every default resolved,
 * plain JSON, and is what the journal records. Loosening a boundary is explicit, per field, and visible here.
 */
import * as Schema from "effect/Schema"

/** Limits in force; each is proved from inside in tests. Bytes are exact; `cpus` is in cores (0.5 = half a core). */
export const SandboxLimits = Schema.Struct({
  cpus: Schema.Finite,
  memoryBytes: Schema.Int,
  pids: Schema.Int,
  /** Size of the workspace. */
  diskBytes: Schema.Int,
  /** Inodes of the workspace. */
  diskInodes: Schema.Int,
  openFiles: Schema.Int,
  shmBytes: Schema.Int,
  tmpBytes: Schema.Int
})
export type SandboxLimits = typeof SandboxLimits.Type

/**
 * `disk`: a loop-mounted ext4 file, exact bytes and inodes, survives stop, crash and restart; needs root on the engine's host.
 * `memory`: a tmpfs volume, volatile and charged to memory.
 */
export const WorkspaceKind = Schema.Literals(["disk", "memory"])
export type WorkspaceKind = typeof WorkspaceKind.Type

/** Every way a sandbox may be weaker than the hardened default. Absent field = hardened. */
export const Loosening = Schema.Struct({
  privileged: Schema.optionalKey(Schema.Boolean),
  writableRoot: Schema.optionalKey(Schema.Boolean),
  /** Capability names without CAP_. */
  capabilities: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Keep the engine's default capability set instead of dropping all. */
  defaultCapabilities: Schema.optionalKey(Schema.Boolean),
  newPrivileges: Schema.optionalKey(Schema.Boolean),
  /** `unconfined`, the engine's default profile, or a profile JSON. */
  seccomp: Schema.optionalKey(
    Schema.Union([Schema.Literals(["unconfined", "engine-default"]), Schema.Struct({ profile: Schema.String })])
  ),
  /** Run as root or another fixed user instead of the leased uid. */
  user: Schema.optionalKey(Schema.String),
  hostNetwork: Schema.optionalKey(Schema.Boolean),
  hostPid: Schema.optionalKey(Schema.Boolean),
  hostIpc: Schema.optionalKey(Schema.Boolean),
  hostUts: Schema.optionalKey(Schema.Boolean),
  hostCgroupns: Schema.optionalKey(Schema.Boolean),
  noMemoryLimit: Schema.optionalKey(Schema.Boolean),
  noPidsLimit: Schema.optionalKey(Schema.Boolean),
  noCpuLimit: Schema.optionalKey(Schema.Boolean),
  noUlimits: Schema.optionalKey(Schema.Boolean),
  unmaskedPaths: Schema.optionalKey(Schema.Boolean),
  /** Host path to path inside, read-only unless `writable`. */
  binds: Schema.optionalKey(
    Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String, writable: Schema.Boolean }))
  )
})
export type Loosening = typeof Loosening.Type

export const SandboxSpec = Schema.Struct({
  image: Schema.String,
  /** PID 1's argv (below a tiny init that reaps and forwards signals). */
  command: Schema.Array(Schema.String),
  env: Schema.Record(Schema.String, Schema.String),
  /** Absolute path inside. */
  workingDir: Schema.String,
  hostname: Schema.String,
  limits: SandboxLimits,
  workspace: Schema.Struct({ kind: WorkspaceKind, path: Schema.String }),
  /** `none`, or the name of a network made by `Networks`. */
  network: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  stopGraceMillis: Schema.Int,
  loosening: Loosening
})
export type SandboxSpec = typeof SandboxSpec.Type
