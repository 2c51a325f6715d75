import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checksum from "../src/Checksum.ts"
import * as CsvDataset from "../src/CsvDataset.ts"
import * as Dataset from "../src/Dataset.ts"
import * as Rational from "../src/Rational.ts"
import * as Oracle from "./statisticsOracle.ts"

const x: Dataset.Column = { kind: "decimal", name: "x", min: "-1.5", max: "2.25" }
const y: Dataset.Column = {
  kind: "linear",
  name: "y",
  of: "x",
  slope: "-0.75",
  intercept: "10",
  noise: "0"
}
const cells = (dataset: Dataset.Dataset, name: string) =>
  dataset.columns.find((column) => column.name === name)?.cells ?? assert.fail(name)

const refusals: ReadonlyArray<readonly [string, Partial<Dataset.Spec>, string]> = [
  ["negative rows", { rows: -1 }, "rows is -1"],
  ["fractional rows", { rows: 1.5 }, "rows is 1.5"],
  ["too many rows", { rows: Dataset.maxRows + 1 }, "rows is 1000001"],
  ["no columns", { columns: [] }, "it has no column"],
  ["a name used twice", { columns: [x, x] }, "the name is taken"],
  ["a number that is none", { columns: [{ ...x, max: "1e3" }] }, '"1e3" is not a decimal'],
  ["an empty range", { columns: [{ ...x, min: "3" }] }, "holds no or too many values"],
  ["negative noise", { columns: [x, { ...y, noise: "-1" }] }, "holds no or too many values"],
  ["a range beyond 2^53 steps", { columns: [{ ...x, max: "1e".replace("e", "0".repeat(16)) }] }, "too many"],
  ["a line over a later column", { columns: [y, x] }, "there is none of this name so far"],
  ["a line over text", { columns: [{ kind: "category", name: "x", values: ["a"] }, y] }, "it is text"],
  [
    "too few given cells",
    { columns: [{ kind: "given", name: "g", type: "text", cells: ["a"] }] },
    "1 cells for 2 rows"
  ],
  [
    "a given number that is none",
    { columns: [{ kind: "given", name: "g", type: "decimal", cells: ["1", ""] }] },
    '"" is not'
  ],
  ["a category of nothing", { columns: [{ kind: "category", name: "c", values: [] }] }, "no values"]
]

