/** Runs a host command to its end and keeps what it said. Never throws on a non-zero exit: the code is data. */
import * as Effect from "effect/Effect"
import type * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Sees each line of standard output and standard error as it comes. */
  readonly onLine?: (line: string) => Effect.Effect<void>
}

const collect = (
  bytes: Stream.Stream<Uint8Array, PlatformError.PlatformError>,
  onLine: CommandOptions["onLine"]
): Effect.Effect<string, PlatformError.PlatformError> =>
  onLine === undefined
    ? bytes.pipe(Stream.decodeText(), Stream.mkString)
    : bytes.pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.tap(onLine),
        Stream.map((line) => `${line}\n`),
        Stream.mkString
      )

/** Fails only when the program cannot be started. Messages are in English (`LC_ALL=C`): apt's are parsed. */
export const runCommand = Effect.fnUntraced(function* (
  program: string,
  args: ReadonlyArray<string>,
  options: CommandOptions = {}
): Effect.fn.Return<CommandResult, PlatformError.PlatformError, ChildProcessSpawner> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* ChildProcess.make(program, args, {
        stdin: "ignore",
        env: { LC_ALL: "C", ...options.env },
        extendEnv: true,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd })
      })
      const [stdout, stderr, exitCode] = yield* Effect.all(
        [collect(handle.stdout, options.onLine), collect(handle.stderr, options.onLine), handle.exitCode],
        { concurrency: "unbounded" }
      )
      return { exitCode, stdout, stderr }
    })
  )
})
