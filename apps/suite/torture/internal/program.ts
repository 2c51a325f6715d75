// @effect-diagnostics processEnv:off -- hands this process's environment on to the program under torture
/**
 * The command line as a child that can be killed -9: alone or with its whole process group. Ends with the scope at the latest.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

export interface Program {
  readonly pid: number
  readonly ended: Effect.Effect<Ended>
  /** SIGKILL; false when it had ended before. */
  readonly kill: (whom: "process" | "group") => Effect.Effect<boolean>
}

export interface ProgramOptions {
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** File that takes standard output and error. */
  readonly log: string
}

/** The file is the program's own: what it wrote is there once it has ended. */
const spawned = ({ args, cwd, env, log }: ProgramOptions): ChildProcess => {
  const file = openSync(log, "w")
  try {
    return spawn(process.execPath, ["--conditions=@sbx/source", main, ...args], {
      cwd,
      env: { ...process.env, ...env },
      // A process group of its own, whose id is the child's.
      detached: true,
      stdio: ["ignore", file, file]
    })
  } finally {
    closeSync(file)
  }
}

const signal = (target: number): boolean => {
  try {
    process.kill(target, "SIGKILL")
    return true
  } catch {
    // ESRCH: it is gone.
    return false
  }
}

/** Starts the program; a program that still runs when the scope closes is killed. */
export const start = Effect.fnUntraced(function* (options: ProgramOptions) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawned(options)),
    (running) =>
      Effect.sync(() => void (running.exitCode === null && running.pid !== undefined && signal(-running.pid)))
  )
  const pid = child.pid ?? 0
  const exited = new Promise<Ended>((resolve) => {
    child.once("exit", (code, name) => resolve({ code, signal: name }))
    child.once("error", () => resolve({ code: -1, signal: null }))
  })
  return {
    pid,
    ended: Effect.promise(() => exited),
    kill: (whom) =>
      Effect.sync(() => {
        if (child.exitCode !== null || child.signalCode !== null) return false
        return signal(whom === "group" ? -pid : pid)
      })
  } satisfies Program
})
