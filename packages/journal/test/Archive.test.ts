/** Archived streams, and single damaged bytes of a journal file and of its segments. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Stream } from "effect"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { archive } from "@sbx/journal/Archive"
import * as Journal from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Transfer from "@sbx/journal/Transfer"
import { verify } from "@sbx/journal/Verification"
import { temporaryDirectory } from "./child.ts"
import { event, stream } from "./laws.ts"

type Service = Journal.Journal["Service"]

const write = <A, E>(path: string, use: (journal: Service) => Effect.Effect<A, E>) =>
  Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Sqlite.layer({ path }))))

/** Streams s0 to s9 in turns, the even ones closed at the end. */
const filled = (rounds: number) =>
  Effect.gen(function* () {
    const path = `${yield* temporaryDirectory}/j.sqlite`
    yield* write(path, (journal) =>
      Effect.gen(function* () {
        const append = (n: number) =>
          journal.append(stream(`s${n % 10}`), [event(n), ...Array.from({ length: 20 }, (_, k) => event(k))], {
            expected: Journal.any,
            commandId: `c${n}`,
            correlation: "run"
          })
        // Some commits of their own, then as many together as there are.
        for (let n = 0; n < 10; n++) yield* append(n)
        const others = Array.from({ length: rounds - 10 }, (_, n) => n + 10)
        yield* Effect.forEach(others, append, { concurrency: "unbounded", discard: true })
        for (let n = 0; n < 10; n += 2) yield* journal.close(stream(`s${n}`))
      })
    )
    return path
  })

const flip = (file: string, at: number, bit = 1) => {
  const bytes = fs.readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ bit
  fs.writeFileSync(file, bytes)
}

/** All that SQL can see of a file, or the error that reading it is: what a damage has to change to matter. */
const visible = (path: string): string => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = ["meta", "events", "appends", "commits", "streams"]
    return tables.map((table) => JSON.stringify(db.prepare(`SELECT * FROM ${table}`).all())).join("\n")
  } catch (cause) {
    return String(cause)
  } finally {
    db.close()
  }
}

