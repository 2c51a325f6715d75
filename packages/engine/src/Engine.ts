/**
 * The container engine port. An implementation offers these primitives; everything richer is derived elsewhere.
 * It never pulls, retries a call that is not safe to repeat, or invents a value that the engine did not report.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ContainerSpec, ContainerUpdate, HostSettings, Mount } from "./ContainerSpec.ts"
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "./EngineError.ts"

/** How the engine was found; `private` is sbx's own and the only place for dangerous subjects by default. */
export type EngineKind = "explicit" | "context" | "default" | "private"

export interface EngineEndpoint {
  readonly kind: EngineKind
  /** `unix:///path` or `tcp://host:port`. */
  readonly address: string
}

export interface EngineInfo {
  /** The engine's own stable id; a new data root is a new id. */
  readonly id: string
  readonly version: string
  readonly apiVersion: string
  readonly operatingSystem: string
  readonly kernelVersion: string
  readonly architecture: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly storageDriver: string
  readonly backingFilesystem: string | undefined
  readonly dataRoot: string
  readonly cgroupVersion: "1" | "2" | "unknown"
  readonly cgroupDriver: string
  readonly defaultRuntime: string
  readonly runtimes: ReadonlyArray<string>
  /** E.g. `name=seccomp,profile=default`. */
  readonly securityOptions: ReadonlyArray<string>
  /** E.g. `WARNING: No swap limit support`: a limit named here is accepted by the API and not enforced. */
  readonly warnings: ReadonlyArray<string>
}

export interface ImageInfo {
  readonly id: string
  readonly references: ReadonlyArray<string>
  readonly labels: Readonly<Record<string, string>>
  readonly sizeBytes: number
}

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead"

export interface ContainerSummary {
  readonly id: string
  readonly name: string
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
  readonly status: ContainerStatus
  readonly createdAtMillis: number
}

export interface ContainerState {
  readonly status: ContainerStatus
  readonly running: boolean
  readonly paused: boolean
  readonly restarting: boolean
  readonly oomKilled: boolean
  /** Process id of PID 1 as the engine's host sees it; absent when not running. */
  readonly hostPid: number | undefined
  /** Absent while the container has never exited. Never read from a container that is running. */
  readonly exitCode: number | undefined
  readonly error: string
  /** From the engine, milliseconds since the epoch (fractions kept); absent when it never happened. */
  readonly startedAtMillis: number | undefined
  readonly finishedAtMillis: number | undefined
  readonly health: "none" | "starting" | "healthy" | "unhealthy"
}

export interface ContainerNetwork {
  readonly networkId: string
  readonly ipAddress: string
  readonly aliases: ReadonlyArray<string>
}

export interface ContainerInspect {
  readonly id: string
  readonly name: string
  readonly imageId: string
  readonly labels: Readonly<Record<string, string>>
  readonly env: ReadonlyArray<string>
  readonly user: string
  readonly createdAtMillis: number
  readonly restartCount: number
  readonly state: ContainerState
  /** What the engine says it applied; limits not set are absent. */
  readonly host: HostSettings
  readonly mounts: ReadonlyArray<Mount>
  readonly networks: Readonly<Record<string, ContainerNetwork>>
  readonly execIds: ReadonlyArray<string>
}

/** Labels that must all be present; an empty value matches any value. */
export type LabelFilter = Readonly<Record<string, string>>

export interface ExecSpec {
  readonly argv: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly user?: string
  readonly privileged?: boolean
  /** Attach a writable standard input; half-closed by `ExecConnection.endStdin`. */
  readonly stdin?: boolean
  /**
   * Run once and awaited before a process is made; on false none is, and the exec fails with `EngineConflict`. An engine may prepare
   * the exec meanwhile, so that what has to be durable first costs no time of its own.
   */
  readonly gate?: Effect.Effect<boolean>
}

export interface OutputFrame {
  readonly channel: "stdout" | "stderr"
  readonly bytes: Uint8Array
}

/** One started exec. Closing its scope drops the connection; it does not end the process (there is no such engine call). */
export interface ExecConnection {
  readonly execId: string
  /** Ends when the engine ends it. Fails with `EngineProtocolError` on truncation. May be consumed once. */
  readonly output: Stream.Stream<OutputFrame, CallError>
  readonly writeStdin: (bytes: Uint8Array) => Effect.Effect<void, CallError>
  readonly endStdin: Effect.Effect<void, CallError>
}

