/**
 * A whole journal as lines of JSON, and back: a header, one line a commit with its hash, and an end that tells a cut.
 * An import checks every hash while it writes. Refuses a target that is not empty, and another journal's identity
 * unless told to give the events a new one.
 */
import { Effect, Schema, Stream } from "effect"
import type { Journal, JournalUnavailable } from "./Journal.ts"
import { CommandId, Position, StreamName } from "./Journal.ts"
import { commitHash, genesisHash } from "./internal/hashChain.ts"
import type { LoggedCommit } from "./CommitLog.ts"

type Service = Journal["Service"]

const Header = Schema.TaggedStruct("JournalExport", {
  format: Schema.Literal(1),
  journalId: Schema.String,
  createdAtMillis: Schema.Int,
  algorithm: Schema.Literal("sha256")
})

const ExportedEvent = Schema.Struct({
  stream: StreamName,
  version: Schema.Int,
  type: Schema.String,
  schemaVersion: Schema.Int,
  payload: Schema.Json,
  commandId: Schema.optionalKey(CommandId),
  causation: Schema.optionalKey(Position),
  correlation: Schema.optionalKey(Schema.String),
  closes: Schema.optionalKey(Schema.Literal(true))
})

const ExportedCommand = Schema.Struct({
  stream: StreamName,
  commandId: CommandId,
  digest: Schema.String,
  first: Position,
  last: Position,
  version: Schema.Int
})

const ExportedCommit = Schema.TaggedStruct("Commit", {
  id: Schema.Int,
  first: Position,
  last: Position,
  epoch: Schema.Int,
  recordedAtMillis: Schema.Int,
  hash: Schema.String,
  events: Schema.Array(ExportedEvent),
  commands: Schema.Array(ExportedCommand)
})

const End = Schema.TaggedStruct("End", { commits: Schema.Int, head: Position, hash: Schema.String })

/** One line of an export. */
export const ExportLine = Schema.Union([Header, ExportedCommit, End])
export type ExportLine = typeof ExportLine.Type

const decodeLine = Schema.decodeUnknownEffect(ExportLine)

/** Where an import ended: what `verify` tells of the target. */
export interface Imported {
  readonly commits: number
  readonly head: Position
  /** Hash of the last commit in the target's chain. */
  readonly hash: string
}

/** The lines are not an export that this journal can take; what was written before the line stays. */
export class ImportRefused extends Schema.TaggedError<ImportRefused>()("ImportRefused", {
  reason: Schema.Literals(["NotAnExport", "NotEmpty", "AnotherJournal", "Broken", "Truncated"]),
  /** 1-based; `0` is before the first line. */
  line: Schema.Int,
  detail: Schema.String
}) {
  override get message() {
    return `Could not import line ${this.line}: ${this.detail}.\n${importRemedies[this.reason]}`
  }
}

const importRemedies: Record<ImportRefused["reason"], string> = {
  NotAnExport: "Give the lines of an export.",
  NotEmpty: "Import into a new journal.",
  AnotherJournal: "Open the target with the identity of the export, or ask for a new identity.",
  Broken: "Export again; throw the target away.",
  Truncated: "Export again; throw the target away."
}

/** The journal as lines without line ends, up to its head now. Fails on archived events. */
export const exportLines = (journal: Service): Stream.Stream<string, JournalUnavailable> => {
  const header: ExportLine = {
    _tag: "JournalExport",
    format: 1,
    journalId: journal.id,
    createdAtMillis: journal.log.createdAtMillis,
    algorithm: "sha256"
  }
  const end = { commits: 0, head: 0, hash: genesisHash(journal.id, journal.log.createdAtMillis) }
  const commits = Stream.map(journal.log.commits, (logged): ExportLine => {
    end.commits = logged.commit.id
    end.head = logged.commit.last
    end.hash = logged.commit.hash
    return toExported(logged)
  })
  return Stream.succeed<ExportLine>(header).pipe(
    Stream.concat(commits),
    Stream.concat(Stream.sync((): ExportLine => ({ _tag: "End", ...end }))),
    Stream.map((line) => JSON.stringify(line))
  )
}

/** Fields in a fixed order, so that two exports of one journal are the same text. */
const toExported = ({ commit, rows, commands }: LoggedCommit): ExportLine => ({
  _tag: "Commit",
  id: commit.id,
  first: commit.first,
  last: commit.last,
  epoch: commit.epoch,
  recordedAtMillis: commit.recordedAtMillis,
  hash: commit.hash,
  events: rows.map((row) => ({
    stream: row.stream,
    version: row.version,
    type: row.type,
    schemaVersion: row.schemaVersion,
    payload: JSON.parse(row.payload),
    ...(row.commandId === undefined ? {} : { commandId: row.commandId }),
    ...(row.causation === undefined ? {} : { causation: row.causation }),
    ...(row.correlation === undefined ? {} : { correlation: row.correlation }),
    ...(row.closes ? { closes: true as const } : {})
  })),
  commands: commands.map(({ stream, commandId, digest, first, last, version }) => {
    return { stream, commandId, digest, first, last, version }
  })
})

