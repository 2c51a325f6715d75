/** `sbx journal verify`: whether a journal is what was written, byte for byte, by its own hash chain. Reads only. */
import * as Verdict from "@sbx/core/Verdict"
import * as Verification from "@sbx/journal/Verification"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Argument, Command } from "effect/cli"
import * as path from "node:path"
import { ExitStatus } from "../ExitStatus.ts"
import { json } from "../internal/flags.ts"
import { printable } from "../internal/printable.ts"
import { Output } from "../Output.ts"
import * as RunStore from "../RunStore.ts"

/** JSON of `journal verify --json`. */
const Verified = Schema.Struct({
  path: Schema.String,
  verdict: Schema.Literals(["intact", "broken"]),
  journalId: Schema.String,
  commits: Schema.Int,
  head: Schema.Int,
  hash: Schema.String,
  problems: Schema.Array(
    Schema.Struct({
      fact: Schema.String,
      commit: Schema.optionalKey(Schema.Int),
      stream: Schema.optionalKey(Schema.String)
    })
  )
})
type Verified = typeof Verified.Type

const lines = (found: Verified, paint: Output["Service"]["paint"]): string => {
  const { verdict, journalId, commits, head, hash, problems } = found
  const colour = verdict === "intact" ? "green" : "red"
  return [
    `${paint(colour, verdict)} ${found.path}`,
    `${journalId}: ${head} events in ${commits} commits, hash ${hash}`,
    ...problems.map(({ fact, commit, stream }) => {
      const where = [commit === undefined ? [] : [`commit ${commit}`], stream === undefined ? [] : [stream]].flat()
      return `  ${where.length === 0 ? "" : `${where.join(", ")}: `}${fact}`
    })
  ].join("\n")
}

/** A path has a slash or ends in `.sqlite`; everything else is the id of a run, or `last`. */
const isPath = (where: string): boolean => where.includes("/") || where.endsWith(".sqlite")

const verify = Command.make(
  "verify",
  {
    where: Argument.String("path").pipe(
      Argument.withDescription("Path of a journal file, or id of a run of this directory"),
      Argument.withDefault("last")
    ),
    json
  },
  Effect.fnUntraced(function* (input) {
    const output = yield* Output
    const file = isPath(input.where) ? path.resolve(input.where) : yield* RunStore.journalOf(process.cwd(), input.where)
    const verification = yield* Verification.verify(file)
    const found = { path: file, ...verification }
    if (input.json) yield* output.json(Verified, found)
    else yield* output.print(printable(lines(found, output.paint)))
    const verdict = verification.verdict === "intact" ? Verdict.pass : Verdict.fail("the journal is broken")
    yield* (yield* ExitStatus).set(Verdict.exitCode(verdict))
  })
).pipe(Command.withDescription("Check a journal against its own hash chain"))

export const journal = Command.make("journal").pipe(
  Command.withDescription("Look after journals"),
  Command.withSubcommands([verify])
)
