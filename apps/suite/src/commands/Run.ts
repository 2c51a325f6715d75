/** `sbx run`: chooses scenarios, brings engine and images, runs, judges, and leaves the evidence in `.sbx/runs/<run id>/`. */
import * as Environment from "@sbx/core/Environment"
import * as Logging from "@sbx/core/Logging"
import type { RunReport } from "@sbx/core/RunReport"
import * as Verdict from "@sbx/core/Verdict"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { Argument, Command, Flag } from "effect/cli"
import { catalog } from "../Catalog.ts"
import * as Composition from "../Composition.ts"
import { ExitStatus } from "../ExitStatus.ts"
import { install, json } from "../internal/flags.ts"
import * as SettingFlags from "../internal/settingFlags.ts"
import { Output } from "../Output.ts"
import { Progress } from "../Progress.ts"
import * as RunJson from "../reporting/RunJson.ts"
import * as Summary from "../reporting/Summary.ts"
import * as RunStore from "../RunStore.ts"
import * as ScenarioFile from "../ScenarioFile.ts"
import * as Selection from "../Selection.ts"
import * as SuiteRun from "../SuiteRun.ts"

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false), Flag.withoutNegation)

const config = {
  selectors: Argument.String("selector").pipe(
    Argument.withDescription(
      "Category, scenario, tag (e.g. smoke) or ./file.scenario.ts; all scenarios when none is given"
    ),
    Argument.variadic()
  ),
  json,
  install,
  seed: Flag.String("seed").pipe(Flag.withDescription("Replays the random choices of an earlier run"), Flag.optional),
  allowDangerous: flag("allow-dangerous", "Let weakened sandboxes run on an engine that is not sbx's own"),
  bail: flag("bail", "Stop at the first scenario that does not pass"),
  keep: flag("keep", "Keep what a scenario made that did not pass, and say where"),
  ...SettingFlags.flags
}
type Input = Command.Command.Config.Infer<typeof config>

const selected = Effect.fnUntraced(function* (selectors: ReadonlyArray<string>) {
  const files = yield* Effect.forEach(selectors.filter(Selection.isPath), ScenarioFile.load)
  return yield* Selection.select(catalog, selectors, files.flat())
})

const newSeed = Effect.map(Random.nextIntBetween(0, 2 ** 32), String)

/** What the user is shown; with `--json` nothing but the object at the end. */
const voice = Effect.fnUntraced(function* (folder: RunStore.RunFolder, asJson: boolean) {
  const output = yield* Output
  return {
    onEnded: (one: Parameters<typeof Summary.verdictLines>[0]) =>
      asJson ? Effect.void : output.print(Summary.verdictLines(one, output.paint)),
    onReport: (report: RunReport) =>
      asJson
        ? output.json(RunJson.RunJson, RunJson.make(report))
        : output.print(Summary.closing(report, folder.path, output.paint))
  }
})

const inFolder = Effect.fnUntraced(function* (
  folder: RunStore.RunFolder,
  directory: string,
  input: Input,
  scenarios: SuiteRun.SuiteRunOptions["scenarios"]
) {
  const { install, allowDangerous, bail } = input
  yield* (yield* Progress).status("looking for a container engine")
  const place = { runId: folder.runId, journalPath: folder.journal, allowDangerous }
  const seed = Option.isSome(input.seed) ? input.seed.value : yield* newSeed
  const shown = yield* voice(folder, input.json)
  return yield* SuiteRun.execute(folder, { scenarios, seed, directory, install, allowDangerous, bail, ...shown }).pipe(
    Effect.provide(Composition.scenarioServices(place).pipe(Layer.provideMerge(Composition.engine({ install }))))
  )
})

const handle = Effect.fnUntraced(function* (input: Input) {
  const overrides = yield* SettingFlags.parse(input)
  const environment = Environment.layerConfig({ ...overrides, ...(input.keep ? { cleanupOnFailure: false } : {}) })
  const program = Effect.gen(function* () {
    const scenarios = yield* selected(input.selectors)
    const directory = process.cwd()
    const folder = yield* RunStore.create(directory)
    const report = yield* inFolder(folder, directory, input, scenarios).pipe(
      Effect.provide(
        Layer.mergeAll(
          Sqlite.layer({ path: folder.journal }),
          Composition.watchdog(`${folder.path}/watchdog.log`)
        ).pipe(Layer.provideMerge(Logging.layer({ file: `${folder.path}/run.log` })))
      )
    )
    yield* (yield* ExitStatus).set(Verdict.exitCode(report.verdict))
  })
  yield* Effect.scoped(program).pipe(Effect.provide(environment))
})

export const run = Command.make("run", config, handle).pipe(
  Command.withDescription("Run scenarios on real containers"),
  Command.withExamples([
    { command: "sbx run smoke", description: "The smoke suite" },
    { command: "sbx run security chaos/cpu-stress --json", description: "A category and a scenario, for a program" },
    { command: "sbx run ./my.scenario.ts", description: "Your own scenarios" }
  ])
)
