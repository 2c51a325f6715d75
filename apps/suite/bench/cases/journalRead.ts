/** Reading and decoding a journal of a million events to typed values, against a raw paged SELECT of the same rows. */
import { any, Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { rm } from "node:fs/promises"
import { DatabaseSync } from "node:sqlite"
import { atMost, type Benchmark, BenchmarkFailed } from "../Benchmark.ts"
import { attempt } from "../competitors/RawDocker.ts"
import { BenchEvents, event } from "../internal/benchEvents.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"
import { BenchPlace } from "../internal/place.ts"

const name = "journal-read"
const limit = 2.5
const events = 1_000_000
const perAppend = 1000
const pageSize = 1000
const rounds = 3
const least = 3

const fill = Effect.gen(function* () {
  const journal = yield* Journal
  yield* Effect.forEach(
    Arr.range(0, events / perAppend - 1),
    (n) => {
      const batch = Arr.makeBy(perAppend, (k) => event(n * perAppend + k))
      return BenchEvents.append(journal, BenchEvents.stream(`s${n % 50}`), batch, { expected: any })
    },
    { concurrency: 8, discard: true }
  )
})

/** Milliseconds to decode every event; fails when it did not see them all. */
const readOurs = Effect.gen(function* () {
  const journal = yield* Journal
  const start = yield* Clock.currentTimeNanos
  let seen = 0
  yield* BenchEvents.replay(journal).pipe(
    Stream.runForEachArray((page) =>
      Effect.sync(() => {
        for (const { payload } of page) if (payload._tag !== "UnknownEvent") seen += 1
      })
    )
  )
  yield* expectAll(seen)
  return Number((yield* Clock.currentTimeNanos) - start) / 1e6
})

const readRaw = Effect.fnUntraced(function* (path: string) {
  const db = new DatabaseSync(path, { readOnly: true })
  const page = db.prepare("SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?")
  const start = yield* Clock.currentTimeNanos
  let seen = 0
  for (
    let rows = page.all(0, pageSize);
    rows.length > 0;
    rows = page.all(Number(rows.at(-1)?.["position"]), pageSize)
  ) {
    seen += rows.length
  }
  const millis = Number((yield* Clock.currentTimeNanos) - start) / 1e6
  db.close()
  yield* expectAll(seen)
  return millis
})

const expectAll = (seen: number) =>
  seen === events
    ? Effect.void
    : Effect.fail(new BenchmarkFailed({ benchmark: name, detail: `${seen} of ${events} events were read` }))

const measure = Effect.fnUntraced(function* (count: number) {
  const { directory } = yield* BenchPlace
  const path = `${directory}/read.sqlite`
  const timed = yield* Effect.gen(function* () {
    yield* fill
    const both = Effect.all([readOurs, readRaw(path)])
    yield* both
    return yield* Effect.forEach(Arr.range(1, count), () => both)
  }).pipe(Effect.provide(Sqlite.layer({ path })))
  yield* attempt(name, () => Promise.all(["", "-wal", "-shm", ".lock"].map((end) => rm(path + end, { force: true }))))
  const mine = summarise(timed.map(([ours]) => ours))
  const raw = summarise(timed.map(([, theirs]) => theirs))
  return {
    series: [
      { of: "sbx", what: "read and decode 1,000,000 events", unit: "ms", figures: mine },
      { of: "node:sqlite", what: `SELECT *, pages of ${pageSize}`, unit: "ms", figures: raw }
    ],
    targets: [atMost("p50 over the raw SELECT's", mine.p50 / raw.p50, limit, { n: count, least })],
    notes: ["warm file; the raw side makes row objects and decodes nothing"]
  }
})

export const journalRead: Benchmark = {
  name,
  description: "read and decode a million events",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
