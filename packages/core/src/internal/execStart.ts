/** Starts one exec: intent, engine call, marker in the environment, typed refusals. Shared by `exec` and `spawn`. */
import type { Engine, ExecConnection } from "@sbx/engine/Engine"
import type { EngineConflict, InvalidRequest } from "@sbx/engine/EngineError"
import type { AppendError } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { ExecDefaults } from "../Exec.ts"
import { CommandNotFound, type ProcessError, SandboxNotRunning } from "../Exec.ts"
import type { ExecOptions } from "../Sandbox.ts"
import type { OutcomeEvent } from "../SandboxEvent.ts"
import type { SandboxSpec } from "../SandboxSpec.ts"
import { makeId } from "../SandboxId.ts"
import { sha256 } from "./digest.ts"
import type { ExecEnds } from "./execEnds.ts"
import { kill, type KillTarget, markerName } from "./killLadder.ts"
import { observe, type Recorder } from "./sandboxRecorder.ts"

/** What operations on one sandbox share. */
export interface SandboxContext {
  readonly engine: Engine["Service"]
  readonly recorder: Recorder
  readonly id: string
  readonly spec: SandboxSpec
  readonly uid: number
  /** `uid:gid`, or what the spec's loosening says. */
  readonly user: string
  readonly execDefaults: ExecDefaults
  readonly execEnds: ExecEnds
  /** The container of the present attempt. */
  readonly containerId: () => string
}

type Place = Pick<ExecOptions, "env" | "cwd" | "user">

export interface StartedExec {
  readonly execKey: string
  /** That it started, to be recorded by whoever began it. */
  readonly startedEvent: OutcomeEvent
  readonly connection: ExecConnection
  readonly target: KillTarget
  readonly startedNanos: bigint
}

/** The recorded status, after a look at the engine. */
export const refresh = Effect.fnUntraced(function* (context: SandboxContext) {
  const inspect = yield* context.engine
    .inspectContainer(context.containerId())
    .pipe(Effect.catchTag("ObjectNotFound", () => Effect.void))
  yield* observe(context.recorder, inspect ?? undefined)
  return context.recorder.state().status
})

const intend = Effect.fnUntraced(function* (
  context: SandboxContext,
  execKey: string,
  argv: ReadonlyArray<string>,
  options: Place,
  timeoutMillis: number
) {
  return yield* context.recorder.submit({
    _tag: "Exec",
    atMillis: yield* Clock.currentTimeMillis,
    execKey,
    argv,
    argvDigest: `sha256:${sha256(argv.join("\0"))}`,
    user: options.user ?? context.user,
    cwd: options.cwd ?? context.spec.workingDir,
    timeoutMillis
  })
})

export const timeoutMillisOf = (context: SandboxContext, options: ExecOptions) =>
  Duration.toMillis(options.timeout ?? context.execDefaults.timeout)

/** Opens once the intent is recorded; keeps what became of that, and when. */
const gateOf = <E>(intend: Effect.Effect<unknown, E>) => {
  let intent: Exit.Exit<unknown, E> | undefined
  let openedNanos = 0n
  const gate = Effect.gen(function* () {
    intent = yield* Effect.exit(intend)
    openedNanos = yield* Clock.currentTimeNanos
    return Exit.isSuccess(intent)
  })
  /** Why the intent could not be recorded, before whatever the engine says of that. */
  const settle = <A, E2, R>(started: Effect.Effect<A, E2, R>): Effect.Effect<A, E | E2, R> =>
    Effect.flatMap(Effect.exit(started), (exit): Effect.Effect<A, E | E2> => {
      if (intent !== undefined && Exit.isFailure(intent)) return Effect.failCause(intent.cause)
      if (intent !== undefined || Exit.isFailure(exit)) return exit
      return Effect.die(new Error("the engine made a process without asking whether it may"))
    })
  return { gate, settle, isOpen: () => intent !== undefined && Exit.isSuccess(intent), openedNanos: () => openedNanos }
}

/** `begin`, and recorded. */
export const start = Effect.fnUntraced(function* (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  options: Place,
  request: StartRequest
): Effect.fn.Return<StartedExec, ProcessError, Scope.Scope> {
  const started = yield* begin(context, argv, options, request)
  yield* context.recorder.report(started.startedEvent).pipe(
    // Whoever asked gets an error and no handle: nobody else could end it.
    Effect.tapError(() => Effect.ignore(kill(context.engine, started.target, "KILL"), { log: "Warn" }))
  )
  return started
}, Effect.uninterruptible)

