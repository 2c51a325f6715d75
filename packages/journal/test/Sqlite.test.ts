import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import * as Journal from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import { verify } from "@sbx/journal/Verification"
import { startChild, temporaryDirectory } from "./child.ts"
import type { Fresh } from "./contract.ts"
import { journalContract } from "./contract.ts"
import { event, stream } from "./laws.ts"

const fresh: Fresh = ({ inline, ...tuning }) =>
  Layer.unwrap(
    Effect.map(temporaryDirectory, (directory) => {
      const options = { path: `${directory}/j.sqlite`, tuning }
      return inline === undefined ? Sqlite.layer(options) : Sqlite.layerWith({ ...options, inline })
    })
  )

journalContract("Sqlite", fresh, { runs: 30 })

const freshPath = Effect.map(temporaryDirectory, (directory) => `${directory}/journal.sqlite`)
const a = stream("a")

/** Opens the journal for the time of `use`. */
const withJournal = <A, E, R>(path: string, use: (journal: Journal.Journal["Service"]) => Effect.Effect<A, E, R>) =>
  Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Sqlite.layer({ path }))))

const withReader = <A, E, R>(path: string, use: (journal: Journal.Journal["Service"]) => Effect.Effect<A, E, R>) =>
  Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Sqlite.layerReader({ path }))))

const openError = (path: string) => Effect.flip(withJournal(path, () => Effect.void))

describe("Sqlite.layer", () => {
  it.live("keeps id, events and command ids over reopening, under a new epoch", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const write = (n: number) =>
        withJournal(path, (journal) =>
          Effect.map(journal.append(a, [event(n)], { expected: Journal.exact(n), commandId: `c${n}` }), (appended) => ({
            id: journal.id,
            epoch: journal.epoch,
            ...appended
          }))
        )
      const first = yield* write(0)
      const second = yield* write(1)
      assert.match(first.id, /^jrn_[0-9a-z]{16}$/)
      assert.deepStrictEqual(second, { id: first.id, epoch: 2, first: 2, last: 2, version: 2, deduplicated: false })
      assert.deepStrictEqual(yield* write(0), { ...first, epoch: 3, deduplicated: true })
      const epochs = yield* withReader(path, (journal) => Stream.runCollect(journal.readAll()))
      assert.deepStrictEqual(
        epochs.map((e) => e.epoch),
        [1, 2]
      )
    })
  )

  it.live("refuses a second writer in the same process and names the holder", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const error = yield* withJournal(path, () => openError(path))
      assert.strictEqual(error._tag, "JournalLocked")
      assert.include(error.message, `process ${process.pid} `)
      assert.strictEqual(yield* withJournal(path, (journal) => Effect.succeed(journal.epoch)), 2, "free afterwards")
    })
  )

  it.live("refuses a second writer in another process, and tells by isLocked whether the writer lives", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      assert.isFalse(yield* Sqlite.isLocked(path))
      const holder = yield* startChild("holdWriter.ts", [path])
      assert.strictEqual(yield* holder.line(0), "open 1")
      assert.isTrue(yield* Sqlite.isLocked(path))
      const error = yield* openError(path)
      assert.strictEqual(error._tag, "JournalLocked")
      assert.include(error.message, `process ${holder.process.pid} `)
      yield* holder.kill("SIGKILL")
      assert.strictEqual((yield* holder.exit).signal, "SIGKILL")
      assert.isFalse(yield* Sqlite.isLocked(path), "the kernel frees the lock of a killed process")
      yield* withJournal(path, () =>
        Effect.gen(function* () {
          const rival = yield* startChild("holdWriter.ts", [path])
          assert.include(yield* rival.line(0), "JournalLocked Could not open the journal")
        })
      )
      const heir = yield* startChild("holdWriter.ts", [path])
      assert.strictEqual(yield* heir.line(0), "open 3")
      heir.process.stdin?.end()
      assert.strictEqual((yield* heir.exit).code, 0)
    })
  )

  it.live("opens although another process is probing the lock at that moment", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* withJournal(path, () => Effect.void)
      const prober = yield* startChild("holdProbe.ts", [`${path}.lock`])
      assert.strictEqual(yield* prober.line(0), "held")
      prober.process.stdin?.write("release soon\n")
      assert.strictEqual(yield* withJournal(path, (journal) => Effect.succeed(journal.epoch)), 2)
    })
  )

  it.live("refuses a journal of a newer format and leaves it as it is", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* withJournal(path, () => Effect.void)
      const db = new DatabaseSync(path)
      db.exec("UPDATE meta SET format = 9; PRAGMA wal_checkpoint(TRUNCATE)")
      db.close()
      const before = fs.readFileSync(path)
      const expected = new Sqlite.JournalFormatUnsupported({ path, found: 9, supported: 2 })
      assert.deepStrictEqual(yield* openError(path), expected)
      assert.deepStrictEqual(yield* Effect.flip(withReader(path, () => Effect.void)), expected)
      assert.include(expected.message, "its format is 9")
      assert.isTrue(before.equals(fs.readFileSync(path)))
    })
  )

  it.live("refuses files that are not journals", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      fs.writeFileSync(path, "this is a text file, long enough to be looked at as a database header ".repeat(20))
      const text = yield* openError(path)
      assert.strictEqual(text._tag === "JournalUnavailable" && text.reason, "NotAJournal")
      fs.rmSync(path)
      const db = new DatabaseSync(path)
      db.exec("CREATE TABLE users (name TEXT)")
      db.close()
      const other = yield* openError(path)
      assert.strictEqual(other._tag === "JournalUnavailable" && other.reason, "NotAJournal")
      fs.writeFileSync(`${path}.empty`, "")
      const empty = yield* Effect.flip(withReader(`${path}.empty`, () => Effect.void))
      assert.strictEqual(empty._tag === "JournalUnavailable" && empty.reason, "NotAJournal")
    })
  )

  it.live("refuses a missing directory before it creates anything", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const error = yield* openError(`${directory}/missing/j.sqlite`)
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "NotFound")
      assert.include(error.message, "missing is not a directory")
      assert.deepStrictEqual(fs.readdirSync(directory), [])
    })
  )

  it.live("refuses a read-only directory and a read-only file before it creates anything", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      fs.chmodSync(directory, 0o555)
      const open = Effect.flatMap(startChild("unprivileged.ts", [`${directory}/j.sqlite`]), (child) => child.line(0))
      assert.include(yield* open, "JournalUnavailable ReadOnly")
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      fs.chmodSync(directory, 0o777)
      fs.writeFileSync(`${directory}/j.sqlite`, "", { mode: 0o444 })
      assert.include(yield* open, "the file is not writable")
      assert.deepStrictEqual(fs.readdirSync(directory), ["j.sqlite"])
    })
  )

  it.live("writes what was accepted before it closes", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const scope = yield* Scope.make()
      const journal = Context.get(yield* Layer.buildWithScope(Sqlite.layer({ path }), scope), Journal.Journal)
      const appends = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 500 }, (_, n) => n),
          (n) => Effect.exit(journal.append(stream(`s${n}`), [event(n)], { expected: Journal.any })),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* Scope.close(scope, Exit.void)
      const acknowledged = (yield* Fiber.join(appends)).filter(Exit.isSuccess).length
      assert.strictEqual(yield* withReader(path, (reader) => reader.head), acknowledged)
      const late = yield* Effect.flip(journal.head)
      assert.strictEqual(late.reason, "Closed")
    })
  )

  it.live("goes on after a transaction that broke in the middle", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* withJournal(path, (journal) =>
        Effect.gen(function* () {
          const append = journal.append(a, [event(1), event(2)], { expected: Journal.noStream })
          const intruder = new DatabaseSync(path)
          // RAISE(FAIL) ends the statement and leaves the transaction open, unlike an error of the disk.
          intruder.exec(
            "CREATE TRIGGER t BEFORE INSERT ON events WHEN NEW.position = 2 BEGIN SELECT RAISE(FAIL, 'planted'); END"
          )
          const error = yield* Effect.flip(append)
          assert.include(error.message, "planted")
          assert.strictEqual(yield* journal.head, 0)
          intruder.exec("DROP TRIGGER t")
          intruder.close()
          assert.strictEqual((yield* append).last, 2)
        })
      )
      assert.strictEqual((yield* verify(path)).verdict, "intact")
    })
  )

  it.live("fails the whole batch and takes no position when another program holds the file", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* withJournal(path, (journal) =>
        Effect.gen(function* () {
          const intruder = new DatabaseSync(path)
          intruder.exec("BEGIN IMMEDIATE")
          const append = (n: number) => journal.append(stream(`s${n}`), [event(n)], { expected: Journal.noStream })
          const errors = yield* Effect.all([Effect.flip(append(1)), Effect.flip(append(2))], { concurrency: 2 })
          for (const error of errors) assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "Failed")
          intruder.exec("ROLLBACK")
          intruder.close()
          assert.strictEqual((yield* append(1)).first, 1)
        })
      )
    })
  )
})

