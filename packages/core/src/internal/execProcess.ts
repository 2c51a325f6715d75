/** Runs one command to its end: bounded output, kill inside on timeout and interrupt, exit code from the engine only. */
import { awaitExecExit } from "@sbx/engine/ExecExit"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { CallError, ObjectNotFound } from "@sbx/engine/EngineError"
import type { ExecExitUnknown } from "@sbx/engine/ExecExit"
import type { AppendError } from "@sbx/journal/Journal"
import { CommandFailed, type ExecError, ExecTimeout } from "../Exec.ts"
import type { ExecOptions, ExecResult } from "../Sandbox.ts"
import type { OutcomeEvent } from "../SandboxEvent.ts"
import * as Capture from "./capture.ts"
import {
  begin,
  elapsedMillis,
  failure,
  loss,
  refusedByRuntime,
  type SandboxContext,
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
      const started = yield* begin(context, argv, options, { stdin: options.stdin !== undefined, timeoutMillis })
      const running: Running = { started, argv, captures, timeoutMillis, isOwed: true }
      return yield* restore(within(context, running, options.stdin)).pipe(
        Effect.onInterrupt(() => abandon(context, running, "interrupted"))
      )
    })
  ).pipe(Effect.scoped)
})

interface Running {
  readonly started: StartedExec
  readonly argv: ReadonlyArray<string>
  readonly captures: Captures
  readonly timeoutMillis: number
  /** Whether its start is yet to be recorded. */
  isOwed: boolean
}

/** A process that ends sooner is recorded once, its start with its end: that saves a durable write of three. */
const recordStartAfterMillis = 100

/** Records how it ended, and what is owed before. */
const record = (context: SandboxContext, running: Running, outcome: OutcomeEvent): Effect.Effect<void, AppendError> =>
  Effect.suspend(() => {
    if (!running.isOwed) return context.recorder.report(outcome)
    running.isOwed = false
    return context.recorder.submitAll([report(running.started.startedEvent), report(outcome)]).pipe(
      Effect.asVoid,
      // As `report` does: its sandbox's life is over.
      Effect.catchTag("LifecycleRejection", (rejection) => Effect.logDebug(rejection.message))
    )
  })

const report = (outcome: OutcomeEvent) => ({ _tag: "Report", outcome }) as const

type First = Exit.Exit<number, RunError | AppendError> | "timeout"

/** To its end or its timeout, whichever is first. */
const within = Effect.fnUntraced(function* (context: SandboxContext, running: Running, stdin: ExecOptions["stdin"]) {
  const { started, captures } = running
  const first = Deferred.makeUnsafe<First>()
  const fiber = yield* Effect.forkScoped(run(context, started, captures, stdin), { startImmediately: true })
  fiber.addObserver((exit) => void Deferred.doneUnsafe(first, Effect.succeed(exit)))
  yield* Effect.forkScoped(watchClock(context, running, first), { startImmediately: true })
  const came = yield* Deferred.await(first)
  return came === "timeout" ? yield* expire(context, running, fiber) : yield* finish(context, running, came)
})

/** Records the start of what does not end at once, then waits for the timeout. */
const watchClock = Effect.fnUntraced(function* (
  context: SandboxContext,
  running: Running,
  first: Deferred.Deferred<First>
) {
  const { started, timeoutMillis } = running
  const sleepUntil = (millis: number) =>
    Effect.flatMap(elapsedMillis(started), (elapsed) => Effect.sleep(Math.max(0, millis - elapsed)))
  if (timeoutMillis > recordStartAfterMillis) {
    yield* sleepUntil(recordStartAfterMillis)
    running.isOwed = false
    const recorded = yield* Effect.exit(context.recorder.report(started.startedEvent))
    // What cannot be recorded may not run.
    if (Exit.isFailure(recorded)) return yield* Deferred.succeed(first, Exit.failCause(recorded.cause))
  }
  yield* sleepUntil(timeoutMillis)
  return yield* Deferred.succeed(first, "timeout")
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
  const both = stdin === undefined ? drain : Effect.raceFirst(Effect.andThen(feed, Effect.never), drain)
  return both.pipe(
    Effect.andThen(context.execEnds.codeOf(connection.execId)),
    Effect.flatMap((told) =>
      told !== undefined
        ? Effect.succeed(told)
        : Effect.map(awaitExecExit(context.engine, connection.execId, exitDeadline), ({ exitCode }) => exitCode)
    )
  )
}

const finish = Effect.fnUntraced(function* (
  context: SandboxContext,
  running: Running,
  exit: Exit.Exit<number, RunError | AppendError>
): Effect.fn.Return<ExecResult, ExecError> {
  const { started, argv, captures } = running
  if (Exit.isFailure(exit)) {
    yield* abandon(context, running, Cause.pretty(exit.cause).split("\n")[0] ?? "failed")
    return yield* Effect.failCause(exit.cause)
  }
  const exitCode = exit.value
  const refusal = refusedByRuntime(context, argv, exitCode, captures.stdout.text() || captures.stderr.text())
  if (refusal !== undefined) {
    yield* record(context, running, yield* failure(started.execKey, refusal.detail))
    return yield* refusal
  }
  const durationMillis = yield* elapsedMillis(started)
  yield* record(context, running, {
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
  running: Running,
  fiber: Fiber.Fiber<number, RunError>
): Effect.fn.Return<never, ExecError> {
  const { started, argv, captures, timeoutMillis } = running
  // Not interruptible: a process past its time must not be left because its caller lost interest.
  const { rung, detail } = yield* Effect.uninterruptible(tryKill(context, started))
  if (rung !== "pending-paused" && rung !== "not-killed") yield* Effect.timeoutOption(Fiber.await(fiber), drainDeadline)
  yield* record(context, running, {
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
const abandon = (context: SandboxContext, running: Running, reason: string): Effect.Effect<void> =>
  kill(context.engine, running.started.target, "KILL").pipe(
    Effect.map((rung) => `${reason}; killed: ${rung}`),
    Effect.catch((error) => Effect.succeed(`${reason}; not killed: ${error.message}`)),
    Effect.flatMap((outcome) => loss(running.started.execKey, outcome)),
    Effect.flatMap((lost) => record(context, running, lost)),
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
