/** Runs one command to its end: bounded output, kill inside on timeout and interrupt, exit code from the engine only. */
import { awaitExecExit } from "@sbx/engine/ExecExit"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CallError, ObjectNotFound } from "@sbx/engine/EngineError"
import type { ExecExitUnknown } from "@sbx/engine/ExecExit"
import { CommandFailed, type ExecError, ExecTimeout } from "../Exec.ts"
import type { ExecOptions, ExecResult } from "../Sandbox.ts"
import * as Capture from "./capture.ts"
import {
  elapsedMillis,
  failed,
  lost,
  refusedByRuntime,
  type SandboxContext,
  start,
  type StartedExec,
  timeoutMillisOf
} from "./execStart.ts"
import { kill } from "./killLadder.ts"

interface Captures {
  readonly stdout: Capture.Capture
  readonly stderr: Capture.Capture
}

type RunError = CallError | ObjectNotFound | ExecExitUnknown

/** The engine closes the output at most 2 s after the exit (moby's copy timeout), and records the code soon after. */
const exitDeadline = "10 seconds"
/** What the dead process had written is still on its way. */
const drainDeadline = "3 seconds"

export const exec = Effect.fnUntraced(function* (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  options: ExecOptions = {}
): Effect.fn.Return<ExecResult, ExecError> {
  const limit = options.outputLimitBytes ?? context.execDefaults.outputLimitBytes
  const captures: Captures = { stdout: Capture.make(limit), stderr: Capture.make(limit) }
  const timeoutMillis = timeoutMillisOf(context, options)
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const started = yield* start(context, argv, options, { stdin: options.stdin !== undefined, timeoutMillis })
      return yield* restore(within(context, { started, argv, captures, timeoutMillis }, options.stdin)).pipe(
        Effect.onInterrupt(() => abandon(context, started, "interrupted"))
      )
    })
  ).pipe(Effect.scoped)
})

interface Running {
  readonly started: StartedExec
  readonly argv: ReadonlyArray<string>
  readonly captures: Captures
  readonly timeoutMillis: number
}

/** To its end or its timeout, whichever is first. */
const within = Effect.fnUntraced(function* (context: SandboxContext, running: Running, stdin: ExecOptions["stdin"]) {
  const { started, captures, timeoutMillis } = running
  const fiber = yield* Effect.forkScoped(run(context, started, captures, stdin))
  const left = Math.max(0, timeoutMillis - (yield* elapsedMillis(started)))
  const exit = yield* Effect.timeoutOption(Fiber.await(fiber), left)
  return Option.isSome(exit) ? yield* finish(context, running, exit.value) : yield* expire(context, running, fiber)
})

/** Feeds, drains, waits for the code. */
const run = (
  context: SandboxContext,
  started: StartedExec,
  captures: Captures,
  stdin: ExecOptions["stdin"]
): Effect.Effect<number, RunError> => {
  const { connection } = started
  const feed =
    stdin === undefined
      ? Effect.void
      : connection.writeStdin(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin).pipe(
          Effect.andThen(connection.endStdin),
          // A process that ended without reading all of its input is no failure: its exit code tells.
          Effect.ignore
        )
  const drain = Stream.runForEach(connection.output, ({ channel, bytes }) =>
    Effect.sync(() => captures[channel].add(bytes))
  )
  return Effect.raceFirst(Effect.andThen(feed, Effect.never), drain).pipe(
    Effect.andThen(awaitExecExit(context.engine, connection.execId, exitDeadline)),
    Effect.map(({ exitCode }) => exitCode)
  )
}

