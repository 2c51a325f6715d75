import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import * as SampleFile from "../src/SampleFile.ts"
import type { StoredItem } from "../src/SampleStore.ts"
import { SampleStore } from "../src/SampleStore.ts"
import { missed, sampled, wide } from "./sampleItems.ts"
import { directory } from "./temporary.ts"

const withFile = <A, E>(options: SampleFile.FileOptions, use: Effect.Effect<A, E, SampleStore | Scope.Scope>) =>
  Effect.scoped(use).pipe(Effect.provide(SampleFile.layer(options)))

const opening = (path: string) => Effect.flip(withFile({ path }, Effect.void))

const recordAll = (items: ReadonlyArray<StoredItem>) =>
  Effect.flatMap(SampleStore, (store) => Effect.forEach(items, store.record, { discard: true }))

const seconds = (count: number, from = 0) => Array.from({ length: count }, (_, index) => (from + index) * 1000)

const reasonOf = (error: { readonly _tag: string; readonly reason?: string }) => `${error._tag} ${error.reason}`

const inMemory = <A, E>(use: Effect.Effect<A, E, SampleStore | Scope.Scope>) =>
  Effect.scoped(use).pipe(Effect.provide(SampleFile.layerMemory()))

describe("points", () => {
  it.effect("tell measured, absent, missed and not sampled apart", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* recordAll([
          sampled("a", 1000, { memoryBytes: 5 }, { pids: "not-reported" }),
          missed("a", 2000, "EngineUnavailable"),
          // Nothing was due at 3000.
          sampled("a", 4000, { pids: 7 }),
          sampled("b", 1500, { memoryBytes: 9 })
        ])
        assert.deepStrictEqual(yield* store.points({ id: "a", metric: "memoryBytes" }), [
          { _tag: "Measured", atMillis: 1000, value: 5 },
          { _tag: "Missed", atMillis: 2000, reason: "EngineUnavailable" },
          { _tag: "Absent", atMillis: 4000, reason: "not-reported" }
        ])
        assert.deepStrictEqual(yield* store.points({ id: "a", metric: "pids", fromMillis: 1000, toMillis: 1000 }), [
          { _tag: "Absent", atMillis: 1000, reason: "not-reported" }
        ])
        assert.deepStrictEqual(yield* store.points({ id: "nobody", metric: "pids" }), [])
      })
    )
  )

  it.effect("are in the order of time with both ends of the range, whatever order they came in", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* recordAll([4, 1, 3, 2, 5].map((second) => sampled("a", second * 1000, { pids: second })))
        const points = yield* store.points({ id: "a", metric: "pids", fromMillis: 2000, toMillis: 4000 })
        assert.deepStrictEqual(
          points.map(({ atMillis }) => atMillis),
          [2000, 3000, 4000]
        )
      })
    )
  )

  it.effect.each([Number.MAX_VALUE, 2 ** 63, 0.1 + 0.2, 5e-324, 0])("give %s back as it was", (value) =>
    inMemory(
      Effect.gen(function* () {
        yield* recordAll([sampled("a", 1.5, { x: value })])
        const [point] = yield* (yield* SampleStore).points({ id: "a", metric: "x" })
        assert.deepStrictEqual(point, { _tag: "Measured", atMillis: 1.5, value })
      })
    )
  )

  it.effect("mark a sample whose time is no number, instead of refusing it for ever", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* TestClock.adjust("5 seconds")
        yield* recordAll([sampled("a", Number.NaN, { x: 1 }), sampled("a", 6000, { x: 2 })])
        const points = yield* store.points({ id: "a", metric: "x" })
        assert.deepStrictEqual(points, [
          { _tag: "Missed", atMillis: 5000, reason: "not-a-number" },
          { _tag: "Measured", atMillis: 6000, value: 2 }
        ])
      })
    )
  )

  it.effect("refuse a range that has no meaning", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        const query = { id: "a", metric: "x" }
        const errors = [
          yield* Effect.flip(store.points({ ...query, fromMillis: 2, toMillis: 1 })),
          yield* Effect.flip(store.points({ ...query, fromMillis: Number.NaN })),
          yield* Effect.flip(store.buckets({ ...query, count: 0 })),
          yield* Effect.flip(store.buckets({ ...query, count: 1.5 })),
          yield* Effect.flip(Stream.runDrain(store.items({ id: "a", fromMillis: 2, toMillis: 1 })))
        ]
        for (const error of errors) assert.strictEqual(error._tag, "InvalidQuery")
      })
    )
  )
})

