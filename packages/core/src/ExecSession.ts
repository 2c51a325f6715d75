/**
 * One long-lived exec that serves many commands: some 1 ms each instead of the tens that an exec of its own costs. Opt-in. NOT
 * tamper-proof: the code inside runs as the same user as the session's shell, can stop it, and could forge the frames that
 * separate outputs and carry exit codes. So it is for trusted work, and no check of a boundary may use it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { CommandNotFound, ExecTimeout, ProcessError } from "./Exec.ts"
import { internalsOf } from "./internal/sandboxInternals.ts"
import * as SessionRun from "./internal/sessionRun.ts"
import * as SessionShell from "./internal/sessionShell.ts"
import type { ExecOptions, ExecResult } from "./Sandbox.ts"
import type { Sandbox, SpawnOptions } from "./SandboxHandle.ts"

/** The session's shell is gone, and with it the command that was running; the next ones fail alike. */
export class SessionEnded extends Schema.TaggedError<SessionEnded>()("SessionEnded", {
  sandboxId: Schema.String,
  detail: Schema.String,
  /** Of the shell; absent where it cannot be known. */
  exitCode: Schema.optionalKey(Schema.Int)
}) {
  readonly retryable = false
  override get message() {
    return `Could not run a command in the session of sandbox ${this.sandboxId}: ${this.detail}.\nIf the sandbox still runs, open a new one.`
  }
}

/** A session cannot run this command. */
export class SessionCommandInvalid extends Schema.TaggedError<SessionCommandInvalid>()("SessionCommandInvalid", {
  sandboxId: Schema.String,
  field: Schema.Literals(["argv", "env", "cwd"]),
  value: Schema.String,
  expectation: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not run a command in the session of sandbox ${this.sandboxId}: ${this.field} is ${JSON.stringify(this.value)}, expected ${this.expectation}.`
  }
}

/** The handle was not made by `Sandboxes` in this process. */
export class SessionUnsupported extends Schema.TaggedError<SessionUnsupported>()("SessionUnsupported", {
  sandboxId: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not open a session in sandbox ${this.sandboxId}: it was not made by Sandboxes in this process.`
  }
}

export type SessionError = SessionEnded | SessionCommandInvalid | CommandNotFound | ExecTimeout

/** All commands of a session run as the user that it was opened for. */
export type SessionExecOptions = Omit<ExecOptions, "user">

export interface ExecSession {
  /**
   * Runs argv to its end, after those that were asked for earlier. Like `Sandbox.exec`, but not recorded one by one: the journal
   * has the session as one exec. On timeout and interrupt the command is killed inside with what it started, and the session
   * goes on; what a command leaves in its process group is killed when it ends.
   */
  readonly exec: (argv: ReadonlyArray<string>, options?: SessionExecOptions) => Effect.Effect<ExecResult, SessionError>
  /** Absent while commands can run. */
  readonly ended: Effect.Effect<SessionEnded | undefined>
}

/**
 * Starts the shell; the scope's end kills it with all that runs in it. Needs `sh`, and `env`, `dd`, `cat` for commands with an
 * environment or input; with `setsid` each command has a process group of its own, and one process, the next
 * command's, stands by between them. Running out of processes (`pids`) may end it.
 */
export const open = Effect.fn("ExecSession.open")(function* (
  sandbox: Sandbox,
  options: Omit<SpawnOptions, "stdin"> = {}
): Effect.fn.Return<ExecSession, ProcessError | SessionEnded | SessionUnsupported, Scope.Scope> {
  const context = internalsOf(sandbox)?.context
  if (context === undefined) return yield* new SessionUnsupported({ sandboxId: sandbox.id })
  const ended = ({ detail, exitCode }: SessionShell.ShellEnd) =>
    new SessionEnded({ sandboxId: sandbox.id, detail, ...(exitCode === undefined ? {} : { exitCode }) })
  const shell = yield* SessionShell.open(context, options).pipe(
    Effect.mapError((error) => (error instanceof SessionShell.ShellEnd ? ended(error) : error))
  )
  const scope = yield* Scope.make()
  // Before the shell is killed: who waits for a command is told, and nobody waits for the shell.
  yield* Effect.addFinalizer((exit) => Effect.andThen(shell.fail(SessionRun.closed), Scope.close(scope, exit)))
  const session: SessionRun.Session = {
    context,
    shell,
    user: options.user ?? context.user,
    turn: yield* Semaphore.make(1),
    scope
  }
  return {
    exec: (argv, execOptions = {}) =>
      Effect.gen(function* () {
        const fault = SessionRun.faultOf(argv, execOptions)
        if (fault !== undefined) return yield* new SessionCommandInvalid({ sandboxId: sandbox.id, ...fault })
        return yield* SessionRun.run(session, argv, execOptions)
      }).pipe(
        Effect.catchTags({
          ShellEnd: (end) => Effect.fail(ended(end)),
          NoDirectory: ({ cwd }) => Effect.fail(new SessionCommandInvalid({ sandboxId: sandbox.id, ...badCwd(cwd) }))
        })
      ),
    ended: Effect.sync(() => {
      const end = shell.ended()
      return end === undefined ? undefined : ended(end)
    })
  }
})

const badCwd = (value: string) =>
  ({ field: "cwd", value, expectation: "a directory inside that can be entered" }) as const