const finish = Effect.fnUntraced(function* (
  context: SandboxContext,
  { started, argv, captures }: Running,
  exit: Exit.Exit<number, RunError>
): Effect.fn.Return<ExecResult, ExecError> {
  if (Exit.isFailure(exit)) {
    yield* abandon(context, started, Cause.pretty(exit.cause).split("\n")[0] ?? "failed")
    return yield* Effect.failCause(exit.cause)
  }
  const exitCode = exit.value
  const refusal = refusedByRuntime(context, argv, exitCode, captures.stdout.text() || captures.stderr.text())
  if (refusal !== undefined) {
    yield* failed(context, started.execKey, refusal.detail)
    return yield* refusal
  }
  const durationMillis = yield* elapsedMillis(started)
  yield* context.recorder.report({
    _tag: "ExecExited",
    atMillis: yield* Clock.currentTimeMillis,
    execKey: started.execKey,
    exitCode,
    durationMillis,
    ...digests(captures)
  })
  return {
    argv,
    exitCode,
    durationMillis,
    ...texts(captures),
    stdoutBytes: captures.stdout.bytes(),
    stderrBytes: captures.stderr.bytes()
  }
})

const expire = Effect.fnUntraced(function* (
  context: SandboxContext,
  { started, argv, captures, timeoutMillis }: Running,
  fiber: Fiber.Fiber<number, RunError>
): Effect.fn.Return<never, ExecError> {
  // Not interruptible: a process past its time must not be left because its caller lost interest.
  const { rung, detail } = yield* Effect.uninterruptible(tryKill(context, started))
  if (rung !== "pending-paused" && rung !== "not-killed") yield* Effect.timeoutOption(Fiber.await(fiber), drainDeadline)
  yield* context.recorder.report({
    _tag: "ExecTimedOut",
    atMillis: yield* Clock.currentTimeMillis,
    execKey: started.execKey,
    durationMillis: yield* elapsedMillis(started),
    rung,
    ...digests(captures)
  })
  return yield* new ExecTimeout({ sandboxId: context.id, argv, timeoutMillis, rung, detail, ...texts(captures) })
})

/** What was captured is worth returning even when the kill fails. */
const tryKill = (context: SandboxContext, started: StartedExec): Effect.Effect<Pick<ExecTimeout, "rung" | "detail">> =>
  kill(context.engine, started.target, "KILL").pipe(
    // With its container.
    Effect.catchTag("ObjectNotFound", () => Effect.succeed("already-dead" as const)),
    Effect.match({
      onSuccess: (rung) => ({ rung, detail: "" }),
      onFailure: (error) => ({ rung: "not-killed" as const, detail: error.message })
    })
  )

/** Nobody waits for it any more: kill it and say that its code will not be known. */
const abandon = (context: SandboxContext, started: StartedExec, reason: string): Effect.Effect<void> =>
  kill(context.engine, started.target, "KILL").pipe(
    Effect.map((rung) => `${reason}; killed: ${rung}`),
    Effect.catch((error) => Effect.succeed(`${reason}; not killed: ${error.message}`)),
    Effect.flatMap((outcome) => lost(context, started.execKey, outcome)),
    Effect.catch((error) => Effect.logWarning(error.message))
  )

const digests = ({ stdout, stderr }: Captures) => ({ stdout: stdout.digest(), stderr: stderr.digest() })

const texts = ({ stdout, stderr }: Captures) => ({
  stdout: stdout.text(),
  stderr: stderr.text(),
  stdoutTruncated: stdout.truncated(),
  stderrTruncated: stderr.truncated()
})

/** Like `exec`; any other exit code than 0 is a failure with everything that is known. */
export const execOk = Effect.fnUntraced(function* (
  context: SandboxContext,
  argv: ReadonlyArray<string>,
  options?: ExecOptions
): Effect.fn.Return<ExecResult, ExecError | CommandFailed> {
  const result = yield* exec(context, argv, options)
  if (result.exitCode === 0) return result
  const { exitCode, durationMillis, stdout, stderr, stdoutTruncated, stderrTruncated } = result
  const shown = { stdout, stderr, stdoutTruncated, stderrTruncated }
  return yield* new CommandFailed({ sandboxId: context.id, argv, exitCode, durationMillis, ...shown })
})
