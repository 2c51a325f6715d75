/**
 * The process's edge. The first SIGINT, SIGTERM or SIGHUP interrupts the program, which then tidies up; later ones are answered
 * and ignored, because a half-done clean-up is what they would get. Exits with the codes of `Verdict.exitCodes`.
 */
// First: it compiles the parsers of the schemas that are used after it, which halves what an event costs to encode.
import "effect/schema/SchemaJITCompiler/enable"
import * as Verdict from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { main } from "./Cli.ts"
import * as Composition from "./Composition.ts"
import * as ExitStatus from "./ExitStatus.ts"

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

const say = (text: string): void => {
  process.stderr.write(`sbx: ${text}\n`)
}

// A reader that closed its end must not end a run that has sandboxes to remove.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined)

let interrupted = false

const program = Effect.gen(function* () {
  yield* main(process.argv.slice(2))
  return yield* (yield* ExitStatus.ExitStatus).get
}).pipe(Effect.provide(Composition.terminal))

const runMain = Runtime.makeRunMain(({ fiber, teardown }) => {
  const onSignal = () => {
    say(interrupted ? "still cleaning up; wait" : "interrupted, cleaning up…")
    if (!interrupted) fiber.interruptUnsafe(fiber.id)
    interrupted = true
  }
  for (const signal of signals) process.on(signal, onSignal)
  fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
})

runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    const { code, text } = ExitStatus.ending(exit)
    if (text !== undefined) say(text)
    onExit(interrupted ? Verdict.exitCodes.interrupted : code)
  }
})