export interface ExecState {
  readonly running: boolean
  /** Absent until the engine has recorded it, which may be after the output ended. Never a default. */
  readonly exitCode: number | undefined
  /** Process id as the engine's host sees it; absent before start and for a moment after it. */
  readonly hostPid: number | undefined
  readonly containerId: string
}

export interface CpuReading {
  /** Cumulative nanoseconds of cpu time of the whole container. */
  readonly usageNanos: number
  /** Cumulative nanoseconds of the whole host over all cores; absent where the engine does not say. */
  readonly systemNanos: number | undefined
  readonly onlineCpus: number | undefined
  readonly throttledPeriods: number | undefined
  readonly throttledNanos: number | undefined
}

export interface MemoryReading {
  /** Charged memory including page cache, bytes. */
  readonly usageBytes: number
  /** `total_inactive_file` (cgroup v1) or `inactive_file` (v2), bytes; absent when not reported. */
  readonly inactiveFileBytes: number | undefined
  /** Absent when there is no limit. */
  readonly limitBytes: number | undefined
  readonly maxUsageBytes: number | undefined
}

/** One sample. Absent fields were not reported; they are never zero by default (moby reports precpu empty on one-shot). */
export interface ContainerStats {
  readonly containerId: string
  readonly readAtMillis: number
  readonly cpu: CpuReading | undefined
  readonly memory: MemoryReading | undefined
  readonly pids: { readonly current: number; readonly limit: number | undefined } | undefined
  readonly network:
    | ReadonlyArray<{ readonly name: string; readonly rxBytes: number; readonly txBytes: number }>
    | undefined
  readonly blockIo: { readonly readBytes: number; readonly writeBytes: number } | undefined
}

export interface EngineEvent {
  /** Milliseconds since the epoch with the engine's nanosecond precision kept as fraction. */
  readonly atMillis: number
  readonly timeNano: string
  readonly type: string
  /** The verb alone, e.g. `die`, `exec_create`, `health_status`. */
  readonly action: string
  /** What follows the colon of an action, e.g. `healthy`. */
  readonly detail: string | undefined
  readonly actorId: string
  readonly attributes: Readonly<Record<string, string>>
}

export interface PathStat {
  readonly name: string
  readonly sizeBytes: number
  /** Permission bits only, e.g. 0o644. */
  readonly mode: number
  readonly kind: "file" | "directory" | "symlink" | "other"
  readonly modifiedAtMillis: number
  readonly linkTarget: string
}

export interface NetworkSummary {
  readonly id: string
  readonly name: string
  readonly driver: string
  readonly internal: boolean
  readonly labels: Readonly<Record<string, string>>
}

export interface VolumeSummary {
  readonly name: string
  readonly driver: string
  readonly mountpoint: string
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
}

type Found<A> = Effect.Effect<A, CallError | ObjectNotFound>
type Changed<A = void> = Effect.Effect<A, CallError | ObjectNotFound | EngineConflict>

/** Every method requires nothing; interruption aborts the call's wait, the engine may still finish the call. */
export interface EngineShape {
  readonly endpoint: EngineEndpoint
  readonly ping: Effect.Effect<void, CallError>
  readonly info: Effect.Effect<EngineInfo, CallError>

  readonly listImages: (labels: LabelFilter) => Effect.Effect<ReadonlyArray<ImageInfo>, CallError>
  readonly inspectImage: (reference: string) => Found<ImageInfo>
  /** Imports a root file system as one layer. `changes` are Dockerfile instructions, e.g. `CMD ["sh"]`. Resolves to the image id. */
  readonly importImage: (
    tar: Stream.Stream<Uint8Array, CallError>,
    options: { readonly reference: string; readonly changes: ReadonlyArray<string> }
  ) => Effect.Effect<string, CallError | InvalidRequest>
  /** Absent is success. */
  readonly removeImage: (reference: string) => Effect.Effect<void, CallError | EngineConflict>

