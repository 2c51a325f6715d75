import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { any, CommandId, Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Verification from "@sbx/journal/Verification"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { atLeast, atMost, type Benchmark } from "../bench/Benchmark.ts"
import { benchmarks } from "../bench/Benches.ts"
import * as BareLoop from "../bench/competitors/bareLoop.ts"
import { alternate } from "../bench/internal/alternate.ts"
import { BenchEvents, event } from "../bench/internal/benchEvents.ts"
import { slope, summarise } from "../bench/internal/figures.ts"
import * as Summary from "../bench/summary.ts"
import { directory } from "./support/commandLine.ts"
import { commandLine } from "./support/inProcess.ts"

const enough = { n: 50, least: 50 }

describe("benchmark targets", () => {
  it("are met at the limit and missed beyond it", () => {
    assert.strictEqual(atMost("x", 1.1, 1.1, enough).verdict._tag, "pass")
    assert.strictEqual(atMost("x", 1.1001, 1.1, enough).verdict._tag, "fail")
    assert.strictEqual(atLeast("x", 0.6, 0.6, enough).verdict._tag, "pass")
    assert.strictEqual(atLeast("x", 0.5999, 0.6, enough).verdict._tag, "fail")
  })

  it("are unknown where too little was measured, however good it looks", () => {
    const { verdict } = atMost("x", 0.1, 1, { n: 49, least: 50 })
    assert.deepStrictEqual(verdict, { _tag: "unknown", reason: "49 measurements; a verdict takes 50" })
  })

  it("fail on what is not a number", () => {
    assert.strictEqual(atMost("x", Number.NaN, 1, enough).verdict._tag, "fail")
    assert.strictEqual(atLeast("x", Number.NaN, 1, enough).verdict._tag, "fail")
  })
})

describe("benchmark figures", () => {
  it("are nearest-rank percentiles of all values", () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index)
    assert.deepInclude(summarise(values), { n: 200, p50: 100, p95: 190, p99: 198, min: 1, max: 200, mean: 100.5 })
    assert.throws(() => summarise([]))
  })

  it("see growth through noise", () => {
    const points = Array.from({ length: 40 }, (_, n) => [n * 50, 100 + n * 0.5 + (n % 3)] as const)
    assert.approximately(slope(points) * 1000, 10, 0.5)
  })
})

describe("measuring in turns", () => {
  it.live("gives both sides the first place as often, and releases outside of the time", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const side = (name: string) => () =>
        Effect.acquireRelease(
          Effect.sync(() => void order.push(name)),
          () => Effect.sync(() => void order.push(`${name} released`))
        )
      const timed = yield* alternate({ ours: side("ours"), theirs: side("theirs"), rounds: 2, warmUps: 1 })
      assert.lengthOf(timed.ours, 2)
      assert.lengthOf(timed.theirs, 2)
      const each = order.filter((line) => !line.endsWith("released"))
      assert.deepStrictEqual(each, ["theirs", "ours", "ours", "theirs", "theirs", "ours"])
      assert.deepStrictEqual(order.slice(0, 2), ["theirs", "theirs released"])
    })
  )

  it.live("fails with the side that failed, after its release", () =>
    Effect.gen(function* () {
      let released = 0
      const bad = () =>
        Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => void released++)),
          Effect.fail("broken" as const)
        )
      const exit = yield* Effect.exit(alternate({ ours: bad, theirs: () => Effect.void, rounds: 1, warmUps: 0 }))
      assert.deepStrictEqual([Exit.isFailure(exit), released], [true, 1])
    })
  )

  it.live("releases what was made when it is interrupted", () =>
    Effect.gen(function* () {
      const made = yield* Deferred.make<void>()
      let released = 0
      const slow = () =>
        Effect.acquireRelease(Effect.void, () => Effect.sync(() => void released++)).pipe(
          Effect.andThen(Deferred.succeed(made, undefined)),
          Effect.andThen(Effect.never)
        )
      const fiber = yield* Effect.forkChild(alternate({ ours: slow, theirs: slow, rounds: 1, warmUps: 0 }))
      yield* Deferred.await(made)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(released, 1)
    })
  )
})

describe("the bare loop", () => {
  it.effect("writes the very rows of the journal, commit by commit", () =>
    Effect.gen(function* () {
      const folder = directory()
      const source = path.join(folder, "source.sqlite")
      yield* Effect.gen(function* () {
        const journal = yield* Journal
        for (let n = 0; n < 20; n++) {
          const events = [event(n), event(n + 1)] as const
          const options = { expected: any, commandId: CommandId.make(`c${n}`) }
          yield* BenchEvents.append(journal, BenchEvents.stream(`s${n % 4}`), events, options)
        }
      }).pipe(Effect.provide(Sqlite.layer({ path: source })))
      const recording = BareLoop.record(source)
      assert.deepStrictEqual([recording.events, recording.commits.length], [40, 20])
      const copy = path.join(folder, "copy.sqlite")
      const file = BareLoop.open(copy, recording)
      assert.isAbove(file.write(), 0)
      file.close()
      const again = BareLoop.record(copy)
      const plain = ({ commits }: BareLoop.Recording) => commits.map(({ events, appends }) => ({ events, appends }))
      assert.deepStrictEqual(plain(again), plain(recording))
      // It has its own hashes and no description of itself: a bare loop is no journal.
      const verified = yield* Effect.exit(Verification.verify(copy))
      assert.isTrue(Exit.isFailure(verified) || verified.value.verdict === "broken")
    })
  )
})

describe("sbx bench", () => {
  it.effect("lists its benchmarks and names the nearest of a mistyped one", () =>
    Effect.gen(function* () {
      const listed = yield* commandLine(["bench", "--list"])
      assert.strictEqual(listed.code, 0, listed.stderr)
      for (const { name } of benchmarks) assert.include(listed.stdout, name)
      const wrong = yield* commandLine(["bench", "cold-strt"])
      assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
      assert.include(wrong.stderr, "cold-start")
      assert.strictEqual((yield* commandLine(["bench", "exec", "--rounds", "0"])).code, 2)
    })
  )

  it("shows figures, targets and why there is no verdict", () => {
    const figures = summarise([1, 2, 3])
    const target = atMost("p50 over theirs", 1.2, 1, { n: 3, least: 50 })
    const text = Summary.result(
      {
        name: "x",
        description: "d",
        series: [{ of: "sbx", what: "w", unit: "ms", figures }],
        targets: [target],
        notes: []
      },
      (_, said) => said
    )
    assert.include(text, "p50 2 ms")
    assert.include(text, "unknown p50 over theirs: 1.2 (at most 1): 3 measurements; a verdict takes 50")
  })

  it("has no two benchmarks of one name", () => {
    const names = benchmarks.map(({ name }: Benchmark) => name)
    assert.strictEqual(new Set(names).size, names.length)
  })
})
