/** Whether the journal of a dead run holds: its hash chain, and every event that was acknowledged before the death. */
import * as Sqlite from "@sbx/journal/Sqlite"
import { Journal } from "@sbx/journal/Journal"
import * as Verification from "@sbx/journal/Verification"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Stream from "effect/Stream"

/** The journal of the only run beneath `cwd`; nothing when it died before it had one. */
const journalOf = Effect.fnUntraced(function* (cwd: string) {
  const fs = yield* FileSystem
  const runs = `${cwd}/.sbx/runs`
  const names = yield* Effect.orElseSucceed(fs.readDirectory(runs), () => [])
  for (const name of names.filter((one) => one.startsWith("run_"))) {
    const path = `${runs}/${name}/journal.sqlite`
    if (yield* fs.exists(path)) return path
  }
  return undefined
})

interface Judged {
  /** Nothing where there is no journal. */
  readonly journalId: string | undefined
  readonly acknowledged: number
  readonly violations: ReadonlyArray<string>
}

/** Events that were acknowledged and how many of them are missing, as statements. */
export const judge = Effect.fnUntraced(function* (cwd: string) {
  const acks = yield* acknowledged(cwd)
  const path = yield* journalOf(cwd)
  const found =
    path === undefined ? undefined : yield* against(path, acks).pipe(Effect.catchIf(unborn, () => Effect.undefined))
  if (found !== undefined) return found
  const violations = acks.length === 0 ? [] : [`${acks.length} appends were acknowledged, and there is no journal`]
  return { journalId: undefined, acknowledged: acks.length, violations } satisfies Judged
})

/** A run that died before its journal's first commit leaves an empty file. */
const unborn = (error: { readonly _tag: string; readonly reason?: unknown }): boolean =>
  error._tag === "JournalUnavailable" && error.reason === "NotAJournal"

/** The last line may be half-written: its append was acknowledged, its note was not. */
const acknowledged = Effect.fnUntraced(function* (cwd: string) {
  const fs = yield* FileSystem
  const noted = yield* Effect.orElseSucceed(fs.readFileString(`${cwd}/acks`), () => "")
  return noted.split("\n").slice(0, -1)
})

const against = Effect.fnUntraced(function* (path: string, acks: ReadonlyArray<string>) {
  const { verdict, problems, journalId } = yield* Verification.verify(path)
  const broken = verdict === "intact" ? [] : problems.map(({ fact }) => `the journal is broken: ${fact}`)
  const held = new Set<string>()
  const ticks = Effect.gen(function* () {
    const journal = yield* Journal
    yield* journal
      .readAll({ filter: { category: "torture" } })
      .pipe(
        Stream.runForEach(({ position, payload }) =>
          Effect.sync(() => void held.add(`${position} ${numberOf(payload)}`))
        )
      )
  })
  yield* ticks.pipe(Effect.provide(Sqlite.layerReader({ path })))
  const lost = acks.filter((ack) => !held.has(ack)).map((ack) => `an acknowledged append is lost: ${ack}`)
  return { journalId, acknowledged: acks.length, violations: [...broken, ...lost] } satisfies Judged
})

const numberOf = (payload: unknown): string =>
  typeof payload === "object" && payload !== null && "n" in payload ? String(payload.n) : ""