  /**
   * Resolves to the engine's id. `ObjectNotFound` names the image; `EngineConflict` is `name-in-use`, which may last a moment
   * after a removal (moby#37698).
   */
  readonly createContainer: (
    spec: ContainerSpec
  ) => Effect.Effect<string, CallError | ObjectNotFound | EngineConflict | InvalidRequest>
  /** Already running is success. */
  readonly startContainer: (
    id: string
  ) => Effect.Effect<void, CallError | ObjectNotFound | EngineConflict | InvalidRequest>
  /** Sends the stop signal, kills after `graceSeconds`. Already stopped is success. Takes up to the grace time by design. */
  readonly stopContainer: (id: string, options: { readonly graceSeconds: number }) => Found<void>
  readonly killContainer: (id: string, signal: string) => Changed
  readonly pauseContainer: (id: string) => Changed
  readonly unpauseContainer: (id: string) => Changed
  /** Removes with anonymous volumes, by force. Absent is success; resolves only when the container is gone. */
  readonly removeContainer: (id: string) => Effect.Effect<void, CallError | EngineConflict>
  readonly inspectContainer: (id: string) => Found<ContainerInspect>
  /** All states, not only running. Never asks for sizes. */
  readonly listContainers: (labels: LabelFilter) => Effect.Effect<ReadonlyArray<ContainerSummary>, CallError>
  readonly updateContainer: (id: string, update: ContainerUpdate) => Changed
  /**
   * Resolves when the container is not running (at once if it is not), with its exit code. Engines answer 0 for one that never ran:
   * only `inspectContainer` tells.
   */
  readonly waitContainer: (id: string) => Found<{ readonly exitCode: number }>
  /** Host process ids and command lines of the container's processes (`ps -eo pid,ppid,args` by the engine). */
  readonly topContainer: (id: string) => Changed<
    ReadonlyArray<{
      readonly hostPid: number
      readonly parentPid: number
      readonly command: string
    }>
  >
  /** `absent` when the container does not run: engines answer 200 with nothing in it. */
  readonly statsContainer: (id: string) => Found<ContainerStats | "absent">
  readonly logs: (
    id: string,
    options: { readonly follow: boolean; readonly tail?: number; readonly sinceMillis?: number }
  ) => Stream.Stream<OutputFrame, CallError | ObjectNotFound>

  /** Creates and starts. The connection lives as long as the scope. */
  readonly exec: (
    id: string,
    spec: ExecSpec
  ) => Effect.Effect<ExecConnection, CallError | ObjectNotFound | EngineConflict | InvalidRequest, Scope.Scope>
  readonly inspectExec: (execId: string) => Found<ExecState>

  /** A tar of the path. The engine locks the container until it is read or dropped. */
  readonly getArchive: (id: string, path: string) => Stream.Stream<Uint8Array, CallError | ObjectNotFound>
  /** Extracts a tar into an existing directory. `InvalidRequest` is `read-only` on a read-only root. */
  readonly putArchive: (
    id: string,
    path: string,
    tar: Stream.Stream<Uint8Array, CallError>
  ) => Effect.Effect<void, CallError | ObjectNotFound | InvalidRequest>
  readonly statPath: (id: string, path: string) => Found<PathStat>

  readonly listNetworks: (labels: LabelFilter) => Effect.Effect<ReadonlyArray<NetworkSummary>, CallError>
  readonly createNetwork: (options: {
    readonly name: string
    readonly internal: boolean
    readonly labels: Readonly<Record<string, string>>
    readonly options?: Readonly<Record<string, string>>
  }) => Effect.Effect<string, CallError | EngineConflict>
  /** Absent is success. */
  readonly removeNetwork: (id: string) => Effect.Effect<void, CallError | EngineConflict>
  readonly connectNetwork: (networkId: string, containerId: string, aliases: ReadonlyArray<string>) => Changed
  readonly disconnectNetwork: (networkId: string, containerId: string) => Changed

  readonly listVolumes: (labels: LabelFilter) => Effect.Effect<ReadonlyArray<VolumeSummary>, CallError>
  readonly inspectVolume: (name: string) => Found<VolumeSummary>
  readonly createVolume: (options: {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly driverOptions?: Readonly<Record<string, string>>
  }) => Effect.Effect<VolumeSummary, CallError | EngineConflict | InvalidRequest>
  /** Absent is success. */
  readonly removeVolume: (name: string) => Effect.Effect<void, CallError | EngineConflict>

  /**
   * Events since a time (engine clock), then live. Hints only: engines drop events for slow readers and keep 256 for replay, so
   * listing decides. Only events of containers, their execs and images bear labels to filter by. Fails with `EngineUnavailable` when the connection is cut; the caller reconnects and lists.
   */
  readonly events: (options: {
    readonly sinceMillis?: number
    readonly labels: LabelFilter
    /** Only these, e.g. `exec_die`; default all. Verbs that carry a detail (`exec_create`, `health_status`) are told by it too. */
    readonly actions?: ReadonlyArray<string>
  }) => Stream.Stream<EngineEvent, CallError>
}

/** The engine that all else stands on. Layers: `@sbx/engine/Docker`. */
export class Engine extends Context.Service<Engine, EngineShape>()("@sbx/engine/Engine") {}
