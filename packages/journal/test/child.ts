/** Runs a fixture in its own node process, killed with the scope, with its stdout as lines to wait for. */
import { Effect, Scope } from "effect"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { createInterface } from "node:readline"

/** A fresh directory, removed with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "sbx-journal-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

export interface Child {
  readonly process: ChildProcess
  /** Complete lines so far. */
  readonly lines: Array<string>
  /** Waits for the n-th line, counted from 0; dies with stderr when the child ends before. */
  readonly line: (n: number) => Effect.Effect<string>
  readonly exit: Effect.Effect<{ readonly code: number | null; readonly signal: string | null }>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
}

const node = (fixture: string, args: ReadonlyArray<string>) => [
  process.execPath,
  "--conditions=@sbx/source",
  path.resolve(import.meta.dirname, "fixtures", fixture),
  ...args
]

/** Starts a fixture, or a program by its absolute path; `shell` is a command that ends in `exec "$@"`, for limits and mounts around it. */
export const startChild = (
  fixture: string,
  args: ReadonlyArray<string>,
  shell?: { readonly command: ReadonlyArray<string> }
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const [command = "", ...rest] = [...(shell?.command ?? []), ...node(fixture, args)]
      return observe(spawn(command, rest, { stdio: ["pipe", "pipe", "pipe"] }))
    }),
    (child) => Effect.andThen(child.kill("SIGKILL"), child.exit)
  )

const observe = (process: ChildProcess): Child => {
  const lines: Array<string> = []
  let errors = ""
  const listeners = new Set<() => void>()
  const notify = () => listeners.forEach((listener) => listener())
  let ended: { code: number | null; signal: string | null } | undefined
  if (process.stdout === null || process.stderr === null) throw new Error("a child without pipes")
  createInterface({ input: process.stdout }).on("line", (line) => {
    lines.push(line)
    notify()
  })
  process.stderr.on("data", (data) => (errors += String(data)))
  // "close" comes after the pipes are drained, unlike "exit".
  process.on("close", (code, signal) => {
    ended = { code, signal }
    notify()
  })
  const until = <A, E>(check: () => Effect.Effect<A, E> | undefined): Effect.Effect<A, E> =>
    Effect.callback<A, E>((resume) => {
      const listener = () => {
        const result = check()
        if (result === undefined) return
        listeners.delete(listener)
        resume(result)
      }
      listeners.add(listener)
      listener()
      return Effect.sync(() => listeners.delete(listener))
    })
  return {
    process,
    lines,
    line: (n) =>
      until(() => {
        const line = lines[n]
        if (line !== undefined) return Effect.succeed(line)
        return ended === undefined ? undefined : Effect.die(new Error(`the child ended: ${errors}`))
      }),
    exit: until(() => (ended === undefined ? undefined : Effect.succeed(ended))),
    kill: (signal) => Effect.sync(() => process.kill(signal))
  }
}
