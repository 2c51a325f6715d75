/**
 * `sbx stats <container> …`: what containers use, once or live; any container of the engine. On a terminal `--watch` draws, elsewhere
 * it prints a line a sample. A container that stops or goes is said, and the others go on.
 */
import * as Environment from "@sbx/core/Environment"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Verdict from "@sbx/core/Verdict"
import * as Docker from "@sbx/engine/Docker"
import { Engine } from "@sbx/engine/Engine"
import { EngineLocator } from "@sbx/engine/EngineLocator"
import * as Memory from "@sbx/journal/Memory"
import { ContainerMetric, type ContainerSample } from "@sbx/monitor/ContainerSampler"
import * as Monitors from "@sbx/monitor/Monitor"
import * as SampleExport from "@sbx/monitor/SampleExport"
import type { SeriesItem } from "@sbx/monitor/Series"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { Terminal } from "effect/Terminal"
import { Argument, Command, Flag } from "effect/cli"
import * as Composition from "../Composition.ts"
import { ExitStatus } from "../ExitStatus.ts"
import { findContainer } from "../internal/findContainer.ts"
import { json } from "../internal/flags.ts"
import * as liveScreen from "../internal/liveScreen.ts"
import { screen } from "../internal/screen.ts"
import * as view from "../internal/statsView.ts"
import { Output } from "../Output.ts"
import { Progress } from "../Progress.ts"

/** Two formats at once on one standard output. */
export class FormatConflict extends Schema.TaggedError<FormatConflict>()("FormatConflict", {}) {
  override get message() {
    return "Could not print JSON and CSV at once.\nGive --json or --csv."
  }
}

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false), Flag.withoutNegation)

const config = {
  containers: Argument.String("container").pipe(
    Argument.withDescription("Name, id, or the beginning of an id; any container of the engine"),
    Argument.atLeast(1)
  ),
  watch: flag("watch", "Go on until interrupted, or until every container is gone"),
  interval: Flag.String("interval").pipe(
    Flag.withDescription("Between samples, and what rates are measured over, e.g. 500ms"),
    Flag.withDefault("1s")
  ),
  json,
  csv: flag("csv", "Print CSV (RFC 4180) on standard output, and nothing else there")
}
type Input = Command.Command.Config.Infer<typeof config>

type Format = "text" | "json" | "csv"

const targetsOf = Effect.fnUntraced(function* (texts: ReadonlyArray<string>, engineAddress: string) {
  const containers = yield* (yield* Engine).listContainers({})
  const found = yield* Effect.forEach(texts, (text) => findContainer(containers, text, engineAddress))
  const targets = new Map(found.map(({ id, name }): [string, ContainerTarget] => [id, { containerId: id, name }]))
  return [...targets.values()]
})

/** Prints samples in the format that was asked for, what is no sample on standard error. */
const printer = Effect.fnUntraced(function* (format: Format) {
  const output = yield* Output
  const progress = yield* Progress
  const metrics = ContainerMetric.literals
  // A row ends in CR LF, and printing adds a LF of its own.
  if (format === "csv") yield* output.print(SampleExport.csvHeader(metrics).slice(0, -1))
  return {
    sample: (sample: ContainerSample) => {
      if (format === "json") return output.json(SampleExport.SampleJson, SampleExport.toJson(sample))
      if (format === "csv") return output.print(SampleExport.csvRow(sample, metrics).slice(0, -1))
      return output.print(view.sampleLine(sample))
    },
    trouble: (target: ContainerTarget, trouble: string) => progress.line(view.troubleLine(target, trouble))
  }
})

/** One sample of each. What could not be sampled is said, and the answer is then not complete. */
const once = Effect.fnUntraced(function* (targets: ReadonlyArray<ContainerTarget>, window: Window, format: Format) {
  const monitor = yield* Monitors.Monitor
  const sampled = yield* Effect.forEach(targets, (target) => Effect.result(monitor.sample(target, { window })), {
    concurrency: "unbounded"
  })
  const [only] = sampled
  if (only?._tag === "Failure" && sampled.length === 1) return yield* only.failure
  const print = yield* printer(format)
  for (const [i, result] of sampled.entries()) {
    const target = targets[i]
    if (result._tag === "Success") yield* print.sample(result.success)
    else if (target !== undefined) yield* print.trouble(target, result.failure.message)
  }
  if (sampled.some(({ _tag }) => _tag === "Failure")) yield* (yield* ExitStatus).set(Verdict.exitCodes.unknown)
})

