/** Runs one command in a session: its turn, its request, its end, and the kill that leaves the shell alive. */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import { CommandNotFound, ExecTimeout } from "../Exec.ts"
import type { ExecOptions, ExecResult } from "../Sandbox.ts"
import { makeId } from "../SandboxId.ts"
import { type SandboxContext, timeoutMillisOf } from "./execStart.ts"
import { killMarked } from "./killLadder.ts"
import { commandMarker, requestBytes } from "./sessionScript.ts"
import { makeNonce, type Reading, type Shell, type ShellEnd, ShellEnd as End } from "./sessionShell.ts"

export interface Session {
  readonly context: SandboxContext
  readonly shell: Shell
  readonly user: string
  /** Held from the request to the end frame, whoever has stopped waiting. */
  readonly turn: Semaphore.Semaphore
  /** Of the session. */
  readonly scope: Scope.Scope
}

type Options = Omit<ExecOptions, "user">

/** The working directory asked for cannot be entered. */
export class NoDirectory extends Data.TaggedError("NoDirectory")<{ readonly cwd: string }> {}

export type RunError = ShellEnd | NoDirectory | CommandNotFound | ExecTimeout

/** What execve(2) cannot take. */
export const faultOf = (argv: ReadonlyArray<string>, { env = {}, cwd }: Options) => {
  const badName = Object.keys(env).find((name) => name === "" || name.includes("=") || name.startsWith("-"))
  const nul = (text: string) => text.includes("\0")
  if (argv[0] === undefined || argv[0] === "") return { field: "argv", value: "", expectation: "a program" } as const
  const word =
    argv.find(nul) ?? Object.entries(env).flat().find(nul) ?? (cwd !== undefined && nul(cwd) ? cwd : undefined)
  if (word !== undefined) return { field: "argv", value: word, expectation: "no NUL in words, env and cwd" } as const
  if (argv[0].includes("=") && Object.keys(env).length > 0) {
    return { field: "argv", value: argv[0], expectation: "a program without = where env is given" } as const
  }
  return badName === undefined
    ? undefined
    : ({
        field: "env",
        value: badName,
        expectation: "names that are not empty, hold no = and begin with no -"
      } as const)
}

interface Command {
  readonly session: Session
  readonly argv: ReadonlyArray<string>
  readonly options: Options
  readonly marker: string
  /** What comes first: its end, or why it is to be killed. */
  readonly first: Deferred.Deferred<"done" | "timeout" | "interrupt">
  readonly result: Deferred.Deferred<ExecResult, RunError>
}

/** The command outlives a caller who is interrupted just so long as it takes to kill it. */
export const run = Effect.fnUntraced(function* (
  session: Session,
  argv: ReadonlyArray<string>,
  options: Options
): Effect.fn.Return<ExecResult, RunError> {
  const command: Command = {
    session,
    argv,
    options,
    marker: (yield* makeId("c")).slice(2, 12),
    first: Deferred.makeUnsafe<"done" | "timeout" | "interrupt">(),
    result: Deferred.makeUnsafe<ExecResult, RunError>()
  }
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const work = session.turn.withPermit(Effect.uninterruptible(serve(command))).pipe(
        // The session's end interrupts what waits for its turn.
        Effect.ensuring(Deferred.fail(command.result, closed)),
        Effect.interruptible
      )
      const fiber = yield* Effect.forkIn(work, session.scope, { startImmediately: true })
      return yield* restore(Deferred.await(command.result)).pipe(
        Effect.onInterrupt(() => Effect.andThen(Deferred.succeed(command.first, "interrupt"), Fiber.interrupt(fiber)))
      )
    })
  )
})

/** What running commands hear when the session is closed. */
export const closed = new End({ detail: "its scope was closed", exitCode: undefined })

