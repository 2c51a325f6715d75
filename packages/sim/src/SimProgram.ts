/**
 * What a simulated container runs: a program is looked up by its command line and is an effect on the world's clock that ends with
 * an exit code. Nothing is executed; a command line that no program answers to does not exist, as for a missing file.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Files as a process sees them, mounts and tmpfs included. Paths are absolute; permissions are not enforced. */
export interface SimFiles {
  /** Absent when there is no such file. */
  readonly read: (path: string) => Uint8Array | undefined
  readonly exists: (path: string) => boolean
  /** What went wrong, as the kernel names it. A missing folder is not made. */
  readonly write: (path: string, content: Uint8Array | string) => "ENOENT" | "EROFS" | "EISDIR" | undefined
  readonly link: (path: string, target: string) => "ENOENT" | "EROFS" | "EEXIST" | undefined
  readonly makeFifo: (path: string) => "ENOENT" | "EROFS" | "EEXIST" | undefined
  readonly makeFolder: (path: string) => "ENOENT" | "EROFS" | "EEXIST" | undefined
  /** With all that is beneath it. Absent is success. */
  readonly remove: (path: string) => "EROFS" | undefined
}

/** One process inside a container, as its program sees it. While the container is paused none of its effects resolves. */
export interface SimProcess {
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly uid: number
  readonly gid: number
  readonly hostPid: number
  readonly files: SimFiles
  readonly out: (text: string | Uint8Array) => Effect.Effect<void>
  readonly err: (text: string | Uint8Array) => Effect.Effect<void>
  /** The next bytes of standard input; undefined at its end, and at once where none is attached. */
  readonly read: Effect.Effect<Uint8Array | undefined>
  readonly sleep: (duration: Duration.Input) => Effect.Effect<void>
  /**
   * What a signal (`TERM`, without SIG) does from now on: nothing, or ends the process with a code. Without it PID 1 ignores all but
   * KILL and other processes end with 128 + the signal's number, as under Linux.
   */
  readonly onSignal: (signal: string, reaction: "ignore" | { readonly exitCode: number }) => void
  /** Processes of the same container, this one included; `environment` serves those who look for a marker. */
  readonly neighbours: () => ReadonlyArray<{
    readonly hostPid: number
    readonly argv: ReadonlyArray<string>
    readonly env: Readonly<Record<string, string>>
  }>
  /** Sends a signal to a process of the same container, by its id on the host. False when there is none. */
  readonly signal: (hostPid: number, signal: string) => boolean
}

/** Ends with an exit code, 0 to 255. A failure of the effect is not possible; a defect ends the process with 134 and is kept. */
export type SimBody = (process: SimProcess) => Effect.Effect<number>

export interface SimProgram {
  readonly answers: (argv: ReadonlyArray<string>) => boolean
  readonly body: SimBody
}

/** Answers to a first word, e.g. `sleep`, also with a folder before it. */
export const named = (name: string, body: SimBody): SimProgram => ({
  answers: ([word = ""]) => word === name || word.endsWith(`/${name}`),
  body
})

/** Answers to exactly this command line. */
export const exact = (argv: ReadonlyArray<string>, body: SimBody): SimProgram => ({
  answers: (asked) => asked.length === argv.length && asked.every((word, index) => word === argv[index]),
  body
})

export interface Behaviour {
  /** Default 0. */
  readonly exitCode?: number
  readonly stdout?: string
  readonly stderr?: string
  /** Between the output and the end. Absent: none. `"forever"`: until killed. */
  readonly duration?: Duration.Input | "forever"
  /** Reads standard input to its end first. */
  readonly readsStdin?: boolean
  /** E.g. `["TERM", "INT"]`. */
  readonly ignoresSignals?: ReadonlyArray<string>
}

/** A body told as data: reads, prints, waits, ends. */
export const behaviour =
  (told: Behaviour): SimBody =>
  (process) =>
    Effect.gen(function* () {
      for (const signal of told.ignoresSignals ?? []) process.onSignal(signal, "ignore")
      if (told.readsStdin === true) while ((yield* process.read) !== undefined);
      if (told.stdout !== undefined) yield* process.out(told.stdout)
      if (told.stderr !== undefined) yield* process.err(told.stderr)
      if (told.duration === "forever") return yield* Effect.never
      if (told.duration !== undefined) yield* process.sleep(told.duration)
      return told.exitCode ?? 0
    })

const seconds = (text: string | undefined) =>
  text === "infinity" ? Duration.infinity : Duration.seconds(Number(text ?? "0"))

/** `sleep N`, `true`, `false` and `cat` (standard input to standard output, or files): known to every simulated engine. */
export const basic: ReadonlyArray<SimProgram> = [
  named("sleep", ({ argv, sleep }) => Effect.as(sleep(seconds(argv[1])), 0)),
  named("true", () => Effect.succeed(0)),
  named("false", () => Effect.succeed(1)),
  named("cat", (process) =>
    Effect.gen(function* () {
      let code = 0
      for (const path of process.argv.slice(1)) {
        const bytes = process.files.read(path)
        if (bytes !== undefined) yield* process.out(bytes)
        else {
          code = 1
          yield* process.err(`cat: can't open '${path}': No such file or directory\n`)
        }
      }
      if (process.argv.length > 1) return code
      for (let bytes = yield* process.read; bytes !== undefined; bytes = yield* process.read) yield* process.out(bytes)
      return code
    })
  )
]
