/** `sbx torture <what>`: many rounds of kill -9 and worse at drawn moments, each judged by what is left. Takes a checkout. */
import * as Verdict from "@sbx/core/Verdict"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { Argument, Command, Flag } from "effect/cli"
import { ExitStatus } from "../ExitStatus.ts"
import { install, json } from "../internal/flags.ts"
import { Output } from "../Output.ts"

/** A published program does not carry the tortures. */
export class TortureNotHere extends Schema.TaggedError<TortureNotHere>()("TortureNotHere", { detail: Schema.String }) {
  override get message() {
    return `Could not load the tortures: ${this.detail}.\nRun \`./sbx torture\` from a clone with its development dependencies installed.`
  }
}

const load = Effect.tryPromise({
  try: () => Promise.all([import("../../torture/Tortures.ts"), import("../../torture/summary.ts")]),
  catch: (cause) => new TortureNotHere({ detail: cause instanceof Error ? cause.message : String(cause) })
})

const positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const torture = Command.make(
  "torture",
  {
    what: Argument.String("what").pipe(Argument.withDescription("Torture to run; `list` lists them")),
    rounds: Flag.Int("rounds").pipe(
      Flag.withDescription("How many; each torture has its own default"),
      Flag.withSchema(positive),
      Flag.optional
    ),
    from: Flag.Int("from").pipe(
      Flag.withDescription("Number of the first round, to repeat one"),
      Flag.withSchema(natural),
      Flag.withDefault(0)
    ),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("Replays the moments of an earlier torture"),
      Flag.withSchema(natural),
      Flag.optional
    ),
    json,
    install
  },
  Effect.fnUntraced(function* (input) {
    const [Tortures, Summary] = yield* load
    const output = yield* Output
    if (input.what === "list") return yield* output.print(Summary.list(Tortures.tortures))
    const chosen = yield* Tortures.find(input.what)
    const drawn = yield* Random.nextIntBetween(0, 2 ** 31 - 1)
    const seed = Option.getOrElse(input.seed, () => drawn)
    const report = yield* Tortures.run({
      torture: chosen,
      rounds: Option.getOrElse(input.rounds, () => chosen.rounds),
      from: input.from,
      seed,
      install: input.install,
      directory: process.cwd(),
      onRound: (round) =>
        input.json ? Effect.void : output.print(Summary.round(chosen.name, seed, round, output.paint))
    })
    yield* input.json ? output.json(Tortures.Report, report) : output.print(Summary.closing(report, output.paint))
    yield* (yield* ExitStatus).set(Verdict.exitCode(report.verdict))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Kill runs and engines at drawn moments, and look at what is left"),
  Command.withExamples([
    { command: "sbx torture kill-runner --rounds 20", description: "Twenty runs, killed at random moments" },
    { command: "sbx torture kill-runner --seed 7 --from 3 --rounds 1", description: "One round of them again" }
  ])
)
