/** `sbx bench [name…]`: measures ours and the competitor in turns on the engine in use, and judges the ratio. Takes a checkout. */
import * as Verdict from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Argument, Command, Flag } from "effect/cli"
import { ExitStatus } from "../ExitStatus.ts"
import { install, json } from "../internal/flags.ts"
import { Output } from "../Output.ts"

/** The competitors are development dependencies: a published program does not carry them. */
export class BenchNotHere extends Schema.TaggedError<BenchNotHere>()("BenchNotHere", { detail: Schema.String }) {
  override get message() {
    return `Could not load the benchmarks: ${this.detail}.\nRun \`./sbx bench\` from a clone with its development dependencies installed.`
  }
}

const load = Effect.tryPromise({
  try: () => Promise.all([import("../../bench/Benches.ts"), import("../../bench/summary.ts")]),
  catch: (cause) => new BenchNotHere({ detail: cause instanceof Error ? cause.message : String(cause) })
})

export const bench = Command.make(
  "bench",
  {
    names: Argument.String("name").pipe(
      Argument.withDescription("Benchmark to run; all when none is given"),
      Argument.variadic()
    ),
    rounds: Flag.Int("rounds").pipe(
      Flag.withDescription("Measurements of each side; too few of them give no verdict"),
      Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
      Flag.optional
    ),
    list: Flag.Boolean("list").pipe(
      Flag.withDescription("Only list the benchmarks"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    json,
    install
  },
  Effect.fnUntraced(function* (input) {
    const [Benches, Summary] = yield* load
    const output = yield* Output
    const chosen = yield* Benches.choose(input.names)
    if (input.list) return yield* output.print(Summary.list(chosen))
    const report = yield* Benches.run({
      chosen,
      rounds: Option.getOrUndefined(input.rounds),
      install: input.install,
      directory: process.cwd(),
      onResult: (result) => (input.json ? Effect.void : output.print(Summary.result(result, output.paint)))
    })
    yield* input.json
      ? output.json(Benches.Report, report)
      : output.print(Summary.closing(report.machine, report.verdict, output.paint))
    yield* (yield* ExitStatus).set(Verdict.exitCode(report.verdict))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Measure speed and memory against the tools one would use instead"),
  Command.withExamples([
    { command: "sbx bench cold-start exec", description: "Two benchmarks" },
    { command: "sbx bench --json", description: "All of them, for a program" }
  ])
)
