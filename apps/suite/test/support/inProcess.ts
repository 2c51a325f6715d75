/** Runs the command line inside the test, with standard output and error kept and only the environment that a test names. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import { main } from "../../src/Cli.ts"
import * as ExitStatus from "../../src/ExitStatus.ts"
import * as Output from "../../src/Output.ts"
import * as Progress from "../../src/Progress.ts"

interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export const commandLine = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
) {
  let stdout = ""
  let stderr = ""
  const into = (add: (text: string) => void) =>
    Sink.forEach((chunk: string | Uint8Array) => Effect.sync(() => add(String(chunk))))
  const stdio = Stdio.layerTest({
    stdout: () => into((text) => (stdout += text)),
    stderr: () => into((text) => (stderr += text)),
    stdoutIsTerminal: Effect.succeed(false),
    stderrIsTerminal: Effect.succeed(false)
  })
  const console: Console.Console = {
    ...globalThis.console,
    log: (text: unknown) => void (stdout += `${String(text)}\n`),
    error: (text: unknown) => void (stderr += `${String(text)}\n`)
  }
  const terminal = Layer.mergeAll(Output.layer, Progress.layer, ExitStatus.layer).pipe(
    Layer.provideMerge(stdio),
    Layer.provideMerge(NodeServices.layer)
  )
  const exit = yield* Effect.exit(
    main(args).pipe(
      Effect.andThen(Effect.flatMap(ExitStatus.ExitStatus, (status) => status.get)),
      Effect.provide(terminal),
      Effect.provideService(Console.Console, console),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env))
    )
  )
  const { code, text } = ExitStatus.ending(exit)
  return {
    code,
    stdout,
    stderr: text === undefined ? stderr : `${stderr}${text}\n`,
    died: Exit.hasDies(exit)
  } satisfies Said & {
    readonly died: boolean
  }
})
