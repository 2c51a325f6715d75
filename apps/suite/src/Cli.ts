/** The command line: `sbx <command>`. Usage errors go to stderr with a pointer to the help, never the whole help. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CliConfig, CliOutput, Command, GlobalFlag, TerminalCapabilities } from "effect/cli"
import { bench } from "./commands/Bench.ts"
import { doctor } from "./commands/Doctor.ts"
import { engine } from "./commands/EngineCommand.ts"
import { events } from "./commands/Events.ts"
import { images } from "./commands/ImagesCommand.ts"
import { journal } from "./commands/JournalCommand.ts"
import { list } from "./commands/List.ts"
import { reap } from "./commands/Reap.ts"
import { run } from "./commands/Run.ts"
import { stats } from "./commands/Stats.ts"
import { test } from "./commands/Test.ts"
import { torture } from "./commands/Torture.ts"
import { explainConfig } from "./internal/configErrors.ts"
import { version } from "./internal/version.ts"

const sbx = Command.make("sbx").pipe(
  Command.withDescription("Integration, chaos and security testing for container sandboxes"),
  Command.withSubcommands([run, list, doctor, engine, images, events, journal, reap, stats, bench, torture, test])
)

const present: CliOutput.Presenter["present"] = Effect.fnUntraced(function* (event) {
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const formatter = CliOutput.defaultFormatter({ colors: canColor })
  switch (event._tag) {
    case "Version":
      return yield* Console.log(event.version)
    case "Help": {
      const text = formatter.formatHelpDoc(event.helpDoc)
      return yield* event.reason === "Requested" ? Console.log(text) : Console.error(text)
    }
    case "InvalidInvocation":
      for (const error of event.errors) yield* Console.error(error.message)
      return yield* Console.error(`\`${event.commandPath.join(" ")} --help\` says what it takes.`)
  }
})

/** Runs the command line `args`, without the program's own name. */
export const main = (args: ReadonlyArray<string>) =>
  Command.runWith(sbx, { version })(args).pipe(
    Effect.catchTag("ConfigError", explainConfig),
    Effect.provide(
      Layer.mergeAll(
        CliOutput.layerPresenter({ present }),
        // The log level is a setting of `run`, with a variable of its own; a wizard would be a second interface to keep.
        CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
      )
    )
  )