/** With the turn in hand, until the shell has told the end. */
const serve = Effect.fnUntraced(function* (command: Command): Effect.fn.Return<void> {
  const { session, argv, options, marker, first, result } = command
  const { shell, context } = session
  const dead = shell.ended()
  if (dead !== undefined) return yield* Effect.asVoid(Deferred.fail(result, dead))
  const nonce = yield* makeNonce
  const limit = options.outputLimitBytes ?? context.execDefaults.outputLimitBytes
  const timeoutMillis = timeoutMillisOf(context, options)
  const startedNanos = yield* Clock.currentTimeNanos
  const reading = yield* shell.expect(nonce, limit, () => Deferred.doneUnsafe(first, Effect.succeed("done")))
  const stdin = typeof options.stdin === "string" ? new TextEncoder().encode(options.stdin) : options.stdin
  const request = requestBytes({
    nonce,
    marker,
    argv,
    env: options.env ?? {},
    cwd: options.cwd ?? "",
    stdin: stdin ?? new Uint8Array()
  })
  // In whole, whatever becomes of the command: half a request would be read as the next one.
  yield* Effect.forkIn(
    shell.write(request).pipe(
      Effect.catch((error) => shell.fail(new End({ detail: error.message, exitCode: undefined }))),
      Effect.interruptible
    ),
    session.scope,
    { startImmediately: true }
  )
  const timer = yield* Effect.forkIn(
    Effect.andThen(Effect.sleep(timeoutMillis), Deferred.succeed(first, "timeout")),
    session.scope,
    { startImmediately: true }
  )
  const came = yield* Deferred.await(first)
  yield* Fiber.interrupt(timer)
  if (came === "done") yield* conclude(command, reading, startedNanos)
  else yield* cutShort(command, reading, timeoutMillis)
})

const conclude = Effect.fnUntraced(function* (command: Command, reading: Reading, startedNanos: bigint) {
  const { argv, options, result, session } = command
  const exit = yield* Effect.exit(Deferred.await(reading.done))
  if (exit._tag === "Failure") return yield* Deferred.failCause(result, exit.cause)
  const { kind, text } = exit.value
  if (kind === "refusal") return yield* Deferred.fail(result, refused(session.context.id, argv, options, text))
  const durationMillis = Number((yield* Clock.currentTimeNanos) - startedNanos) / 1e6
  return yield* Deferred.succeed(result, {
    argv,
    exitCode: Number(text),
    durationMillis,
    ...texts(reading),
    stdoutBytes: reading.stdout.bytes(),
    stderrBytes: reading.stderr.bytes()
  })
})

const texts = ({ stdout, stderr }: Reading) => ({
  stdout: stdout.text(),
  stderr: stderr.text(),
  stdoutTruncated: stdout.truncated(),
  stderrTruncated: stderr.truncated()
})

const refused = (sandboxId: string, argv: ReadonlyArray<string>, options: Options, refusal: string) =>
  refusal === "cwd"
    ? new NoDirectory({ cwd: options.cwd ?? "" })
    : new CommandNotFound({
        sandboxId,
        command: argv[0] ?? "",
        reason: refusal === "missing" ? "not-found" : "not-executable",
        detail: "the session's shell looked it up"
      })

/** As long as a process may take to die, and its shell to say so. */
const killDeadline = "5 seconds"

/** Kills the command until the shell tells its end; a shell that does not is killed too, unless the sandbox is paused. */
const cutShort = Effect.fnUntraced(function* (command: Command, reading: Reading, timeoutMillis: number) {
  const { session, argv, marker, result } = command
  const { context, shell } = session
  const round = killMarked(context.engine, {
    containerId: context.containerId(),
    user: session.user,
    variable: `${commandMarker}=${marker}`,
    ownSessions: shell.ownSessions
  }).pipe(
    Effect.map((rung) => ({ rung, detail: "" })),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed({ rung: "already-dead" as const, detail: "" })),
    Effect.catch((error) => Effect.succeed({ rung: "not-killed" as const, detail: error.message }))
  )
  const first = yield* round
  const over = Effect.exit(Deferred.await(reading.done))
  const again = Effect.repeat(round, { schedule: Schedule.spaced("10 millis") })
  const paused = first.rung === "pending-paused"
  const end = paused
    ? yield* Deferred.poll(reading.done)
    : yield* Effect.timeoutOption(Effect.raceFirst(over, Effect.andThen(again, Effect.never)), killDeadline)
  yield* Deferred.fail(
    result,
    new ExecTimeout({ sandboxId: context.id, argv, timeoutMillis, ...first, ...texts(reading) })
  )
  if (Option.isSome(end)) return
  if (paused) return yield* Effect.asVoid(over)
  yield* shell.fail(new End({ detail: "a command could not be killed", exitCode: undefined }))
  yield* Effect.ignore(shell.process.kill("KILL"))
})
