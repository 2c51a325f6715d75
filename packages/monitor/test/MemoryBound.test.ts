import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectMemoryBounded, memoryBounded } from "../src/MemoryBound.ts"
import type { Snapshot } from "../src/Snapshot.ts"

/** A snapshot of containers that use so many megabytes each; nothing is measured of one that is `undefined`. */
const using = (megabytes: Readonly<Record<string, number | undefined>>): Snapshot => ({
  id: "snap_a",
  label: "",
  atMillis: 0,
  host: undefined,
  runner: undefined,
  containers: Object.entries(megabytes).map(([id, mb]) => ({
    subject: "container",
    id,
    name: id,
    atMillis: 0,
    intervalMillis: 1000,
    values: { cpuCores: 0, pids: 1, ...(mb === undefined ? {} : { memoryBytes: mb * 1e6 }) },
    absent: mb === undefined ? { memoryBytes: "not-reported" } : {}
  }))
})

describe("expectMemoryBounded", () => {
  it.effect("holds below 100 MB and gives the whole comparison", () =>
    Effect.gen(function* () {
      const delta = yield* expectMemoryBounded(using({ a: 10 }), using({ a: 109.9 }), { megabytes: 100 })
      assert.closeTo(delta.memoryUsedMb, 99.9, 1e-9)
    })
  )

  it.effect("fails at the bound itself, with what grew", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        expectMemoryBounded(using({ a: 10, b: 5 }), using({ a: 110, b: 4 }), { megabytes: 100 })
      )
      assert.strictEqual(
        error.message,
        "Expected growth of the working set of a to be below 100 MB, found 100 MB." +
          "\n  all containers together: 99 MB\n  a: 100 MB\n  b: -1 MB"
      )
    })
  )

  it.effect("fails for all together where no single one grew that much", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        expectMemoryBounded(using({ a: 0, b: 0 }), using({ a: 60, b: 60 }), { megabytes: 100 })
      )
      assert.include(error.message, "of all containers together to be below 100 MB, found 120 MB")
    })
  )

  it.effect.each([Number.NaN, 0, -1, Number.POSITIVE_INFINITY])("cannot judge by a bound of %s MB", (megabytes) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(expectMemoryBounded(using({ a: 0 }), using({ a: 0 }), { megabytes }))
      assert.strictEqual(error._tag, "Undecidable")
    })
  )
})

/** The same after a restart, which forgets what had grown. */
const restarted = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  containers: snapshot.containers.map((sample) => ({ ...sample, incarnation: "2/9" }))
})
const known = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  containers: snapshot.containers.map((sample) => ({ ...sample, incarnation: "1/1" }))
})

describe("memoryBounded", () => {
  it.effect("is unknown of a container that was restarted meanwhile, unless it grew too much even so", () =>
    Effect.gen(function* () {
      const bounded = (after: Snapshot) => memoryBounded(known(using({ a: 10 })), after, { megabytes: 100 })
      const low = yield* bounded(restarted(using({ a: 5 })))
      assert.deepStrictEqual(
        [low._tag, low._tag === "pass" ? "" : low.reason.includes("a was restarted")],
        ["unknown", true]
      )
      assert.strictEqual((yield* bounded(restarted(using({ a: 500 }))))._tag, "fail")
      assert.strictEqual((yield* bounded(known(using({ a: 5 }))))._tag, "pass")
    })
  )

  const verdict = (before: Snapshot, after: Snapshot) =>
    Effect.map(memoryBounded(before, after, { megabytes: 100 }), ({ _tag }) => _tag)

  it.effect("is pass, fail, or unknown where nothing was measured", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdict(using({ a: 10 }), using({ a: 5 })), "pass")
      assert.strictEqual(yield* verdict(using({ a: 10 }), using({ a: 500 })), "fail")
      assert.strictEqual(yield* verdict(using({ a: 10 }), using({ a: undefined })), "unknown")
      assert.strictEqual(yield* verdict(using({ a: 10 }), using({})), "unknown")
    })
  )
})