describe("archive", () => {
  it.live("moves closed streams to a segment that verify still covers", () =>
    Effect.gen(function* () {
      const path = yield* filled(600)
      const before = yield* verify(path)
      const { segment = "", ...counts } = yield* archive({ path })
      assert.deepStrictEqual(counts, { streams: 5, events: 300 * 21 + 5 })
      const kept = new DatabaseSync(path, { readOnly: true })
      assert.strictEqual(Number(kept.prepare("SELECT count(*) AS n FROM events").get()?.["n"]), 300 * 21)
      kept.close()
      assert.deepStrictEqual(yield* verify(path), before, "commits, head and hash are as before")
      assert.deepStrictEqual(yield* archive({ path }), { streams: 0, events: 0 })
      yield* write(path, (journal) =>
        Effect.gen(function* () {
          const gone = yield* Effect.flip(Stream.runDrain(journal.read(stream("s0"))))
          assert.strictEqual(gone.reason, "Archived")
          assert.strictEqual(yield* Stream.runCount(journal.read(stream("s1"))), 60 * 21)
          assert.strictEqual(yield* Stream.runCount(journal.readAll()), 300 * 21)
          const again = yield* Effect.flip(journal.append(stream("s0"), [event(1)], { expected: Journal.any }))
          assert.strictEqual(again._tag, "StreamClosed")
          const exported = yield* Effect.flip(Stream.runDrain(Transfer.exportLines(journal)))
          assert.strictEqual(exported.reason, "Archived")
          const next = yield* journal.append(stream("new"), [event(1)], { expected: Journal.noStream })
          assert.strictEqual(next.first, before.head + 1)
          const locked = yield* Effect.flip(archive({ path }))
          assert.strictEqual(locked._tag, "JournalLocked")
        })
      )
      assert.strictEqual((yield* verify(path)).verdict, "intact")
      flip(segment, Math.floor(fs.statSync(segment).size / 2))
      const facts = (yield* verify(path)).problems.map((problem) => problem.fact)
      assert.include(facts.join("\n"), "segment j.sqlite.segments/000001.ndjson is not the one that was written")
      fs.rmSync(segment)
      assert.include((yield* verify(path)).problems[0]?.fact ?? "", "000001.ndjson is missing")
    })
  )

  it.live("takes only the streams asked for, and finishes what a killed call left", () =>
    Effect.gen(function* () {
      const path = yield* filled(40)
      assert.strictEqual((yield* archive({ path, streams: [stream("s1"), stream("s2")] })).streams, 1)
      assert.strictEqual((yield* archive({ path, closedByMillis: 1 })).streams, 0)
      // A kill between recording a segment and deleting: as if the rows of the archived stream had not gone yet.
      const rows = fs.readFileSync(`${path}.segments/000001.ndjson`, "utf8").trim().split("\n")
      const db = new DatabaseSync(path)
      const insert = db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      const id = Number(db.prepare("SELECT stream_id AS id FROM archived").get()?.["id"])
      for (const r of rows.slice(50).map((line) => JSON.parse(line))) {
        const links = [r.commandId ?? null, null, r.correlation ?? null, r.closes ? 1 : 0]
        insert.run(r.position, id, r.version, r.type, r.schemaVersion, r.payload, ...links, r.recordedAtMillis, r.epoch)
      }
      db.close()
      assert.strictEqual((yield* verify(path)).verdict, "intact")
      const half = yield* write(path, (journal) => Effect.flip(Stream.runDrain(journal.read(stream("s2")))))
      assert.strictEqual(half.reason, "Archived", "a half that is left is not taken for the stream")
      yield* archive({ path, streams: [] })
      const left = new DatabaseSync(path, { readOnly: true })
      assert.strictEqual(left.prepare("SELECT count(*) AS n FROM events WHERE stream_id = ?").get(id)?.["n"], 0)
      left.close()
      assert.strictEqual((yield* verify(path)).verdict, "intact")
    })
  )

  it.live("refuses what is not there and what is no journal", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const missing = yield* Effect.flip(archive({ path: `${directory}/none.sqlite` }))
      assert.strictEqual(missing._tag === "JournalUnavailable" && missing.reason, "NotFound")
      const db = new DatabaseSync(`${directory}/other.sqlite`)
      db.exec("CREATE TABLE users (name TEXT)")
      db.close()
      const other = yield* Effect.flip(archive({ path: `${directory}/other.sqlite` }))
      assert.strictEqual(other._tag === "JournalUnavailable" && other.reason, "NotAJournal")
      const path = yield* filled(10)
      const newer = new DatabaseSync(path)
      newer.exec("UPDATE meta SET format = 9")
      newer.close()
      assert.strictEqual((yield* Effect.flip(archive({ path })))._tag, "JournalFormatUnsupported")
    })
  )
})

describe("verify", () => {
  it.live("notices a flipped byte wherever it changes what the journal says, in 60 places and in the middle", () =>
    Effect.gen(function* () {
      const path = yield* filled(30)
      const db = new DatabaseSync(path)
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)")
      db.close()
      const image = fs.readFileSync(path)
      const origin = visible(path)
      const copy = `${path}.copy`
      const table = { noticed: 0, harmless: 0 }
      const places = yield* Effect.replicateEffect(Random.nextIntBetween(0, image.length - 1), 60)
      for (const at of [Math.floor(image.length / 2), ...places]) {
        fs.rmSync(`${copy}-wal`, { force: true })
        fs.rmSync(`${copy}-shm`, { force: true })
        fs.writeFileSync(copy, image)
        flip(copy, at)
        const result = yield* Effect.result(verify(copy))
        const noticed = result._tag === "Failure" || result.success.verdict === "broken"
        if (noticed) table.noticed++
        else {
          assert.strictEqual(visible(copy), origin, `byte ${at} of ${image.length} changed unnoticed`)
          table.harmless++
        }
      }
      assert.isAbove(table.noticed, 10, JSON.stringify(table))
    })
  )
})
