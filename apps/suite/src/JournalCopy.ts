/**
 * A journal as the lines of an export, and back. Neither leaves a part: a file that was not written whole is removed. Never
 * writes over anything that is there. A journal is imported beside its place, verified, and only then gets its name.
 */
import { Journal, type JournalUnavailable } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Transfer from "@sbx/journal/Transfer"
import * as Verification from "@sbx/journal/Verification"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** A file of the copy could not be read or made. */
export class CopyFileRefused extends Schema.TaggedError<CopyFileRefused>()("CopyFileRefused", {
  operation: Schema.Literals(["read", "write"]),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    const remedy = this.operation === "read" ? "Give the file of an export." : "Give a place that you may write."
    return `Could not ${this.operation} ${this.path}: ${this.detail}.\n${remedy}`
  }
}

/** There is something where the copy is to be made; nothing was done. */
export class TargetExists extends Schema.TaggedError<TargetExists>()("TargetExists", { path: Schema.String }) {
  override get message() {
    return `Could not write ${this.path}: it exists.\nGive a name that is free, or move that file away.`
  }
}

/** What was written is not what was read; it was removed. */
export class CopyDiffers extends Schema.TaggedError<CopyDiffers>()("CopyDiffers", {
  path: Schema.String,
  fact: Schema.String
}) {
  override get message() {
    return `Could not import into ${this.path}: ${this.fact}.\nLook after the disk; import anew, into another place.`
  }
}

const refused = (operation: "read" | "write", path: string) =>
  Effect.mapError((error: PlatformError) =>
    error.reason._tag === "AlreadyExists"
      ? new TargetExists({ path })
      : new CopyFileRefused({ operation, path, detail: error.reason.message })
  )

/** Gives every line of the journal's export to `print`, without line ends. */
export const exportTo = <E, R>(journal: string, print: (line: string) => Effect.Effect<void, E, R>) =>
  Effect.flatMap(Journal, (service) => Stream.runForEach(Transfer.exportLines(service), print)).pipe(
    Effect.provide(Sqlite.layerReader({ path: journal }))
  )

/** Writes the export into a new file, complete on the disk when it succeeds. */
export const exportFile = Effect.fn("JournalCopy.exportFile")(function* (journal: string, to: string) {
  const fs = yield* FileSystem
  yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* fs.open(to, { flag: "wx" }).pipe(refused("write", to))
      const encoder = new TextEncoder()
      yield* exportTo(journal, (line) => file.writeAll(encoder.encode(`${line}\n`)).pipe(refused("write", to))).pipe(
        Effect.andThen(file.sync.pipe(refused("write", to))),
        Effect.onError(() => Effect.ignore(fs.remove(to, { force: true })))
      )
    })
  )
})

const linesOf = (fs: FileSystem, path: string): Stream.Stream<string, CopyFileRefused> =>
  fs.stream(path).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.mapError(({ reason }) => new CopyFileRefused({ operation: "read", path, detail: reason.message }))
  )

export interface ImportOptions {
  readonly from: string
  readonly to: string
  /** An identity of its own; the hashes differ then. */
  readonly asNew: boolean
}

/** What SQLite and the owner's lock lay beside a journal file. */
const companions = ["", "-wal", "-shm", "-journal", ".lock"]

/** Makes the journal `to` of the export `from`. Answers what `verify` says of it. */
export const importFile = Effect.fn("JournalCopy.importFile")(function* (options: ImportOptions) {
  const fs = yield* FileSystem
  const { to } = options
  if (yield* fs.exists(to).pipe(refused("write", to))) return yield* new TargetExists({ path: to })
  const part = `${to}.part`
  // Exclusively, so that what is removed in the end is ours. An empty file is a new database to SQLite.
  yield* fs.writeFile(part, new Uint8Array(), { flag: "wx" }).pipe(refused("write", part))
  const remove = Effect.forEach(companions, (end) => Effect.ignore(fs.remove(`${part}${end}`, { force: true })))
  return yield* Effect.ensuring(
    Effect.gen(function* () {
      const written = yield* importPart(fs, options, part)
      // The file alone is the journal only once its log was written back, which the last one to close it does.
      if (yield* fs.exists(`${part}-wal`).pipe(refused("write", part))) {
        return yield* new CopyDiffers({ path: to, fact: "another process holds it open" })
      }
      const verified = yield* Verification.verify(part)
      if (verified.verdict === "broken" || verified.hash !== written.hash) {
        const fact = verified.problems[0]?.fact ?? `it ends with ${verified.hash}, not ${written.hash}`
        return yield* new CopyDiffers({ path: to, fact })
      }
      yield* fs.link(part, to).pipe(refused("write", to))
      return verified
    }),
    remove
  )
})

const importPart = Effect.fnUntraced(function* (
  fs: FileSystem,
  { from, asNew }: ImportOptions,
  part: string
): Effect.fn.Return<
  Transfer.Imported,
  CopyFileRefused | Transfer.ImportRefused | JournalUnavailable | Sqlite.JournalLocked | Sqlite.JournalFormatUnsupported
> {
  const lines = linesOf(fs, from)
  const first = yield* Stream.runHead(lines)
  const identity = yield* Transfer.identityOf(Option.getOrElse(first, () => ""))
  return yield* Effect.flatMap(Journal, (journal) => Transfer.importLines(journal, lines, { newIdentity: asNew })).pipe(
    Effect.provide(Sqlite.layer({ path: part, ...(asNew ? {} : { identity }) }))
  )
})
