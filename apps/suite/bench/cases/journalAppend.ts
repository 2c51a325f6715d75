/**
 * Durable appends by 100 concurrent writers, each to its own stream with its exact version and a command id, against a bare loop of
 * prepared statements that writes the same rows in the same batches.
 */
import { CommandId, exact, Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { rm } from "node:fs/promises"
import { atLeast, type Benchmark } from "../Benchmark.ts"
import * as BareLoop from "../competitors/bareLoop.ts"
import { attempt } from "../competitors/RawDocker.ts"
import { BenchEvents, event } from "../internal/benchEvents.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"
import { BenchPlace } from "../internal/place.ts"

const name = "journal-append"
const limit = 0.6
const writers = 100
const rounds = 5
const least = 3
/** Events of one round. */
const events = 20_000

/** Milliseconds that the appends of one round take. */
const append = Effect.fnUntraced(function* (perAppend: number) {
  const journal = yield* Journal
  const appends = events / writers / perAppend
  const writer = Effect.fnUntraced(function* (id: number) {
    const stream = BenchEvents.stream(`w${id}`)
    for (let i = 0; i < appends; i++) {
      const first = (id * appends + i) * perAppend
      const batch = Arr.makeBy(perAppend, (k) => event(first + k))
      yield* BenchEvents.append(journal, stream, batch, {
        expected: exact(i * perAppend),
        commandId: CommandId.make(`w${id}-${i}`)
      })
    }
  })
  const start = yield* Clock.currentTimeNanos
  yield* Effect.forEach(Arr.range(0, writers - 1), writer, { concurrency: "unbounded", discard: true })
  return Number((yield* Clock.currentTimeNanos) - start) / 1e6
})

/** One round of both sides; events per second. */
const round = Effect.fnUntraced(function* (perAppend: number, label: string) {
  const { directory } = yield* BenchPlace
  const path = `${directory}/append-${label}.sqlite`
  const bare = `${directory}/append-${label}-bare.sqlite`
  const ours = yield* append(perAppend).pipe(Effect.provide(Sqlite.layer({ path })))
  const recording = BareLoop.record(path)
  const file = BareLoop.open(bare, recording)
  const theirs = file.write()
  file.close()
  const remove = (at: string) =>
    attempt(name, () => Promise.all(["", "-wal", "-shm", ".lock"].map((end) => rm(`${at}${end}`, { force: true }))))
  yield* Effect.andThen(remove(path), remove(bare))
  const perSecond = (millis: number) => (recording.events / millis) * 1000
  return { ours: perSecond(ours), theirs: perSecond(theirs), batch: recording.events / recording.commits.length }
})

const measureSize = Effect.fnUntraced(function* (perAppend: number, count: number) {
  yield* round(perAppend, `${perAppend}-warm`)
  const measured = yield* Effect.forEach(Arr.range(1, count), (n) => round(perAppend, `${perAppend}-${n}`))
  const mine = summarise(measured.map(({ ours }) => ours))
  const bare = summarise(measured.map(({ theirs }) => theirs))
  const what = `${perAppend} event${perAppend === 1 ? "" : "s"} an append`
  const batch = Math.round(measured.reduce((sum, one) => sum + one.batch, 0) / measured.length)
  return {
    series: [
      { of: "sbx", what: `${writers} writers, ${what}`, unit: "events/s", figures: mine },
      { of: "bare loop", what: `the same rows, ${batch} events a commit`, unit: "events/s", figures: bare }
    ],
    targets: [atLeast(`p50 over the bare loop's, ${what}`, mine.p50 / bare.p50, limit, { n: count, least })],
    notes: [`${what}: ${events} events a round`]
  }
})

const measure = Effect.fnUntraced(function* (count: number) {
  const parts = yield* Effect.forEach([1, 10], (perAppend) => measureSize(perAppend, count))
  return {
    series: parts.flatMap(({ series }) => series),
    targets: parts.flatMap(({ targets }) => targets),
    notes: parts.flatMap(({ notes }) => notes)
  }
})

export const journalAppend: Benchmark = {
  name,
  description: "journal append, 100 concurrent writers, synchronous FULL",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
