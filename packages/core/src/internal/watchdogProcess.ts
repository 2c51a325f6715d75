/** The edge of the watchdog's process. The terminal's signals are not for it; what it prints nobody may read any more. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as os from "node:os"

/**
 * Runs the program; a number is the exit code. SIGINT and SIGHUP are ignored, as they come from the terminal that the owner lost;
 * SIGTERM ends it, which its owner answers with another one.
 */
export const runMain = Runtime.makeRunMain(({ fiber }) => {
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined)
  // The owner's end is closed when it is dead, and the disk of the log may be full.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined)
  fiber.addObserver((exit) => {
    process.exit(exit._tag === "Success" && typeof exit.value === "number" ? exit.value : 1)
  })
})

/**
 * Starts it below everybody else: nobody waits for it, and the run that starts it has better use for the processor. Only for root,
 * who can take that back (setpriority(2)). `$0` is the log.
 */
export const startScript = `niceness=0
[ "$(id -u)" = 0 ] && niceness=10
exec nice -n "$niceness" "$@" 2>>"$0"`

/** From now on it is in a hurry. */
export const hurry = Effect.sync(() => {
  try {
    os.setPriority(0)
  } catch {
    // Not root: its priority was never lowered.
  }
})

/** Interpreter and arguments that run a module as this process's own program is run. */
export const commandOf = (entry: string): ReadonlyArray<string> => [
  process.execPath,
  // It holds a few connections and one page of a journal at a time.
  "--max-old-space-size=256",
  ...(entry.endsWith(".ts") ? ["--conditions=@sbx/source"] : []),
  entry
]
