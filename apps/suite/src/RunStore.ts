/**
 * Where runs leave their evidence: `.sbx/runs/<run id>/` of the working directory, and `.sbx/runs/last`, a link to the newest.
 * Proves by writing that the place takes files, before anything is made in the engine. Keeps no folder of a run that did not start.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { nearest } from "./internal/nearest.ts"

/** The place for runs cannot be written. */
export class RunStoreUnavailable extends Schema.TaggedError<RunStoreUnavailable>()("RunStoreUnavailable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not write ${this.path}: ${this.detail}.\nStart from a directory that you may write and that has free space.`
  }
}

/** No run of that id lies here. */
export class UnknownRun extends Schema.TaggedError<UnknownRun>()("UnknownRun", {
  run: Schema.String,
  directory: Schema.String,
  nearest: Schema.Array(Schema.String)
}) {
  override get message() {
    const hint = this.nearest.length === 0 ? "Make one: `sbx run smoke`." : `Nearest: ${this.nearest.join(", ")}.`
    return `Could not find the run ${this.run} in ${this.directory}.\n${hint}`
  }
}

export interface RunFolder {
  readonly runId: string
  /** Absolute. */
  readonly path: string
  readonly journal: string
  /** Makes the folder last, and the one that `last` leads to. */
  readonly started: Effect.Effect<void, RunStoreUnavailable>
  readonly write: (
    file: "report.json" | "junit.xml" | "summary.md" | "report.html",
    text: string
  ) => Effect.Effect<void, RunStoreUnavailable>
}

/** What a run takes at the least: journal, reports and scratch files. */
const probeBytes = 1024 * 1024

const runsOf = (directory: string): string => `${directory}/.sbx/runs`

/** `run_` and the UTC time to the millisecond, then four characters against a tie: sorts by age. */
export const makeRunId = Effect.gen(function* () {
  const time = DateTime.formatIso(DateTime.makeUnsafe(yield* Clock.currentTimeMillis)).replace(/\D/g, "")
  let tail = ""
  for (let i = 0; i < 4; i++) tail += (yield* Random.nextIntBetween(0, 36, { halfOpen: true })).toString(36)
  return `run_${time.slice(0, 8)}t${time.slice(8, 17)}_${tail}`
})

/** A new run's folder beneath `directory` (absolute). Removed with the scope, unless the run started. */
export const create = Effect.fn("RunStore.create")(function* (
  directory: string
): Effect.fn.Return<RunFolder, RunStoreUnavailable, FileSystem | Scope.Scope> {
  const fs = yield* FileSystem
  const runId = yield* makeRunId
  const runs = runsOf(directory)
  const path = `${runs}/${runId}`
  const refuse = (at: string) => Effect.mapError((error: PlatformError) => unavailable(at, error))
  let started = false
  // One level at a time: a recursive mkdir of Node says ENOENT where the file system is read-only.
  for (const parent of [`${directory}/.sbx`, runs]) yield* makeDirectory(fs, parent).pipe(refuse(parent))
  yield* Effect.acquireRelease(Effect.andThen(makeDirectory(fs, path), probe(fs, path)).pipe(refuse(path)), () =>
    started ? Effect.void : Effect.ignore(fs.remove(path, { recursive: true, force: true }))
  )
  // The folder is nobody's source: version control need not be told by hand.
  const ignore = `${directory}/.sbx/.gitignore`
  yield* fs.writeFileString(ignore, "*\n").pipe(refuse(ignore))
  return {
    runId,
    path,
    journal: `${path}/journal.sqlite`,
    started: Effect.suspend(() => {
      started = true
      return pointTo(fs, runs, runId)
    }).pipe(refuse(`${runs}/last`)),
    write: (file, text) => fs.writeFileString(`${path}/${file}`, text).pipe(refuse(`${path}/${file}`))
  }
})

const makeDirectory = (fs: FileSystem, path: string) =>
  fs.makeDirectory(path).pipe(
    Effect.catchIf(
      ({ reason }) => reason._tag === "AlreadyExists",
      () => Effect.void
    )
  )

const probe = (fs: FileSystem, path: string) =>
  fs
    .writeFile(`${path}/probe`, new Uint8Array(probeBytes))
    .pipe(Effect.ensuring(Effect.ignore(fs.remove(`${path}/probe`, { force: true }))))

/** Replaced by rename, so that a reader finds the old run or the new one. */
const pointTo = Effect.fnUntraced(function* (fs: FileSystem, runs: string, runId: string) {
  const next = `${runs}/.last-${runId}`
  yield* fs.symlink(runId, next)
  yield* fs.rename(next, `${runs}/last`)
})

const unavailable = (path: string, error: PlatformError) => {
  const { reason } = error
  return new RunStoreUnavailable({ path, detail: codeOf(reason.cause) ?? reason.message })
}

/** The errno of Node's own error, errno(3): it says "full" or "read-only" where the sentence says neither. */
const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? (sentences[cause.code] ?? cause.code)
    : undefined

const sentences: Readonly<Record<string, string>> = {
  EACCES: "permission denied (EACCES)",
  EDQUOT: "the disk quota is used up (EDQUOT)",
  ENOSPC: "the disk is full (ENOSPC)",
  ENOTDIR: "a file is in its place (ENOTDIR)",
  EPERM: "permission denied (EPERM)",
  EROFS: "the file system is read-only (EROFS)"
}

/** Ids of the runs beneath `directory`, oldest first; none where there is no store. */
export const list = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<ReadonlyArray<string>, never, FileSystem> {
  const fs = yield* FileSystem
  const names = yield* fs.readDirectory(runsOf(directory)).pipe(Effect.orElseSucceed(() => []))
  return names.filter((name) => name.startsWith("run_")).sort()
})

/** Path of the journal of a run, by its id or `last`. */
export const journalOf = Effect.fn("RunStore.journalOf")(function* (
  directory: string,
  run: string
): Effect.fn.Return<string, UnknownRun, FileSystem> {
  const fs = yield* FileSystem
  const known = yield* list(directory)
  const path = `${runsOf(directory)}/${run}/journal.sqlite`
  const found = (run === "last" || known.includes(run)) && (yield* Effect.orElseSucceed(fs.exists(path), () => false))
  if (found) return path
  return yield* new UnknownRun({ run, directory: runsOf(directory), nearest: nearest(run, known.slice(-20)) })
})