describe("items", () => {
  it.effect("come back whole, over any number of pages, once each", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        // Three of each time, so that pages end within a time.
        const given = seconds(900).flatMap((at) => [
          sampled("a", at, { memoryBytes: at, cpuCores: 0.5 }, { pidsLimit: "no-limit" }),
          missed("a", at, "TargetNotRunning"),
          sampled("a", at, { pids: 1 }, {}, "cgroup")
        ])
        yield* recordAll(given)
        assert.deepStrictEqual(yield* Stream.runCollect(store.items({ id: "a" })), given)
      })
    )
  )

  it.effect("name what they are of", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* recordAll([wide("b", 2000), wide("a", 1000), missed("a", 3000, "TargetGone")])
        assert.deepStrictEqual(yield* store.subjects, [
          { subject: "container", id: "a", name: "name of a", items: 2, fromMillis: 1000, toMillis: 3000 },
          { subject: "container", id: "b", name: "name of b", items: 1, fromMillis: 2000, toMillis: 2000 }
        ])
      })
    )
  )
})

describe("buckets", () => {
  it.effect("summarise each slice, and leave a hole where nothing was due", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* recordAll([
          sampled("a", 0, { x: 1 }),
          sampled("a", 900, { x: 3 }),
          missed("a", 1000, "EngineUnavailable"),
          sampled("a", 1500, { y: 1 }),
          sampled("a", 4000, { x: 7 })
        ])
        const none = { min: undefined, avg: undefined, max: undefined }
        assert.deepStrictEqual(yield* store.buckets({ id: "a", metric: "x", count: 4 }), [
          { fromMillis: 0, toMillis: 1000, measured: 2, absent: 0, missed: 0, min: 1, avg: 2, max: 3 },
          { fromMillis: 1000, toMillis: 2000, measured: 0, absent: 1, missed: 1, ...none },
          { fromMillis: 2000, toMillis: 3000, measured: 0, absent: 0, missed: 0, ...none },
          { fromMillis: 3000, toMillis: 4000, measured: 1, absent: 0, missed: 0, min: 7, avg: 7, max: 7 }
        ])
        assert.deepStrictEqual(yield* store.buckets({ id: "b", metric: "x", count: 4 }), [])
      })
    )
  )

  it.effect("take an open range for the one that is kept", () =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* recordAll([sampled("a", 100, { x: 1 }), sampled("a", 300, { x: 3 })])
        const open = { fromMillis: Number.NEGATIVE_INFINITY, toMillis: Number.POSITIVE_INFINITY }
        const query = { id: "a", metric: "x", count: 2 }
        assert.deepStrictEqual(yield* store.buckets({ ...query, ...open }), yield* store.buckets(query))
      })
    )
  )

  const Times = Schema.NonEmptyArray(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))))
  const Count = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 40 })))

  it.effect.prop("lose no point and count none twice", [Times, Count], ([times, count]) =>
    inMemory(
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* recordAll(times.map((at) => sampled("a", at, { x: at })))
        const buckets = yield* store.buckets({ id: "a", metric: "x", count })
        assert.strictEqual(buckets.length, count)
        for (const [index, bucket] of buckets.entries()) {
          const last = index === count - 1
          // Times at a border may round to either side of it, by far less than the distance of two integers.
          const inside = times.filter((at) => at >= bucket.fromMillis - 1e-9 && (last || at < bucket.toMillis + 1e-9))
          assert.isAtMost(bucket.measured, inside.length)
          if (bucket.measured > 0) assert.include(inside, bucket.min)
        }
        const total = buckets.reduce((sum, { measured }) => sum + measured, 0)
        assert.strictEqual(total, times.length)
        assert.strictEqual(Math.max(...buckets.map(({ max }) => max ?? 0)), Math.max(...times))
      })
    )
  )
})

