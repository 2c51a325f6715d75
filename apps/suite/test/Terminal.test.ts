import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import { screen } from "../src/internal/screen.ts"
import * as Output from "../src/Output.ts"
import * as Progress from "../src/Progress.ts"

const withEnv = (env: Readonly<Record<string, string>>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env))

/** What a program wrote to each stream, where only the named ones are terminals. */
const written = Effect.fnUntraced(function* (
  terminals: { readonly stdout: boolean; readonly stderr: boolean },
  program: Effect.Effect<void, never, Progress.Progress | Output.Output>,
  env: Readonly<Record<string, string>> = {}
) {
  const text = { stdout: "", stderr: "" }
  const sink = (name: "stdout" | "stderr") =>
    Sink.forEach((chunk: string | Uint8Array) => Effect.sync(() => (text[name] += String(chunk))))
  const stdio = Stdio.layerTest({
    stdout: () => sink("stdout"),
    stderr: () => sink("stderr"),
    stdoutIsTerminal: Effect.succeed(terminals.stdout),
    stderrIsTerminal: Effect.succeed(terminals.stderr)
  })
  yield* program.pipe(
    Effect.provide(Layer.mergeAll(Progress.layer, Output.layer).pipe(Layer.provide(stdio))),
    withEnv(env)
  )
  return text
})

const program = Effect.gen(function* () {
  const progress = yield* Progress.Progress
  const output = yield* Output.Output
  yield* progress.status("one")
  yield* progress.status("one")
  yield* progress.line(progress.paint("red", "a line"))
  yield* progress.status("")
  yield* output.print(output.paint("green", "data"))
})

describe("the terminal", () => {
  it.effect("redraws the status in place and paints, each stream by itself", () =>
    Effect.gen(function* () {
      const both = yield* written({ stdout: true, stderr: true }, program)
      assert.strictEqual(both.stderr, "\r\u001b[2Kone\r\u001b[2K\u001b[31ma line\u001b[0m\none\r\u001b[2K")
      assert.strictEqual(both.stdout, "\u001b[32mdata\u001b[0m\n")
      const piped = yield* written({ stdout: false, stderr: true }, program)
      assert.strictEqual(piped.stdout, "data\n")
    })
  )

  it.effect("prints plain lines where nothing can be redrawn, in CI and with NO_COLOR", () =>
    Effect.gen(function* () {
      const plain = { stdout: "data\n", stderr: "one\na line\n" }
      assert.deepStrictEqual(yield* written({ stdout: false, stderr: false }, program), plain)
      const env = { CI: "true", NO_COLOR: "1" }
      assert.deepStrictEqual(yield* written({ stdout: true, stderr: true }, program, env), plain)
    })
  )

  it.effect("is known by its variables", () =>
    Effect.gen(function* () {
      const of = (isTerminal: boolean, env: Readonly<Record<string, string>>) =>
        screen(Effect.succeed(isTerminal)).pipe(
          withEnv(env),
          Effect.map(({ animates, paint }) => [animates, paint("bold", "x") !== "x"])
        )
      assert.deepStrictEqual(yield* of(true, {}), [true, true])
      assert.deepStrictEqual(yield* of(true, { TERM: "dumb" }), [false, false])
      assert.deepStrictEqual(yield* of(true, { NO_COLOR: "1" }), [true, false])
      assert.deepStrictEqual(yield* of(true, { CI: "1" }), [false, true])
      assert.deepStrictEqual(yield* of(false, { FORCE_COLOR: "1" }), [false, true])
      assert.deepStrictEqual(yield* of(false, { FORCE_COLOR: "1", NO_COLOR: "1" }), [false, false])
    })
  )
})