interface StartRequest {
  readonly stdin: boolean
  readonly timeoutMillis: number
}

/**
 * Not interruptible: a start given up half-way may still make a process, which nobody would know to kill. The intent is durable
 * before there is a process; in the meantime the engine prepares the exec, a record of its own that runs nothing. A timeout of zero
 * stands for "none" in the record.
 */
export const begin = Effect.fnUntraced(function* (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  options: Place,
  request: StartRequest
): Effect.fn.Return<StartedExec, ProcessError, Scope.Scope> {
  const execKey = yield* makeId("exe")
  const attempt = intend(context, execKey, argv, options, request.timeoutMillis)
  const intent = gateOf(
    attempt.pipe(
      // What is recorded may lag behind the engine, in both directions: look, then ask once more.
      Effect.catchTag("LifecycleRejection", () => Effect.andThen(refresh(context), attempt)),
      Effect.catchTag("LifecycleRejection", (rejection) => notRunning(context, rejection.status))
    )
  )
  const connection = yield* context.engine
    .exec(context.containerId(), {
      argv,
      env: { ...options.env, [markerName]: execKey },
      workingDir: options.cwd ?? context.spec.workingDir,
      user: options.user ?? context.user,
      stdin: request.stdin,
      gate: intent.gate
    })
    .pipe(
      Effect.tapError((error) => (intent.isOpen() ? failed(context, execKey, error.message) : Effect.void)),
      Effect.catchTag("EngineConflict", (error) => (intent.isOpen() ? refused(context, error) : Effect.fail(error))),
      Effect.catchTag("InvalidRequest", (error) => invalid(context, argv, error)),
      intent.settle
    )
  const startedNanos = intent.openedNanos()
  const target: KillTarget = {
    containerId: context.containerId(),
    marker: execKey,
    execId: connection.execId,
    user: options.user ?? context.user
  }
  const atMillis = yield* Clock.currentTimeMillis
  const startedEvent: OutcomeEvent = { _tag: "ExecStarted", atMillis, execKey, execId: connection.execId }
  return { execKey, startedEvent, connection, startedNanos, target }
}, Effect.uninterruptible)

const notRunning = (context: SandboxContext, state: string) =>
  Effect.fail(new SandboxNotRunning({ sandboxId: context.id, operation: "run a command", state }))

const refused = (context: SandboxContext, error: EngineConflict): Effect.Effect<never, ProcessError> =>
  error.reason === "paused" || error.reason === "not-running"
    ? refresh(context).pipe(
        Effect.flatMap((status) => notRunning(context, status === "running" ? error.reason : status))
      )
    : Effect.fail(error)

const invalid = (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  error: InvalidRequest
): Effect.Effect<never, ProcessError> =>
  Effect.fail(
    error.reason === "command-not-found" || error.reason === "command-not-executable"
      ? new CommandNotFound({
          sandboxId: context.id,
          command: argv[0] ?? "",
          reason: error.reason === "command-not-found" ? "not-found" : "not-executable",
          detail: error.detail
        })
      : error
  )

/** After the upgrade engines write the runtime's refusal into the output and exit with 126, 127 or 128 (moby#45795). */
export const refusedByRuntime = (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  exitCode: number,
  text: string
): CommandNotFound | undefined => {
  if (exitCode < 126 || exitCode > 128 || !text.startsWith("OCI runtime exec failed:")) return undefined
  const reason = /executable file not found|no such file or directory/.test(text) ? "not-found" : "not-executable"
  return new CommandNotFound({ sandboxId: context.id, command: argv[0] ?? "", reason, detail: text.trim() })
}

/** Nothing runs: why not. */
export const failed = Effect.fnUntraced(function* (
  context: SandboxContext,
  execKey: string,
  reason: string
): Effect.fn.Return<void, AppendError> {
  yield* context.recorder.report(yield* failure(execKey, reason))
})

export const failure = (execKey: string, reason: string): Effect.Effect<OutcomeEvent> =>
  Effect.map(Clock.currentTimeMillis, (atMillis) => ({ _tag: "ExecFailed", atMillis, execKey, reason }))

/** Its end will not be known: why not. */
export const loss = (execKey: string, reason: string): Effect.Effect<OutcomeEvent> =>
  Effect.map(Clock.currentTimeMillis, (atMillis) => ({ _tag: "ExecLost", atMillis, execKey, reason }))

/** Milliseconds since the start, by the monotonic clock. */
export const elapsedMillis = (started: StartedExec): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeNanos, (now) => Number(now - started.startedNanos) / 1e6)
