/**
 * A shell of this machine that stays, for short commands on a hot path: forking a process of the size of Node's costs some 6 ms in
 * which nothing else runs, and forking the shell's own less than one. An adapter. It dies with its owner, whose death closes its
 * standard input. Refuses words with line breaks.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HostCommandResult } from "./hostCommand.ts"

export interface HostShell {
  /** Calls a function of the shell's with words, one call after the other. Ends within 20 s; not ended by an interrupt. */
  readonly call: (name: string, ...words: ReadonlyArray<string>) => Effect.Effect<HostCommandResult>
}

/**
 * Reads calls, a number and as many lines, and answers each with its exit code, the length of its output and that. A terminal's
 * signals are its owner's to answer.
 */
const loop = `trap '' INT TERM HUP
LC_ALL=C
while IFS= read -r count; do
  set --
  while [ "$count" -gt 0 ]; do IFS= read -r word; set -- "$@" "$word"; count=$((count - 1)); done
  said=$("$@" 2>&1 </dev/null)
  printf '%s %s\\n%s' "$?" "\${#said}" "$said"
done`

const limitMillis = 20_000

type Waiting = (result: HostCommandResult) => void

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly waiting: Array<Waiting>
  said: Buffer
}

const failed = (detail: string): HostCommandResult => ({ code: -1, stdout: "", stderr: detail })

const answer = (code: number, text: string): HostCommandResult =>
  code === 0 ? { code, stdout: text, stderr: "" } : { code, stdout: "", stderr: text }

/** Gives whole answers to those who wait, in order. */
const deliver = (running: Running, chunk: Buffer) => {
  running.said = Buffer.concat([running.said, chunk])
  for (;;) {
    const end = running.said.indexOf("\n")
    const [code = 0, length = 0] = running.said.subarray(0, Math.max(end, 0)).toString().split(" ").map(Number)
    if (end < 0 || running.said.length < end + 1 + length) return
    const text = running.said.subarray(end + 1, end + 1 + length).toString()
    running.said = running.said.subarray(end + 1 + length)
    running.waiting.shift()?.(answer(code, text))
  }
}

const start = (functions: string): Running => {
  const child = spawn("sh", ["-c", `${functions}\n${loop}`, "sbx"], { stdio: ["pipe", "pipe", "ignore"] })
  const running: Running = { child, waiting: [], said: Buffer.alloc(0) }
  const over = (detail: string) => {
    for (const waiting of running.waiting.splice(0)) waiting(failed(detail))
  }
  child.stdout.on("data", (chunk: Buffer) => deliver(running, chunk))
  child.on("error", (error) => over(error.message))
  child.on("close", (code, signal) => over(`the shell ended (${signal ?? code})`))
  // What is written to a dead one is answered by its end.
  child.stdin.on("error", () => undefined)
  return running
}

const hasEnded = ({ child }: Running) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined

const stop = ({ child, waiting }: Running) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
    child.stdin.end()
    if (waiting.length > 0) child.kill("SIGKILL")
  })

/** `functions`: shell text that defines what can be called. It is started with the first call, and again if it has ended. */
export const make = (functions: string): Effect.Effect<HostShell, never, Scope.Scope> =>
  Effect.gen(function* () {
    let running: Running | undefined
    yield* Effect.addFinalizer(() => Effect.suspend(() => (running === undefined ? Effect.void : stop(running))))
    const call: HostShell["call"] = (...words) => {
      if (words.some((word) => word.includes("\n"))) return Effect.succeed(failed("a name with a line break"))
      return Effect.callback<HostCommandResult>((resume) => {
        const shell = running === undefined || hasEnded(running) ? start(functions) : running
        running = shell
        shell.waiting.push((result) => resume(Effect.succeed(result)))
        shell.child.stdin.write(`${words.length}\n${words.join("\n")}\n`)
      }).pipe(
        Effect.timeoutOrElse({
          duration: limitMillis,
          orElse: () =>
            Effect.sync(() => {
              // What comes after it would wait as well.
              running?.child.kill("SIGKILL")
              return failed(`no end within ${limitMillis / 1000} s`)
            })
        })
      )
    }
    return { call }
  })
