import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Checksum from "../src/Checksum.ts"
import * as LogStream from "../src/LogStream.ts"

const few = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })))
const counts = { debug: 20, info: 60, warn: 15, error: 5 }
const spec: LogStream.Spec = { seed: "golden", counts }

const decode = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      time: Schema.String,
      level: Schema.String,
      service: Schema.String,
      durationMillis: Schema.Int,
      message: Schema.String
    })
  )
)

const lines = (text: string) => text.split("\n").slice(0, -1)

const refusals: ReadonlyArray<readonly [string, Partial<LogStream.Spec>, string]> = [
  ["a negative count", { counts: { ...counts, warn: -1 } }, "the count of warn is -1"],
  ["half an entry", { counts: { ...counts, info: 0.5 } }, "the count of info is 0.5"],
  ["too many entries", { counts: { ...counts, info: 1_000_000 } }, "the number of entries is 1000040"],
  ["a time before 1970", { startMillis: -1 }, "startMillis is -1"],
  ["a negative gap", { gapMillis: -1 }, "gapMillis is -1"],
  ["an end after the year 9999", { startMillis: 253_402_300_799_000 }, "the latest possible time is 253402300818800"]
]

describe("LogStream", () => {
  for (const [title, change, fact] of refusals) {
    it.effect(`refuses ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(LogStream.make({ ...spec, ...change }))
        assert.strictEqual(error._tag, "InvalidLog")
        assert.match(
          error.message,
          new RegExp(`^Could not generate a log: ${fact}\\.\nLet it be a whole number from 0 to \\d+\\.$`)
        )
      })
    )
  }

  it.effect("refuses a stream before its first entry", () =>
    Effect.gen(function* () {
      const stream = LogStream.stream({ ...spec, counts: { ...counts, error: 2 ** 41 } })
      const error = yield* Effect.flip(Stream.runHead(stream))
      assert.include(error.fact, "the count of error is 2199023255552")
    })
  )

  it.effect("gives the same log for a seed for ever, and another for another", () =>
    Effect.gen(function* () {
      const log = yield* LogStream.make(spec)
      assert.deepStrictEqual([LogStream.plain(log), LogStream.ndjson(log)].map(Checksum.ofText), GOLDEN)
      assert.deepStrictEqual(log.errorLines, [1, 7, 25, 49, 77])
      assert.notDeepEqual((yield* LogStream.make({ ...spec, seed: "other" })).entries, log.entries)
    })
  )

  it.effect.prop(
    "holds as many entries of each level as asked, and errors on the known lines, in both formats",
    { seed: Schema.String, debug: few, info: few, warn: few, error: few },
    ({ seed, ...wanted }) =>
      Effect.gen(function* () {
        const log = yield* LogStream.make({ seed, counts: wanted })
        const [plain, json] = [lines(LogStream.plain(log)), lines(LogStream.ndjson(log)).map((line) => decode(line))]
        assert.deepStrictEqual(log.counts, wanted)
        for (const level of LogStream.levels) {
          assert.strictEqual(plain.filter((line) => line.includes(level.toUpperCase())).length, wanted[level])
          assert.strictEqual(json.filter((entry) => entry.level === level).length, wanted[level])
        }
        assert.deepStrictEqual(
          log.errorLines,
          plain.flatMap((line, index) => (line.includes(" ERROR ") ? [index + 1] : []))
        )
        assert.deepStrictEqual(
          log.errorLines,
          json.flatMap((entry, index) => (entry.level === "error" ? [index + 1] : []))
        )
      })
  )

  it.effect("starts at its time and never goes back", () =>
    Effect.gen(function* () {
      const log = yield* LogStream.make({ ...spec, startMillis: 86_400_000, gapMillis: 3 })
      const times = log.entries.map((entry) => entry.timeMillis)
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      assert.sameMembers([...new Set(gaps)], [0, 1, 2, 3, 4, 5, 6])
      assert.strictEqual(decode(lines(LogStream.ndjson(log))[0]).time, "1970-01-02T00:00:00.000Z")
      assert.match(lines(LogStream.plain(log))[0] ?? "", /^1970-01-02T00:00:00\.000Z [A-Z]+ \[\w+\] .+ \(\d+ ms\)$/)
    })
  )

  it.effect("begins a log of a billion entries without making the rest", () =>
    Effect.gen(function* () {
      const stream = LogStream.stream({ ...spec, counts: { ...counts, info: 1_000_000_000 } })
      const head = yield* Stream.runCollect(Stream.take(stream, 1000))
      assert.deepStrictEqual([head.length, head[999]?.line], [1000, 1000])
    })
  )

  it.effect("streams the entries of the whole log, the same ones when run again", () =>
    Effect.gen(function* () {
      const stream = LogStream.stream(spec)
      const { entries } = yield* LogStream.make(spec)
      assert.deepStrictEqual(yield* Stream.runCollect(stream), [...entries])
      assert.deepStrictEqual(yield* Stream.runCollect(stream), [...entries])
    })
  )
})

// Computed from the definition in Python (hashlib, json, datetime), not with this code: plain text, then NDJSON.
const GOLDEN = [
  "85225bcbc9d2132a0ac9e25891962b95f5c3116c55c6c73329ed64d40e4fc51e",
  "7d029c15de11bf8683aa1b873e4d00c5661e2eec6683d8bd54ae69b1b73c7335"
]