describe("writing", () => {
  it.effect("happens in batches, by itself, once an interval", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      yield* withFile(
        { path, flushEvery: "2 seconds" },
        Effect.gen(function* () {
          const store = yield* SampleStore
          yield* recordAll(seconds(700).map((at) => wide("a", at)))
          assert.deepInclude(yield* store.status, { waiting: 700, written: 0, dropped: 0 })
          yield* TestClock.adjust("2 seconds")
          assert.deepInclude(yield* store.status, { waiting: 0, written: 700, failure: undefined })
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("is done when the store closes, and the file is there for the next process", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      yield* withFile({ path }, recordAll([wide("a", 1000), wide("a", 2000)]))
      assert.isFalse(fs.existsSync(`${path}-wal`), "it is one file again")
      yield* withFile({ path }, recordAll([wide("a", 3000)]))
      const points = yield* withFile(
        { path },
        Effect.flatMap(SampleStore, (store) => store.points({ id: "a", metric: "metric0" }))
      )
      assert.deepStrictEqual(
        points.map((point) => point._tag === "Measured" && point.value),
        [1000, 2000, 3000]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("survives that the process is killed: what was flushed is there", () =>
    Effect.gen(function* () {
      const folder = yield* directory
      const path = `${folder}/s.sqlite`
      yield* withFile(
        { path },
        Effect.gen(function* () {
          const store = yield* SampleStore
          yield* recordAll([wide("a", 1000)])
          yield* store.flush
          // What a kill leaves on the disk: the file and its log as they are now.
          for (const end of ["", "-wal"]) fs.copyFileSync(path + end, `${folder}/left.sqlite${end}`)
        })
      )
      const subjects = Effect.flatMap(SampleStore, (store) => store.subjects)
      assert.strictEqual((yield* withFile({ path: `${folder}/left.sqlite` }, subjects))[0]?.items, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is shared with another process that writes the same file", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      const both = Effect.gen(function* () {
        const store = yield* SampleStore
        yield* withFile({ path }, recordAll([wide("b", 1000)]))
        yield* recordAll([wide("a", 1000)])
        assert.strictEqual((yield* store.subjects).length, 2)
      })
      yield* withFile({ path }, both)
    }).pipe(Effect.scoped)
  )
})

describe("retention", () => {
  it.effect("forgets what is older than its age, by the time it was recorded", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      yield* withFile(
        { path, maxAge: "10 seconds" },
        Effect.gen(function* () {
          const store = yield* SampleStore
          const kept = Effect.map(store.subjects, (all) => all.map(({ id, items }) => `${id} ${items}`))
          // Its source's clock is a year ahead: that makes it no younger.
          yield* recordAll([wide("old", 365 * 86_400_000)])
          yield* store.flush
          yield* TestClock.adjust("5 seconds")
          yield* recordAll([wide("young", 5000)])
          yield* store.flush
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* kept, ["old 1", "young 1"])
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* kept, ["young 1"])
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* kept, [])
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("keeps file and log together within the size, and the newest in it", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      const maxBytes = 1_000_000
      const sizes: Array<number> = []
      yield* withFile(
        { path, maxBytes, flushEvery: "1 hour" },
        Effect.gen(function* () {
          const store = yield* SampleStore
          for (let turn = 0; turn < 40; turn++) {
            const items = seconds(3, turn * 3).flatMap((at) =>
              Array.from({ length: 100 }, (_, index) => wide(`container ${index}`, at))
            )
            yield* recordAll(items)
            yield* store.flush
            sizes.push(["", "-wal", "-shm"].reduce((sum, end) => sum + fs.statSync(path + end).size, 0))
          }
          const subjects = yield* store.subjects
          assert.strictEqual(subjects.length, 100)
          for (const { items, toMillis } of subjects) {
            assert.isAbove(items, 5)
            assert.isBelow(items, 120, "something was forgotten")
            assert.strictEqual(toMillis, 119_000)
          }
        })
      )
      assert.isAtMost(Math.max(...sizes), maxBytes)
      assert.isAbove(Math.max(...sizes), maxBytes * 0.6, "the bound is used")
    }).pipe(Effect.scoped)
  )

  it.effect("forgets containers with their last item, so that churn leaves nothing", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      yield* withFile(
        { path, maxAge: "1 minute" },
        Effect.gen(function* () {
          for (let turn = 0; turn < 20; turn++) {
            yield* recordAll(Array.from({ length: 50 }, (_, index) => wide(`container ${turn * 50 + index}`, turn)))
            yield* TestClock.adjust("1 minute")
          }
          yield* TestClock.adjust("2 minutes")
        })
      )
      const db = new DatabaseSync(path, { readOnly: true })
      const count = (table: string) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]
      assert.deepStrictEqual([count("items"), count("subjects"), count("shapes")], [0, 0, 0])
      db.close()
    }).pipe(Effect.scoped)
  )

  it.effect("shrinks a file that was allowed more before", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      yield* withFile({ path, maxBytes: 4_000_000 }, recordAll(seconds(5000).map((at) => wide("a", at))))
      assert.isAbove(fs.statSync(path).size, 1_500_000)
      yield* withFile({ path, maxBytes: 1_000_000 }, Effect.void)
      assert.isBelow(fs.statSync(path).size, 1_000_000)
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    [{ maxBytes: 999_999 }, "InvalidRetention"],
    [{ maxBytes: Number.NaN }, "InvalidRetention"],
    [{ maxAge: 0 }, "InvalidRetention"],
    [{ maxAge: Number.POSITIVE_INFINITY }, "InvalidRetention"],
    [{ flushEvery: 0 }, "InvalidInterval"]
  ] as const)("refuses %o", ([options, tag]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Effect.provide(Effect.void, SampleFile.layerMemory(options))))
      assert.strictEqual(error._tag, tag)
    })
  )
})