const toLogged = ({ _tag, events, commands, ...commit }: typeof ExportedCommit.Type): LoggedCommit => ({
  commit,
  commands,
  rows: events.map((event, index) => ({
    position: commit.first + index,
    stream: event.stream,
    version: event.version,
    type: event.type,
    schemaVersion: event.schemaVersion,
    payload: JSON.stringify(event.payload),
    commandId: event.commandId,
    causation: event.causation,
    correlation: event.correlation,
    closes: event.closes === true,
    recordedAtMillis: commit.recordedAtMillis,
    epoch: commit.epoch
  }))
})

/** The header of an export, to open a target with its identity. */
export const identityOf = (
  firstLine: string
): Effect.Effect<{ readonly id: string; readonly createdAtMillis: number }, ImportRefused> =>
  Effect.flatMap(parseLine(firstLine, 1), (line) =>
    line._tag === "JournalExport"
      ? Effect.succeed({ id: line.journalId, createdAtMillis: line.createdAtMillis })
      : Effect.fail(new ImportRefused({ reason: "NotAnExport", line: 1, detail: "it has no header" }))
  )

/**
 * Writes an export into an empty journal, commit by commit, and checks its chain. `newIdentity` keeps positions, times
 * and command ids but chains the commits anew under the target's own id, so event ids change. Open the target again
 * before the next append: its present epoch may be one that the imported events carry. An import that failed leaves a
 * part: throw the target away.
 */
export const importLines = Effect.fn("Transfer.importLines")(function* <E, R>(
  journal: Service,
  lines: Stream.Stream<string, E, R>,
  options?: { readonly newIdentity?: boolean }
): Effect.fn.Return<Imported, ImportRefused | JournalUnavailable | E, R> {
  if ((yield* journal.head) > 0) {
    return yield* new ImportRefused({ reason: "NotEmpty", line: 0, detail: "the target already has events" })
  }
  const state: ImportState = { line: 0, commits: 0, head: 0, source: undefined, hash: "", ended: false }
  yield* Stream.runForEach(lines, (text) => importLine(journal, state, text, options?.newIdentity ?? false))
  if (!state.ended) {
    return yield* new ImportRefused({
      reason: "Truncated",
      line: state.line,
      detail: "the lines end before the export"
    })
  }
  return { commits: state.commits, head: state.head, hash: state.hash }
})

interface ImportState {
  line: number
  commits: number
  head: number
  /** Last hash of the export's own chain. */
  source: string | undefined
  /** Last hash of the target's chain. */
  hash: string
  ended: boolean
}

const importLine = Effect.fnUntraced(function* (
  journal: Service,
  state: ImportState,
  text: string,
  newIdentity: boolean
): Effect.fn.Return<void, ImportRefused | JournalUnavailable> {
  const number = ++state.line
  const refuse = (reason: ImportRefused["reason"], detail: string) =>
    new ImportRefused({ reason, line: number, detail })
  const line = yield* parseLine(text, number)
  if (state.ended || (line._tag === "JournalExport") !== (number === 1)) {
    return yield* refuse("NotAnExport", "a header, commits and an end are due, in this order")
  }
  if (line._tag === "JournalExport") {
    const { id, log } = journal
    const same = line.journalId === id && line.createdAtMillis === log.createdAtMillis
    if (!same && !newIdentity) return yield* refuse("AnotherJournal", `it is ${line.journalId}, the target is ${id}`)
    state.source = genesisHash(line.journalId, line.createdAtMillis)
    state.hash = genesisHash(id, log.createdAtMillis)
    return
  }
  if (line._tag === "End") {
    state.ended = true
    const holds = line.commits === state.commits && line.head === state.head && line.hash === state.source
    return holds ? undefined : yield* refuse("Truncated", `it ends at commit ${line.commits}, not ${state.commits}`)
  }
  const logged = toLogged(line)
  if (commitHash(state.source ?? "", logged.commit, logged.rows) !== line.hash) {
    return yield* refuse("Broken", `the hash of commit ${line.id} does not follow from its events`)
  }
  const restored = journal.log.restore(logged, newIdentity ? "rechained" : "verbatim")
  state.hash = yield* Effect.catchTag(restored, "CommitRefused", (error) => refuse("Broken", error.fact))
  state.source = line.hash
  state.commits = line.id
  state.head = line.last
})

const parseLine = (text: string, line: number): Effect.Effect<ExportLine, ImportRefused> =>
  Effect.try({ try: (): unknown => JSON.parse(text), catch: String }).pipe(
    Effect.flatMap((json) => Effect.mapError(decodeLine(json), (error) => error.message)),
    Effect.mapError((detail) => new ImportRefused({ reason: "NotAnExport", line, detail }))
  )
