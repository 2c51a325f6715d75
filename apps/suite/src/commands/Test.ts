/** `sbx test`: every test of every package, as `pnpm turbo test` runs them, with the engine's lease held meanwhile. */
import * as Environment from "@sbx/core/Environment"
import { ImageBuilder } from "@sbx/engine/ImageBuilder"
import * as Effect from "effect/Effect"
import { Argument, Command } from "effect/cli"
import * as ChildProcess from "effect/process/ChildProcess"
import * as Composition from "../Composition.ts"
import { ExitStatus } from "../ExitStatus.ts"
import { install } from "../internal/flags.ts"
import { all } from "../internal/recipeOf.ts"
import { repositoryRoot } from "../internal/repositoryRoot.ts"
import { report } from "../internal/stepProgress.ts"
import { Progress } from "../Progress.ts"
import * as Recovery from "../Recovery.ts"

export const test = Command.make(
  "test",
  {
    args: Argument.String("turbo argument").pipe(
      Argument.withDescription("Passed on to turbo; write -- before flags"),
      Argument.variadic()
    ),
    install
  },
  Effect.fnUntraced(function* (input) {
    const root = yield* repositoryRoot
    // Checked here once; the tests read the same variables.
    yield* Environment.Environment.pipe(Effect.provide(Environment.layerConfig()))
    const clear = Recovery.atStart({ directory: process.cwd() })
    const code = yield* clear.pipe(
      // The tests' own set-up takes what is missing: with everything there it has nothing to take.
      Effect.andThen(ensureImages(input.install)),
      Effect.andThen(Effect.scoped(turbo(root, input.args))),
      // turbo ends its tasks at once, which leaves them no time to tidy up.
      Effect.onInterrupt(() => Effect.ignore(clear)),
      Effect.provide(Composition.recovery({ install: input.install }))
    )
    yield* (yield* ExitStatus).set(code)
  })
).pipe(Command.withDescription("Run every test: pnpm turbo test"))

const ensureImages = Effect.fnUntraced(function* (mayInstall: boolean) {
  const progress = yield* Progress
  const builder = yield* ImageBuilder
  for (const recipe of all) yield* builder.ensure(recipe, { install: mayInstall, onProgress: report(progress) })
  yield* progress.status("")
})

/** In our process group, so that Ctrl-C reaches it directly and it tidies up by itself. */
const turbo = Effect.fnUntraced(function* (root: string, args: ReadonlyArray<string>) {
  const child = yield* ChildProcess.make(
    process.execPath,
    ["--conditions=@sbx/source", `${root}/tooling/src/turbo.ts`, "test", ...args],
    { cwd: root, detached: false, stdin: "inherit", stdout: "inherit", stderr: "inherit", extendEnv: true }
  )
  return yield* child.exitCode
})
