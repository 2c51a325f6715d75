/**
 * `sbx journal`: whether a journal is what was written, byte for byte, by its own hash chain; and a journal as lines of
 * JSON with those hashes, and back. Verify and export read only; an import makes a new file, whole or not at all.
 */
import * as Verdict from "@sbx/core/Verdict"
import * as Verification from "@sbx/journal/Verification"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Argument, Command, Flag } from "effect/cli"
import * as path from "node:path"
import { ExitStatus } from "../ExitStatus.ts"
import * as JournalCopy from "../JournalCopy.ts"
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

const where = Argument.String("path").pipe(
  Argument.withDescription("Path of a journal file, or id of a run of this directory"),
  Argument.withDefault("last")
)

const journalAt = (given: string) =>
  isPath(given) ? Effect.succeed(path.resolve(given)) : RunStore.journalOf(process.cwd(), given)

const verify = Command.make(
  "verify",
  { where, json },
  Effect.fnUntraced(function* (input) {
    const output = yield* Output
    const file = yield* journalAt(input.where)
    const verification = yield* Verification.verify(file)
    const found = { path: file, ...verification }
    if (input.json) yield* output.json(Verified, found)
    else yield* output.print(printable(lines(found, output.paint)))
    const verdict = verification.verdict === "intact" ? Verdict.pass : Verdict.fail("the journal is broken")
    yield* (yield* ExitStatus).set(Verdict.exitCode(verdict))
  })
).pipe(Command.withDescription("Check a journal against its own hash chain"))

const exportCommand = Command.make(
  "export",
  {
    where,
    out: Flag.String("out").pipe(
      Flag.withDescription("A file that does not exist yet, instead of standard output"),
      Flag.withMetavar("file"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* (input) {
    const output = yield* Output
    const journal = yield* journalAt(input.where)
    if (Option.isNone(input.out)) return yield* JournalCopy.exportTo(journal, output.print)
    const file = path.resolve(input.out.value)
    yield* JournalCopy.exportFile(journal, file)
    yield* output.print(printable(`exported ${journal} to ${file}`))
  })
).pipe(Command.withDescription("Print a journal as lines of JSON with its hashes"))

/** JSON of `journal import --json`. */
const Imported = Verified.mapFields(Struct.omit(["verdict", "problems"]))

const importCommand = Command.make(
  "import",
  {
    from: Argument.String("file").pipe(Argument.withDescription("The lines of an export")),
    to: Argument.String("path").pipe(Argument.withDescription("The journal to make; nothing may be there yet")),
    asNew: Flag.Boolean("as-new").pipe(
      Flag.withDescription("Give the journal an identity of its own: the same events under other hashes and event ids"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    json
  },
  Effect.fnUntraced(function* (input) {
    const output = yield* Output
    const to = path.resolve(input.to)
    const { journalId, commits, head, hash } = yield* JournalCopy.importFile({
      from: path.resolve(input.from),
      to,
      asNew: input.asNew
    })
    if (input.json) return yield* output.json(Imported, { path: to, journalId, commits, head, hash })
    const text = `imported ${to}\n${journalId}: ${head} events in ${commits} commits, hash ${hash}`
    yield* output.print(printable(text))
  })
).pipe(Command.withDescription("Make a journal of an export, every hash checked"))

export const journal = Command.make("journal").pipe(
  Command.withDescription("Look after journals"),
  Command.withSubcommands([verify, exportCommand, importCommand])
)
