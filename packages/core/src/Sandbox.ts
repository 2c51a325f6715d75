/**
 * A handle on one sandbox. Every method requires nothing but a scope where it says so; exit codes are data, never invented.
 */
import type { ContainerInspect, OutputFrame } from "@sbx/engine/Engine"
import type { CallError, EngineConflict, ObjectNotFound } from "@sbx/engine/EngineError"
import type { ExecExitUnknown } from "@sbx/engine/ExecExit"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { CommandNotFound } from "./Exec.ts"
import type { SandboxSpec } from "./SandboxSpec.ts"

/** `sbx_` and 16 characters of base32. */
export type SandboxId = string

export interface ExecOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Default: the spec's working directory. */
  readonly cwd?: string
  /** Default: the sandbox's own uid. */
  readonly user?: string
  readonly stdin?: Uint8Array | string
  /** Default: the environment's `defaultTimeout` (30 s). On expiry the process is killed inside and partial output is kept. */
  readonly timeout?: Duration.Input
  /** Bound of each captured stream, bytes. Default 1 MiB; more is dropped and flagged. */
  readonly outputLimitBytes?: number
}

export interface ExecResult {
  readonly argv: ReadonlyArray<string>
  /** As the engine reports it; 128 + n for a death by signal n. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: Uint8Array
  readonly stderrBytes: Uint8Array
  readonly stdoutTruncated: boolean
  readonly stderrTruncated: boolean
  readonly durationMillis: number
}

/**
 * A running process of a sandbox; its scope's end kills it with its descendants and session. A process that left all of these
 * and its environment behind (`env -i setsid …` whose parent ended) lives until the container ends.
 */
export interface SpawnedProcess {
  readonly execId: string
  readonly stdout: Stream.Stream<Uint8Array, CallError>
  readonly stderr: Stream.Stream<Uint8Array, CallError>
  readonly writeStdin: (bytes: Uint8Array) => Effect.Effect<void, CallError>
  readonly endStdin: Effect.Effect<void, CallError>
  readonly exitCode: Effect.Effect<number, CallError | ObjectNotFound | ExecExitUnknown | CommandNotFound>
  /** Signals the process, its descendants and its session. Resolves to the rung of the ladder that was used. */
  readonly kill: (signal: string) => Effect.Effect<KillRung, CallError | ObjectNotFound | EngineConflict>
}

/**
 * How a process inside was reached: in the host's /proc (by pid, marker, descent and session), by an exec of `kill` (by marker),
 * or by killing the container. `already-dead`: nothing was found, and the engine says that the exec has ended.
 */
export type KillRung = "host-pid" | "kill-exec" | "container" | "already-dead" | "pending-paused"

/** The lifecycle states; `removed`, `failed` and `lost` are terminal. */
export type SandboxState =
  | "requested"
  | "creating"
  | "created"
  | "starting"
  | "running"
  | "paused"
  | "stopping"
  | "stopped"
  | "removing"
  | "removed"
  | "failed"
  | "lost"

/** What every container-based tool (monitor, chaos, security) takes: a container of the engine, ours or not. */
export interface ContainerTarget {
  readonly containerId: string
  readonly name: string
}

export interface StopResult {
  readonly exitCode: number
  /** False when the grace time ran out and the engine killed it. */
  readonly graceful: boolean
  readonly durationMillis: number
}

export interface ExitInfo {
  readonly exitCode: number
  readonly oomKilled: boolean
  readonly finishedAtMillis: number
}

export type EngineCallError = CallError | ObjectNotFound | EngineConflict

export interface SandboxLogs {
  (options: {
    readonly follow: boolean
    readonly tail?: number
  }): Stream.Stream<OutputFrame, CallError | ObjectNotFound>
}

/** Shape of `inspect` as every consumer sees it. */
export type SandboxInspect = Effect.Effect<ContainerInspect, CallError | ObjectNotFound>

/** Facts fixed at creation; `containerId` and `name` are those of the present container, which a supervisor may replace. */
export interface SandboxIdentity extends ContainerTarget {
  readonly id: SandboxId
  readonly spec: SandboxSpec
  /** Numeric uid and gid of the sandbox's processes on the engine's host. */
  readonly uid: number
  /** Labelled volume that holds the workspace. */
  readonly volume: string
  readonly createdAtMillis: number
  readonly startedAtMillis: number
}

export type ScopedEffect<A, E> = Effect.Effect<A, E, Scope.Scope>
