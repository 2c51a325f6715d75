/** Whether the journal of a dead run holds: its hash chain, and every event that was acknowledged before the death. */
import * as Sqlite from "@sbx/journal/Sqlite"
import { Journal } from "@sbx/journal/Journal"
import * as Verification from "@sbx/journal/Verification"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Stream from "effect/Stream"

/** The journal of the only run beneath `cwd`; nothing when it died before it had one. */
export const journalOf = Effect.fnUntraced(function* (cwd: string) {
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
  readonly journalId: string
  readonly acknowledged: number
  readonly violations: ReadonlyArray<string>
}

/** Events that were acknowledged and how many of them are missing, as statements. */
export const judge = Effect.fnUntraced(function* (cwd: string, path: string) {
  const fs = yield* FileSystem
  const { verdict, problems, journalId } = yield* Verification.verify(path)
  const broken = verdict === "intact" ? [] : problems.map(({ fact }) => `the journal is broken: ${fact}`)
  const noted = yield* Effect.orElseSucceed(fs.readFileString(`${cwd}/acks`), () => "")
  // The last line may be half-written: its append was acknowledged, its note was not.
  const acks = noted.split("\n").slice(0, -1)
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
