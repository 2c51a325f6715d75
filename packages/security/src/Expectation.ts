/**
 * What a container's owner declared: the yardstick of every check. Absent limits mean "any finite bound".
 * Plain data; says nothing about how the container was made.
 */
import type { EngineInfo } from "@sbx/engine/Engine"
import type { SandboxSpec } from "@sbx/core/SandboxSpec"
import * as Schema from "effect/Schema"

const limit = Schema.optionalKey(Schema.Finite)

export const Expectation = Schema.Struct({
  /** `connected`: a network is declared, so egress checks do not apply. */
  network: Schema.Literals(["none", "connected"]),
  memoryBytes: limit,
  pids: limit,
  /** Cores; 0.5 is half a core. */
  cpus: limit,
  openFiles: limit,
  shmBytes: limit,
  /** Mount points that may be written besides the engine's own. */
  writablePaths: Schema.Array(Schema.String),
  /** Mount points that may be backed by a host file system: declared volumes and binds. */
  volumePaths: Schema.Array(Schema.String),
  /** OCI runtime in force, e.g. `runc`. Checks of the shared kernel do not apply to `runsc` and `kata`. */
  runtime: Schema.String,
  /** Whether the engine remaps user namespaces (`name=userns` or `name=rootless` among its security options). */
  usernsRemapped: Schema.Boolean,
  /** Check id to the reason why it is accepted as it is. */
  waivers: Schema.Record(Schema.String, Schema.String)
})
export type Expectation = typeof Expectation.Type

const ofEngine = (info: EngineInfo) => ({
  runtime: info.defaultRuntime,
  usernsRemapped: info.securityOptions.some(
    (option) => option.includes("name=userns") || option.includes("name=rootless")
  )
})

/** For a container that nobody declared anything about: no network, nothing writable but scratch places, finite limits. */
export const bounded = (info: EngineInfo): Expectation => ({
  network: "none",
  writablePaths: ["/tmp"],
  volumePaths: [],
  waivers: {},
  ...ofEngine(info)
})

/** What a sandbox's spec promises. Loosening is not subtracted: a loosened boundary is breached unless it is waived. */
export const fromSpec = (spec: SandboxSpec, info: EngineInfo): Expectation => ({
  network: spec.network === "none" ? "none" : "connected",
  memoryBytes: spec.limits.memoryBytes,
  pids: spec.limits.pids,
  cpus: spec.limits.cpus,
  openFiles: spec.limits.openFiles,
  shmBytes: spec.limits.shmBytes,
  writablePaths: ["/tmp", spec.workspace.path],
  volumePaths: [spec.workspace.path],
  waivers: {},
  ...ofEngine(info)
})

/** True where sandbox and host share one kernel, so that its gates and namespace numbers mean what they say. */
export const sharesKernel = (expected: Expectation): boolean => !/runsc|gvisor|kata|firecracker/i.test(expected.runtime)