describe("Sqlite.layerReader", () => {
  it.live("follows from another process what this one writes", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* withJournal(path, (journal) =>
        Effect.gen(function* () {
          const write = (n: number) => journal.append(a, [event(n), event(-n)], { expected: Journal.any })
          yield* write(1)
          const reader = yield* startChild("followReader.ts", [path, "1", "40"])
          yield* reader.line(0)
          yield* Effect.forEach(
            Array.from({ length: 19 }, (_, n) => n),
            write,
            { concurrency: 5 }
          )
          assert.deepStrictEqual(yield* reader.exit, { code: 0, signal: null })
          const seen = reader.lines.filter((line) => line.startsWith("Event"))
          assert.deepStrictEqual(
            seen,
            Array.from({ length: 39 }, (_, n) => `Event ${n + 2}`)
          )
        })
      )
    })
  )

  it.live("wakes a live subscriber and awaitPosition, and refuses to write", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* withJournal(path, (writer) =>
        withReader(path, (reader) =>
          Effect.gen(function* () {
            const live = yield* Effect.forkChild(
              reader.subscribe({ from: Journal.now }).pipe(
                Stream.filter((d) => d._tag === "Event"),
                Stream.take(3),
                Stream.runCollect
              ),
              { startImmediately: true }
            )
            const waiter = yield* Effect.forkChild(reader.awaitPosition(3), { startImmediately: true })
            yield* writer.append(a, [event(1)], { expected: Journal.any })
            yield* writer.append(a, [event(2), event(3)], { expected: Journal.any })
            assert.deepStrictEqual(
              (yield* Fiber.join(live)).map((d) => d.event.position),
              [1, 2, 3]
            )
            yield* Fiber.join(waiter)
            const refused = yield* Effect.flip(reader.append(a, [event(4)], { expected: Journal.any }))
            assert.strictEqual(refused._tag === "JournalUnavailable" && refused.reason, "ReadOnly")
            assert.strictEqual((yield* Effect.flip(reader.close(a)))._tag, "JournalUnavailable")
            assert.strictEqual(reader.id, writer.id)
          })
        )
      )
    })
  )

  it.live("refuses a missing file and creates none", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const error = yield* Effect.flip(withReader(path, () => Effect.void))
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "NotFound")
      assert.isFalse(fs.existsSync(path))
      assert.isFalse(fs.existsSync(`${path}.lock`))
    })
  )
})
