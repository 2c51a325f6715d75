/**
 * Runs a short command on this machine and keeps what it said. Refuses to guess: a command that cannot be run and one
 * that fails are told apart by `code`.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"

export interface HostCommandResult {
  /** Exit code; -1 when it could not be run or did not end in time. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const failed = (detail: string): HostCommandResult => ({ code: -1, stdout: "", stderr: detail })

/** A shell script with positional arguments, so that no value is ever parsed as shell text. Ends within 20 s. */
export const runScript = (
  spawner: ChildProcessSpawner["Service"],
  script: string,
  args: ReadonlyArray<string>
): Effect.Effect<HostCommandResult> =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* spawner.spawn(
        ChildProcess.make("sh", ["-c", script, "sbx", ...args], { stdin: "ignore", extendEnv: true })
      )
      const [stdout, stderr, code] = yield* Effect.all(
        [
          Stream.mkString(Stream.decodeText(handle.stdout)),
          Stream.mkString(Stream.decodeText(handle.stderr)),
          handle.exitCode
        ],
        { concurrency: "unbounded" }
      )
      return { code, stdout, stderr }
    })
  ).pipe(
    Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.succeed(failed("no end within 20 s")) }),
    Effect.catch((error) => Effect.succeed(failed(error.message)))
  )
