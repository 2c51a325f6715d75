import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { judgeReadings, run } from "../src/LeakCheck.ts"
import type { LeakReading } from "../src/LeakSources.ts"
import { LeakSources } from "../src/LeakSources.ts"

/** A host that shows what `values` gives for so many operations; readings are counted. */
const host = (values: (operations: number) => Partial<LeakReading>, readings: Array<number> = []) =>
  Layer.succeed(
    LeakSources,
    LeakSources.of({
      read: (operations) =>
        Effect.sync(() => {
          readings.push(operations)
          return { operations, atMillis: operations * 10, values: {}, absent: {}, ...values(operations) }
        })
    })
  )

const verdicts = (report: Effect.Success<ReturnType<typeof run>>) =>
  Object.fromEntries(report.counters.map(({ counter, verdict }) => [counter, verdict._tag]))

/** A leak this fast shows in a few operations. */
const tolerance = { zombies: { "per-1000-operations": 200 } }

describe("a leak check", () => {
  it.effect("repeats the operation, reads in between and names what leaks", () => {
    const readings: Array<number> = []
    let done = 0
    return Effect.gen(function* () {
      const report = yield* run(
        Effect.sync(() => done++),
        { operations: 200, readings: 50, tolerance }
      )
      assert.strictEqual(done, 200)
      assert.deepStrictEqual(
        readings,
        Array.from({ length: 51 }, (_, index) => index * 4)
      )
      assert.deepStrictEqual(verdicts(report), { fileDescriptors: "fail", zombies: "pass" })
      assert.isTrue(report.verdict._tag === "fail" && report.verdict.reason.startsWith("fileDescriptors per-1000"))
      assert.deepStrictEqual([report.counters[0]?.first, report.counters[0]?.last], [3, 203])
    }).pipe(Effect.provide(host((n) => ({ values: { fileDescriptors: 3 + n, zombies: 0 } }), readings)))
  })

  it.effect("leaves out what nobody asked for, and is unknown about what could not be read", () =>
    Effect.gen(function* () {
      const report = yield* run(Effect.void, { operations: 40, tolerance })
      assert.deepStrictEqual(verdicts(report), { zombies: "pass", mounts: "unknown" })
      assert.isTrue(report.verdict._tag === "unknown" && report.verdict.reason.includes("(denied)"))
    }).pipe(
      Effect.provide(host(() => ({ values: { zombies: 0 }, absent: { containers: "not-asked", mounts: "denied" } })))
    )
  )

  it.effect("is unknown when one reading of a counter is missing, unless the rest shows a leak", () =>
    Effect.gen(function* () {
      const report = yield* run(Effect.void, { operations: 60 })
      assert.deepStrictEqual(verdicts(report), { zombies: "unknown", mounts: "fail" })
    }).pipe(
      Effect.provide(
        host((n) =>
          n === 30 ? { absent: { zombies: "failed", mounts: "failed" } } : { values: { zombies: 0, mounts: n } }
        )
      )
    )
  )

  it.effect("is unknown with no counter, and with too few operations", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run(Effect.void, { operations: 60 })).verdict._tag, "unknown")
      const few = yield* run(Effect.void, { operations: 5 }).pipe(
        Effect.provide(host(() => ({ values: { zombies: 0 } })))
      )
      assert.strictEqual(few.verdict._tag, "unknown")
    }).pipe(Effect.provide(host(() => ({}))))
  )

  it.effect(
    "is unknown where the slowest leak that matters would not have made two things, and passes once it would",
    () =>
      Effect.gen(function* () {
        const short = yield* run(Effect.void, { operations: 60 })
        assert.deepStrictEqual(verdicts(short), { zombies: "unknown", memoryBytes: "pass" })
        assert.isTrue(
          short.verdict._tag === "unknown" && short.verdict.reason.includes("run for longer"),
          JSON.stringify(short.verdict)
        )
        assert.strictEqual((yield* run(Effect.void, { operations: 2900 })).verdict._tag, "unknown")
        assert.strictEqual((yield* run(Effect.void, { operations: 3100 })).verdict._tag, "pass")
      }).pipe(Effect.provide(host(() => ({ values: { zombies: 0, memoryBytes: 5e6 } }))))
  )

  it("takes two things that came at different times for no leak, wherever they came", () => {
    const readings = (first: number, second: number) =>
      Array.from({ length: 61 }, (_, i): LeakReading => {
        const fileDescriptors = 20 + (i >= first ? 1 : 0) + (i >= second ? 1 : 0)
        return { operations: i * 60, atMillis: i, values: { fileDescriptors }, absent: {} }
      })
    const alarms: Array<string> = []
    for (let first = 1; first < 60; first++) {
      for (let second = first + 1; second <= 60; second++) {
        const judged = Result.getOrThrow(judgeReadings(readings(first, second)))
        if (judged.verdict._tag === "fail") alarms.push(`${first}, ${second}`)
      }
    }
    assert.deepStrictEqual(alarms, [])
  })

  it.effect("ends with the operation's failure", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run(Effect.fail("planted"), { operations: 60 }))
      assert.strictEqual(error, "planted")
    }).pipe(Effect.provide(host(() => ({}))))
  )

  it("takes a tolerance per counter, and refuses a bad one", () => {
    const readings = Array.from({ length: 60 }, (_, n): LeakReading => {
      return { operations: n, atMillis: n, values: { processes: n }, absent: {} }
    })
    const judged = (limit: number) =>
      Result.map(
        judgeReadings(readings, { tolerance: { processes: { "per-1000-operations": limit } } }),
        ({ verdict }) => verdict._tag
      )
    assert.deepStrictEqual(judged(2000), Result.succeed("pass"))
    assert.deepStrictEqual(judged(10), Result.succeed("fail"))
    assert.isTrue(Result.isFailure(judged(-1)))
  })
})