describe("Dataset", () => {
  for (const [title, change, fact] of refusals) {
    it.effect(`refuses ${title}`, () =>
      Effect.gen(function* () {
        const spec = { seed: 1, rows: 2, columns: [x], ...change }
        const error = yield* Effect.flip(Dataset.make(spec))
        assert.strictEqual(error._tag, "InvalidDataset")
        assert.include(error.fact, fact)
        assert.match(error.message, /^Could not work out .+: .+\.\n.+\.$/s)
      })
    )
  }

  it.effect("gives the same table for a seed for ever, and another for another", () =>
    Effect.gen(function* () {
      const sum = (seed: string) =>
        Effect.map(Dataset.linear(seed, 50), (table) => Checksum.ofText(CsvDataset.text(table)))
      assert.strictEqual(yield* sum("golden"), GOLDEN)
      assert.notStrictEqual(yield* sum("other"), GOLDEN)
    })
  )

  it.effect("keeps a column's cells when others are added before it", () =>
    Effect.gen(function* () {
      const alone = yield* Dataset.make({ seed: 1, rows: 20, columns: [x] })
      const after = yield* Dataset.make({ seed: 1, rows: 20, columns: [{ ...x, name: "w" }, x] })
      assert.deepStrictEqual(cells(alone, "x"), cells(after, "x"))
      assert.notDeepEqual(cells(after, "w"), cells(after, "x"))
    })
  )

  it.effect("takes given cells as they are, as numbers or as text", () =>
    Effect.gen(function* () {
      const given = { kind: "given", cells: ["1.50", "-2"] } as const
      const columns: ReadonlyArray<Dataset.Column> = [
        { ...given, name: "n", type: "decimal" },
        { ...given, name: "t", type: "text" }
      ]
      const table = yield* Dataset.make({ seed: 1, rows: 2, columns })
      assert.strictEqual(CsvDataset.text(table), "n,t\n1.50,1.50\n-2,-2\n")
      assert.deepStrictEqual(yield* Dataset.decimals(table, "n"), [
        { units: 150n, scale: 2 },
        { units: -2n, scale: 0 }
      ])
      assert.strictEqual((yield* Effect.flip(Dataset.decimals(table, "t"))).fact, "it is text")
    })
  )

  it.effect("draws decimals from the whole range with all digits", () =>
    Effect.gen(function* () {
      const columns = [{ ...x, min: "-0.2", max: "0.2" }]
      const table = yield* Dataset.make({ seed: 1, rows: 200, columns })
      assert.deepStrictEqual(
        [...new Set(cells(table, "x"))].sort((a, b) => Number(a) - Number(b)),
        ["-0.2", "-0.1", "0.0", "0.1", "0.2"]
      )
    })
  )

  it.effect.prop("knows the statistics of its own text", { seed: Schema.String, rows: rowCount(1) }, ({ seed, rows }) =>
    Effect.gen(function* () {
      const table = yield* Dataset.linear(seed, rows)
      for (const name of ["id", "x", "y"]) {
        const known = yield* Dataset.summary(table, name)
        assert.strictEqual(known.count, rows)
        assert.deepStrictEqual(known.sum.exact, Oracle.sum(cells(table, name)))
        assert.deepStrictEqual(known.variance.exact, Oracle.variance(cells(table, name)))
        assert.deepStrictEqual(known.quantiles.p75.exact, Oracle.quantile(cells(table, name), 75n))
      }
    })
  )

  it.effect("fits exactly the generating line when there is no noise", () =>
    Effect.gen(function* () {
      const table = yield* Dataset.make({ seed: 1, rows: 30, columns: [x, y] })
      const line = yield* Dataset.bestFit(table, "x", "y")
      assert.deepStrictEqual(line.slope.exact, Rational.make(-3n, 4n))
      assert.deepStrictEqual(line.intercept.exact, Rational.make(10n))
    })
  )

  it.effect("fits near, and not on, the generating line when there is noise", () =>
    Effect.gen(function* () {
      const line = yield* Dataset.bestFit(yield* Dataset.linear("noisy"), "x", "y")
      assert.approximately(line.slope.value, 2.5, 0.01)
      assert.approximately(line.intercept.value, 3.25, 0.2)
      assert.notStrictEqual(line.slope.value, 2.5)
    })
  )

  it.effect("sums per group what the rows of the group add up to", () =>
    Effect.gen(function* () {
      const table = yield* Dataset.linear("groups", 100)
      const sums = yield* Dataset.groupSums(table, "group", "y")
      const groups = cells(table, "group")
      assert.sameMembers([...sums.keys()], [...new Set(groups)])
      for (const [group, sum] of sums) {
        const members = cells(table, "y").filter((_, row) => groups[row] === group)
        assert.deepStrictEqual(sum.exact, Oracle.sum(members))
      }
    })
  )

  it.effect("refuses questions that have no answer", () =>
    Effect.gen(function* () {
      const [table, empty] = [yield* Dataset.linear(1, 1), yield* Dataset.linear(1, 0)]
      const facts = yield* Effect.all([
        Effect.flip(Dataset.summary(table, "z")),
        Effect.flip(Dataset.summary(table, "group")),
        Effect.flip(Dataset.summary(empty, "y")),
        Effect.flip(Dataset.groupSums(table, "none", "y")),
        Effect.flip(Dataset.bestFit(table, "x", "y"))
      ])
      assert.deepStrictEqual(
        facts.map((error) => [error.column, error.fact]),
        [
          ["z", "there is none of this name so far"],
          ["group", "it is text"],
          ["y", "it has no rows"],
          ["none", "there is none of this name so far"],
          ["x", "it holds fewer than two different values"]
        ]
      )
    })
  )
})

function rowCount(minimum: number) {
  return Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum: 40 })))
}

// Computed from the definition in Python (hashlib, decimal), not with this code.
const GOLDEN = "b9e5883919a9a9c6aa0f34597ccfbe907298f398aa5fa0f36d2a0784145fe504"
