/**
 * The handle on one live sandbox. Methods need nothing but a scope where they say so; what the engine does not tell is not told.
 */
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { OutputFrame } from "@sbx/engine/Engine"
import type { UnknownEvent, EventUndecodable } from "@sbx/journal/EventFamily"
import type { AppendError, JournalUnavailable, Recorded } from "@sbx/journal/Journal"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { CommandFailed, CommandNotFound, ExecError, ProcessError, SandboxNotRunning } from "./Exec.ts"
import type {
  ExecOptions,
  ExecResult,
  ExitInfo,
  SandboxIdentity,
  SandboxInspect,
  SandboxState,
  SpawnedProcess,
  StopResult
} from "./Sandbox.ts"
import type { SandboxEvent } from "./SandboxEvent.ts"
import type { SandboxFiles } from "./SandboxFiles.ts"
import type { SandboxRemovalFailed } from "./SandboxRemoval.ts"
import type { Strategy, WaitError } from "./Wait.ts"

/** What a change of state may fail with. */
export type ChangeError = SandboxNotRunning | CallError | ObjectNotFound | EngineConflict | InvalidRequest | AppendError

export interface SpawnOptions extends Pick<ExecOptions, "env" | "cwd" | "user"> {
  /** Keep standard input open for `writeStdin`; else the process reads end of file. */
  readonly stdin?: boolean
}

export interface StopOptions {
  /** Default: the spec's. Whole seconds, rounded up: engines know no finer. */
  readonly grace?: Duration.Input
}

export interface Sandbox extends SandboxIdentity {
  /** After a look at the engine, which is recorded. */
  readonly state: Effect.Effect<SandboxState, CallError | AppendError>
  /** Runs argv to its end. The exit code is data. */
  readonly exec: (argv: ReadonlyArray<string>, options?: ExecOptions) => Effect.Effect<ExecResult, ExecError>
  /** Like `exec`; another exit code than 0 fails with `CommandFailed`. */
  readonly execOk: (
    argv: ReadonlyArray<string>,
    options?: ExecOptions
  ) => Effect.Effect<ExecResult, ExecError | CommandFailed>
  /** Starts argv; the scope's end kills all of its processes. */
  readonly spawn: (
    argv: ReadonlyArray<string>,
    options?: SpawnOptions
  ) => Effect.Effect<SpawnedProcess, ProcessError, Scope.Scope>
  readonly files: SandboxFiles
  /** Until the strategy holds; ends early when the sandbox does. Default timeout: the environment's. */
  readonly wait: (strategy: Strategy, options?: { readonly timeout?: Duration.Input }) => Effect.Effect<void, WaitError>
  /** Already paused is success. */
  readonly pause: Effect.Effect<void, ChangeError>
  /** Already running is success. */
  readonly resume: Effect.Effect<void, ChangeError>
  /** SIGTERM, then SIGKILL after the grace time. */
  readonly stop: (options?: StopOptions) => Effect.Effect<StopResult, ChangeError>
  /** SIGKILL at once. */
  readonly kill: Effect.Effect<StopResult, ChangeError>
  /** Stops (if it runs) and starts the same container; a disk workspace keeps its contents, a memory one loses them. */
  readonly restart: (options?: StopOptions) => Effect.Effect<void, ChangeError | CommandNotFound>
  /** Container, workspace, uid. Idempotent; the scope's end does the same. */
  readonly remove: Effect.Effect<void, SandboxRemovalFailed>
  /** When PID 1 has ended. */
  readonly awaitExit: Effect.Effect<ExitInfo, CallError | ObjectNotFound | AppendError>
  /** Output of PID 1, at most the last 2 MiB (the log is rotated). */
  readonly logs: (options?: {
    readonly follow?: boolean
    readonly tail?: number
  }) => Stream.Stream<OutputFrame, CallError | ObjectNotFound>
  readonly inspect: SandboxInspect
  /** Its own facts from the first on, then live; never ends by itself. */
  readonly events: Stream.Stream<Recorded<SandboxEvent | UnknownEvent>, JournalUnavailable | EventUndecodable>
}
