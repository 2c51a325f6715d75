import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checksum from "../src/Checksum.ts"
import * as CsvDataset from "../src/CsvDataset.ts"
import * as Dataset from "../src/Dataset.ts"
import * as Decimal from "../src/Decimal.ts"
import * as Rational from "../src/Rational.ts"
import * as Regression from "../src/Regression.ts"
import * as Oracle from "./statisticsOracle.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const base: Regression.Spec = {
  seed: 1,
  rows: 20,
  features: [
    { name: "a", min: "-1.5", max: "2.5", coefficient: "0.25" },
    { name: "b", min: "0", max: "1000", coefficient: "-3" }
  ],
  intercept: "-7.5",
  noise: "0"
}
const [a = assert.fail(), b = assert.fail()] = base.features

const refusals: ReadonlyArray<readonly [string, Partial<Regression.Spec>, string]> = [
  ["an odd number of rows with noise", { rows: 21, noise: "1" }, "rows is 21"],
  ["negative rows", { rows: -2, noise: "1" }, "rows is -1"],
  ["too many rows", { rows: Dataset.maxRows + 2 }, "rows is 1000002"],
  ["no rows", { rows: 0 }, "rows is 0"],
  ["fewer rows than unknowns", { rows: 2 }, "no fit is unique"],
  ["as many points as features", { rows: 4, noise: "1" }, "no fit is unique"],
  ["a constant feature", { features: [a, { ...b, min: "3", max: "3" }] }, "no fit is unique"],
  ["negative noise", { noise: "-1" }, "holds no or too many values"],
  ["a coefficient that is none", { features: [{ ...a, coefficient: "½" }] }, '"½" is not a decimal'],
  ["an intercept that is none", { intercept: "" }, '"" is not a decimal'],
  ["a feature twice", { features: [a, a] }, "the name is taken"],
  ["a feature of the target's name", { target: "a" }, "the name is taken"]
]

const cells = (dataset: Dataset.Dataset, name: string) =>
  dataset.columns.find((column) => column.name === name)?.cells ?? assert.fail(name)

const exactOf = (text: string): Rational.Rational =>
  Decimal.toRational(Decimal.parse(text) ?? assert.fail(`${text} is no decimal`))

describe("Regression", () => {
  for (const [title, change, fact] of refusals) {
    it.effect(`refuses ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Regression.make({ ...base, ...change }))
        assert.strictEqual(error._tag, "InvalidDataset")
        assert.include(error.fact, fact)
      })
    )
  }

  it.effect("gives the same table for a seed for ever, with numpy's residual", () =>
    Effect.gen(function* () {
      const { dataset, fit, noise } = yield* Regression.usual("golden")
      assert.strictEqual(Checksum.ofText(CsvDataset.text(dataset)), GOLDEN)
      assert.approximately(fit.residual.value, 344.300126, 1e-9)
      assert.deepStrictEqual(noise.variance.exact, Rational.make(172150063n, 500000000n))
      assert.notStrictEqual(Checksum.ofText(CsvDataset.text((yield* Regression.usual("other")).dataset)), GOLDEN)
    })
  )

  it.effect.prop(
    "has exactly its model as its best fit, with noise and without",
    { seed: Schema.String, points: int(5, 20), noise: Arbitrary.schema(Schema.Literals(["0", "0.5", "12.00"])) },
    ({ seed, points, noise }) =>
      Effect.gen(function* () {
        const made = yield* Regression.make({ ...base, seed, rows: 2 * points, noise })
        assert.deepStrictEqual(made.fit.intercept.exact, exactOf("-7.5"))
        assert.deepStrictEqual(
          Array.from(made.fit.coefficients, ([name, { exact }]) => [name, exact]),
          base.features.map(({ name, coefficient }) => [name, exactOf(coefficient)])
        )
        assert.deepStrictEqual(made.noise.mean.exact, Rational.make(0n))
        const squares = Rational.multiply(made.noise.variance.exact, Rational.make(BigInt(2 * points)))
        assert.deepStrictEqual(made.fit.residual.exact, squares)
        if (noise === "0") assert.deepStrictEqual(made.fit.rSquared?.exact, Rational.make(1n))
      })
  )

  it.effect("leaves residuals that the normal equations hold for, by other arithmetic", () =>
    Effect.gen(function* () {
      const { dataset, noise } = yield* Regression.make({ ...base, noise: "2.0" })
      // What is left of y without b's part has to be a line over a, and the other way round.
      const without = (name: string, coefficient: string) =>
        cells(dataset, "y").map((text, row) => {
          const part = Decimal.multiply(parse(coefficient), parse(cells(dataset, name)[row] ?? ""))
          return Decimal.format(Decimal.add(parse(text), Decimal.negate(part)))
        })
      const overA = Oracle.residuals(cells(dataset, "a"), without("b", "-3"), exactOf("0.25"), exactOf("-7.5"))
      const overB = Oracle.residuals(cells(dataset, "b"), without("a", "0.25"), exactOf("-3"), exactOf("-7.5"))
      assert.deepStrictEqual([overA.plain, overA.timesX, overB.timesX], [Oracle.zero, Oracle.zero, Oracle.zero])
      assert.isAbove(noise.variance.value, 0)
      assert.isAtMost(noise.max.value, 2)
    })
  )

  it.effect("fits any table as the one-feature fit does", () =>
    Effect.gen(function* () {
      const table = yield* Dataset.linear("line", 50)
      const line = yield* Dataset.bestFit(table, "x", "y")
      const fit = yield* Regression.fit(table, ["x"], "y")
      assert.deepStrictEqual(fit.coefficients.get("x"), line.slope)
      assert.deepStrictEqual(fit.intercept, line.intercept)
      assert.isBelow(fit.rSquared?.value ?? 2, 1)
    })
  )

  it.effect("finds no share of explained variance where the target is constant", () =>
    Effect.gen(function* () {
      const features = base.features.map((feature) => ({ ...feature, coefficient: "0" }))
      const { fit } = yield* Regression.make({ ...base, features })
      assert.isUndefined(fit.rSquared)
    })
  )

  it.effect("refuses to fit text, and columns that add up to each other", () =>
    Effect.gen(function* () {
      const table = yield* Dataset.linear("line", 50)
      const text = yield* Effect.flip(Regression.fit(table, ["group"], "y"))
      const twice = yield* Effect.flip(Regression.fit(table, ["x", "x"], "y"))
      assert.deepStrictEqual([text.fact, twice.fact], ["it is text", "no fit is unique"])
    })
  )
})

const parse = (text: string): Decimal.Decimal => Decimal.parse(text) ?? assert.fail(text)

// Computed from the definition in Python (hashlib, decimal), the residual 344.300126 by numpy.linalg.lstsq.
const GOLDEN = "51ad5a0273d8a7c5a57e5e71e7cce6f02cef6871e625e78e5538a24a0c22ebf6"
