import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { nearest } from "../src/internal/nearest.ts"
import * as Selection from "../src/Selection.ts"

const scenario = (name: string, ...tags: ReadonlyArray<string>): Selection.Described => ({
  name,
  category: name.slice(0, name.indexOf("/")),
  tags
})
const known = [
  scenario("orchestration/lifecycle", "smoke"),
  scenario("orchestration/startup-time", "smoke", "timing"),
  scenario("chaos/cpu-stress", "smoke"),
  scenario("chaos/memory-stress")
]
const names = Effect.map((chosen: ReadonlyArray<Selection.Described>) => chosen.map(({ name }) => name))

describe("a selection", () => {
  it.effect("is a name, a category or a tag, each scenario once and in the order of the catalogue", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Selection.select(known, ["chaos/cpu-stress"]).pipe(names), ["chaos/cpu-stress"])
      assert.deepStrictEqual(yield* Selection.select(known, ["chaos"]).pipe(names), [
        "chaos/cpu-stress",
        "chaos/memory-stress"
      ])
      assert.deepStrictEqual(yield* Selection.select(known, ["chaos/cpu-stress", "smoke", "timing"]).pipe(names), [
        "orchestration/lifecycle",
        "orchestration/startup-time",
        "chaos/cpu-stress"
      ])
    })
  )

  it.effect("of nothing is everything", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* Selection.select(known, []), known.length)
    })
  )

  it.effect("adds the scenarios of files, and only those when only files are named", () =>
    Effect.gen(function* () {
      const mine = scenario("mine/one")
      assert.deepStrictEqual(yield* Selection.select(known, ["./my.scenario.ts"], [mine]).pipe(names), ["mine/one"])
      assert.deepStrictEqual(yield* Selection.select(known, ["timing", "./my.scenario.ts"], [mine]).pipe(names), [
        "orchestration/startup-time",
        "mine/one"
      ])
    })
  )

  it.effect("refuses an unknown word with the nearest names", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Selection.select(known, ["chaos/cpu-stres"]))
      assert(error._tag === "UnknownSelector")
      assert.strictEqual(error.nearest[0], "chaos/cpu-stress")
      assert.include(error.message, "chaos/cpu-stress")
      const far = yield* Effect.flip(Selection.select(known, ["zzzzzzzz"]))
      assert(far._tag === "UnknownSelector")
      assert.deepStrictEqual(far.nearest, [])
    })
  )

  it.effect("that comes to nothing is refused", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(Selection.select([], [])))._tag, "NothingSelected")
      const error = yield* Effect.flip(Selection.select(known, ["./empty.ts"], []))
      assert.strictEqual(error._tag, "NothingSelected")
      assert.include(error.message, "./empty.ts")
    })
  )

  it.effect("refuses two scenarios of one name", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Selection.select(known, ["chaos", "./x.ts"], [scenario("chaos/cpu-stress")]))
      assert.strictEqual(error._tag, "NameTaken")
    })
  )

  it("tells paths from names", () => {
    for (const path of ["./a", "../a", "/a", "~/a", "a.ts", "a/b.mjs", "x.scenario.ts"])
      assert.isTrue(Selection.isPath(path))
    for (const name of ["smoke", "chaos/cpu-stress", "e2e"]) assert.isFalse(Selection.isPath(name))
  })
})

describe("the nearest names", () => {
  it("come nearest first, by edits and by what contains the text", () => {
    assert.deepStrictEqual(nearest("chaos/cpu-sress", Selection.words(known)), ["chaos/cpu-stress"])
    assert.deepStrictEqual(nearest("stress", Selection.words(known)), ["chaos/cpu-stress", "chaos/memory-stress"])
    assert.deepStrictEqual(nearest("smok", Selection.words(known)), ["smoke"])
    assert.deepStrictEqual(nearest("", Selection.words(known)), [])
  })
})
