/** The edge of the watchdog's process. The terminal's signals are not for it; what it prints nobody may read any more. */
import * as Runtime from "effect/Runtime"

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

/** Interpreter and arguments that run a module as this process's own program is run. */
export const commandOf = (entry: string): ReadonlyArray<string> => [
  process.execPath,
  // It holds a few connections and one page of a journal at a time.
  "--max-old-space-size=256",
  ...(entry.endsWith(".ts") ? ["--conditions=@sbx/source"] : []),
  entry
]