type Window = NonNullable<Monitors.SampleOptions["window"]>
type Items<E> = Stream.Stream<SeriesItem, E>

const idOf = (item: SeriesItem): string => (item._tag === "Sampled" ? item.sample.id : item.target.containerId)

/** A line a sample; what is no sample is said when it begins. */
const watchPlain = Effect.fnUntraced(function* <E>(items: Items<E>, format: Format) {
  const print = yield* printer(format)
  const troubles = new Map<string, string>()
  yield* Stream.runForEach(items, (item) => {
    const id = idOf(item)
    const trouble = view.troubleOf(item)
    const before = troubles.get(id)
    if (trouble === undefined) troubles.delete(id)
    else troubles.set(id, trouble)
    if (item._tag === "Sampled") return print.sample(item.sample)
    return trouble === undefined || trouble === before ? Effect.void : print.trouble(item.target, trouble)
  })
})

/** Redraws with every item. The last picture stays on the ordinary screen, where it ends by itself. */
const watchLive = Effect.fnUntraced(function* <E>(targets: ReadonlyArray<ContainerTarget>, items: Items<E>) {
  const output = yield* Output
  const terminal = yield* Terminal
  const all = new Map(targets.map((target) => [target.containerId, view.initial(target)]))
  const picture = Effect.gen(function* () {
    const [columns, rows] = yield* Effect.all([terminal.columns, terminal.rows])
    return view.draw([...all.values()], { columns, rows, paint: output.paint })
  })
  yield* Effect.scoped(
    Effect.gen(function* () {
      const live = yield* liveScreen.make
      const redraw = Effect.flatMap(picture, live.draw)
      yield* redraw
      yield* Stream.runForEach(items, (item) => {
        const id = idOf(item)
        const watched = all.get(id)
        if (watched !== undefined) all.set(id, view.evolve(watched, item))
        return redraw
      })
    })
  )
  yield* output.print((yield* picture).join("\n"))
})

const show = Effect.fnUntraced(function* (input: Input, window: Window, engineAddress: string) {
  const targets = yield* targetsOf(input.containers, engineAddress)
  const format = input.json ? "json" : input.csv ? "csv" : "text"
  if (!input.watch) return yield* once(targets, window, format)
  const items = (yield* Monitors.Monitor).seriesAll(targets, { interval: window })
  const { animates } = yield* screen((yield* Stdio.Stdio).stdoutIsTerminal)
  yield* format === "text" && animates ? watchLive(targets, items) : watchPlain(items, format)
})

/** The interval is read by the rules of every duration on this command line. */
const intervalOf = (text: string) =>
  Effect.map(
    Environment.parse("defaultTimeout", "--interval", text),
    ({ defaultTimeout = Duration.seconds(1) }) => defaultTimeout
  )

const handle = Effect.fnUntraced(function* (input: Input) {
  if (input.json && input.csv) return yield* new FormatConflict()
  const window = yield* intervalOf(input.interval)
  const program = Effect.gen(function* () {
    const { address, kind } = yield* (yield* EngineLocator).locate()
    const monitor = Monitors.layerEngine.pipe(
      Layer.provideMerge(Layer.merge(Docker.layer({ kind, address }), Memory.layer))
    )
    yield* show(input, window, address).pipe(Effect.provide(monitor))
  })
  yield* Effect.scoped(program).pipe(Effect.provide(Composition.enginesAsTheyAre))
})

export const stats = Command.make("stats", config, handle).pipe(
  Command.withDescription("Show what containers use, once or live"),
  Command.withExamples([
    { command: "sbx stats web", description: "One sample of a container, by name" },
    { command: "sbx stats web 3f2a --watch", description: "Two containers, live" },
    { command: "sbx stats web --watch --csv > web.csv", description: "Samples for a spreadsheet" }
  ])
)