describe("a file that refuses", () => {
  it.effect("is told: a foreign file, another database, and neither is touched", () =>
    Effect.gen(function* () {
      const folder = yield* directory
      fs.writeFileSync(`${folder}/notes.txt`, "these are not samples, and they are longer than a header".repeat(10))
      const db = new DatabaseSync(`${folder}/other.sqlite`)
      db.exec("CREATE TABLE theirs (x)")
      db.close()
      for (const name of ["notes.txt", "other.sqlite"]) {
        const before = fs.readFileSync(`${folder}/${name}`)
        assert.strictEqual(reasonOf(yield* opening(`${folder}/${name}`)), "SampleStoreUnavailable NotASampleStore")
        assert.deepStrictEqual(fs.readFileSync(`${folder}/${name}`), before)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("is told: a missing directory, a newer format", () =>
    Effect.gen(function* () {
      const folder = yield* directory
      assert.strictEqual(reasonOf(yield* opening(`${folder}/no/s.sqlite`)), "SampleStoreUnavailable NotFound")
      const path = `${folder}/s.sqlite`
      yield* withFile({ path }, Effect.void)
      const db = new DatabaseSync(path)
      db.exec("PRAGMA user_version = 99")
      db.close()
      assert.strictEqual(reasonOf(yield* opening(path)), "SampleStoreUnavailable NewerFormat")
    }).pipe(Effect.scoped)
  )

  it.effect("is told: damaged pages, a truncated file, and a cell that is no JSON", () =>
    Effect.gen(function* () {
      const folder = yield* directory
      const path = `${folder}/s.sqlite`
      yield* withFile({ path }, recordAll(seconds(2000).map((at) => wide("a", at))))
      const whole = fs.readFileSync(path)
      const all = Effect.flatMap(SampleStore, (store) => Stream.runCollect(store.items({ id: "a" })))
      const readDamaged = (bytes: Buffer) =>
        Effect.suspend(() => {
          fs.writeFileSync(path, bytes)
          return Effect.flip(withFile({ path }, all))
        })
      const scribbled = Buffer.from(whole).fill(0xa5, 8 * 4096, 40 * 4096)
      assert.strictEqual(reasonOf(yield* readDamaged(scribbled)), "SampleStoreUnavailable Corrupt")
      const truncated = whole.subarray(0, 20 * 4096)
      assert.strictEqual(reasonOf(yield* readDamaged(truncated)), "SampleStoreUnavailable Corrupt")
      fs.writeFileSync(path, whole)
      const db = new DatabaseSync(path)
      db.exec("UPDATE items SET cells = '[1, broken' WHERE id = 5")
      db.close()
      assert.strictEqual(reasonOf(yield* Effect.flip(withFile({ path }, all))), "SampleStoreUnavailable Corrupt")
      const points = Effect.flatMap(SampleStore, (store) => store.points({ id: "a", metric: "metric0" }))
      assert.strictEqual(reasonOf(yield* Effect.flip(withFile({ path }, points))), "SampleStoreUnavailable Corrupt")
    }).pipe(Effect.scoped)
  )

  it.effect("costs the oldest of what waits, counted, while another process holds it, and never the recording", () =>
    Effect.gen(function* () {
      const path = `${yield* directory}/s.sqlite`
      yield* withFile(
        { path, flushEvery: "1 hour" },
        Effect.gen(function* () {
          const store = yield* SampleStore
          const holder = new DatabaseSync(path)
          holder.exec("BEGIN IMMEDIATE")
          yield* recordAll(seconds(10_005).map((at) => wide("a", at)))
          const error = yield* Effect.flip(store.flush)
          assert.strictEqual(error.reason, "Busy")
          const { dropped, failure, waiting } = yield* store.status
          assert.deepStrictEqual([waiting, dropped, failure?.reason], [10_000, 5, "Busy"])
          holder.exec("ROLLBACK")
          holder.close()
          yield* store.flush
          assert.deepInclude(yield* store.status, { waiting: 0, written: 10_000, dropped: 5, failure: undefined })
          assert.strictEqual((yield* store.subjects)[0]?.fromMillis, 5000)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("is told after it was closed", () =>
    Effect.gen(function* () {
      const store = yield* Effect.provide(SampleStore, SampleFile.layerMemory())
      assert.strictEqual((yield* Effect.flip(store.subjects)).reason, "Closed")
      assert.strictEqual((yield* Effect.flip(store.flush)).reason, "Closed")
    })
  )

  it.live("is told of at the end, with how much is lost by it", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      const path = `${yield* directory}/s.sqlite`
      let other: DatabaseSync | undefined
      yield* withFile(
        { path, flushEvery: "1 hour" },
        Effect.gen(function* () {
          yield* recordAll([sampled("a", 1, { x: 1 }), sampled("a", 2, { x: 1 })])
          other = new DatabaseSync(path)
          other.exec("BEGIN IMMEDIATE")
        })
      ).pipe(Effect.provide(Logger.layer([logger])))
      other?.close()
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /^Warn .*2 samples are lost.*Could not write the sample store/s)
    }).pipe(Effect.scoped)
  )
})
