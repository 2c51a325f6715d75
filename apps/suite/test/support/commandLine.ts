// @effect-diagnostics processEnv:off globalTimers:off -- drives the program as its user does: as a process with an environment
/** Runs the command line as a child process. Nothing of our own environment reaches it but what a test names. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "@effect/vitest"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  /** Resolves once standard error holds the text; rejects when the process ends before. */
  readonly says: (text: string) => Promise<void>
  readonly ended: Promise<Ended>
}

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** A fresh directory outside the repository, removed with the test. */
export const directory = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), "sbx-suite-"))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

export interface Place {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Runs before the program, by a shell, in the same process. */
  readonly before?: string
  /** In a process group of its own, whose id is the child's. */
  readonly group?: boolean
}

/** util-linux, unshare(1): a mount namespace of its own. */
const ownMounts = "unshare"

/** No engine is to be found from here: no socket, no context, and a state folder without a private one. */
const isolated = (cwd: string): Readonly<Record<string, string>> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: cwd,
  SBX_STATE_DIR: path.join(cwd, "state"),
  // Compiled once for all children: they start in a third of the time.
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../../../node_modules/.cache/sbx-compile", import.meta.url))
})

export const start = (args: ReadonlyArray<string>, { cwd, env, before, group = false }: Place): Started => {
  const command = ["--conditions=@sbx/source", main, ...args]
  const options = { cwd, env: { ...isolated(cwd), ...env }, detached: group }
  const child =
    before === undefined
      ? spawn(process.execPath, command, options)
      : spawn(ownMounts, ["--mount", "sh", "-c", `${before}; exec "$@"`, "sh", process.execPath, ...command], options)
  let stdout = ""
  let stderr = ""
  const listeners = new Set<() => void>()
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
    for (const listener of listeners) listener()
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve()
      listeners.add(look)
      look()
      ended.then(() => reject(new Error(`it ended without saying "${text}":\n${stderr}`)), reject)
    })
  return { child, says, ended }
}

export const run = (args: ReadonlyArray<string>, place: Place): Promise<Ended> => start(args, place).ended
