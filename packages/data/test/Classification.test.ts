import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Checksum from "../src/Checksum.ts"
import * as Classification from "../src/Classification.ts"
import * as CsvDataset from "../src/CsvDataset.ts"
import * as Dataset from "../src/Dataset.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const plane: Classification.SeparableSpec = {
  seed: "golden",
  rows: 200,
  features: [
    { name: "a", min: "-10.00", max: "10.00", weight: "1.5" },
    { name: "b", min: "0.00", max: "20.00", weight: "-2" }
  ],
  reach: "0.5"
}
const levels: Classification.OverlappingSpec = {
  seed: "golden",
  shares: ["0.05", "0.2", "0.5", "0.8", "0.95"],
  perLevel: 100
}

const separableRefusals: ReadonlyArray<readonly [string, Partial<Classification.SeparableSpec>, string]> = [
  ["one row", { rows: 1 }, "rows is 1"],
  ["half a row", { rows: 2.5 }, "rows is 2.5"],
  ["no features", { features: [] }, "the margin is not above 0"],
  ["no reach", { reach: "0" }, "the margin is not above 0"],
  ["a reach that is no number", { reach: "far" }, '"far" is not a decimal'],
  ["a reach out of the box", { reach: "100" }, "the reach leaves too few points"],
  ["a feature called label", { features: [{ name: "label", min: "0", max: "9", weight: "1" }] }, "the name is taken"]
]
const overlappingRefusals: ReadonlyArray<readonly [string, Partial<Classification.OverlappingSpec>, string]> = [
  ["no levels", { shares: [] }, "0 levels of 100 rows"],
  ["levels of no rows", { perLevel: 0 }, "5 levels of 0 rows"],
  ["too many rows", { perLevel: 200_001 }, "5 levels of 200001 rows"],
  ["a share of half a row", { perLevel: 1 }, "a share of 0.05 of 1 rows is no number of rows"],
  ["a share above 1", { shares: ["1.01"] }, "a share of 1.01"],
  ["a negative share", { shares: ["-0.01"] }, "a share of -0.01"],
  ["a share that is no number", { shares: ["most"] }, '"most" is not a decimal']
]

/** The CSV's cells in whole thousandths, the label as it stands. */
const read = (dataset: Dataset.Dataset): ReadonlyArray<ReadonlyArray<number>> =>
  CsvDataset.text(dataset)
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").map((cell, index) => (index === 2 ? Number(cell) : Math.round(Number(cell) * 1000))))

describe("Classification", () => {
  for (const [title, change, fact] of separableRefusals) {
    it.effect(`refuses to separate ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Classification.separable({ ...plane, ...change }))
        assert.strictEqual(error._tag, "InvalidDataset")
        assert.include(error.fact, fact)
      })
    )
  }

  for (const [title, change, fact] of overlappingRefusals) {
    it.effect(`refuses to overlap ${title}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Classification.overlapping({ ...levels, ...change }))
        assert.strictEqual(error._tag, "InvalidDataset")
        assert.include(error.fact, fact)
      })
    )
  }

  it.effect("gives the same tables for a seed for ever", () =>
    Effect.gen(function* () {
      const tables = [yield* Classification.separable(plane), yield* Classification.overlapping(levels)]
      assert.deepStrictEqual(
        tables.map(({ dataset }) => Checksum.ofText(CsvDataset.text(dataset))),
        GOLDEN
      )
    })
  )

  it.effect.prop(
    "keeps every row on its side of the margin, and on it the two support vectors alone",
    { seed: Schema.String, rows: int(2, 60) },
    ({ seed, rows }) =>
      Effect.gen(function* () {
        const made = yield* Classification.separable({ ...plane, seed, rows })
        // Whole thousandths and doubled weights 3, -4, 40: every product is an exact integer.
        const scored = read(made.dataset).map(([a = 0, b = 0, label = 0]) => ({
          a,
          b,
          label,
          score: 3 * a - 4 * b + 40_000
        }))
        assert.strictEqual(scored.length, rows)
        assert.isTrue(scored.every(({ score, label }) => (label === 1 ? score >= 6250 : score <= -6250)))
        const [up, ...ups] = scored.filter(({ score }) => score === 6250)
        const [down, ...downs] = scored.filter(({ score }) => score === -6250)
        // Both on their planes and apart along the normal: no wider margin exists, and no other plane has this one.
        assert.deepStrictEqual([up?.a, up?.b, down?.a, down?.b], [750, 9000, -750, 11_000])
        assert.deepStrictEqual([ups, downs], [[], []])
      })
  )

  it.effect("knows weights, bias, margin and distance", () =>
    Effect.gen(function* () {
      const made = yield* Classification.separable(plane)
      assert.deepStrictEqual(
        Array.from(made.weights, ([name, { value }]) => [name, value]),
        [
          ["a", 1.5],
          ["b", -2]
        ]
      )
      // |(1.5, -2)| = 2.5: the margin is 0.5 × 6.25 and the distance 0.5 × 2.5.
      assert.deepStrictEqual([made.bias.value, made.margin.value, made.squaredDistance.value], [20, 3.125, 1.25 ** 2])
      const labels = (yield* Dataset.groupSums(made.dataset, "label", "label")).keys()
      assert.sameMembers([...labels], ["0", "1"])
    })
  )

  it.effect("draws more candidates where the margin takes most of the box", () =>
    Effect.gen(function* () {
      const wide = yield* Classification.separable({ ...plane, reach: "4.5", rows: 300 })
      assert.strictEqual(wide.dataset.spec.rows, 300)
    })
  )

  it.effect("reaches the known accuracy with the known rule and with no other of all rules", () =>
    Effect.gen(function* () {
      const made = yield* Classification.overlapping(levels)
      const rows = CsvDataset.text(made.dataset).trimEnd().split("\n").slice(1)
      const right = (rule: ReadonlyArray<number>) =>
        rows.filter((row) => Number(row.split(",")[1]) === rule[Number(row.split(",")[0])]).length / rows.length
      const rules = Array.from({ length: 32 }, (_, bits) => [0, 1, 2, 3, 4].map((bit) => (bits >> bit) & 1))
      assert.strictEqual(made.accuracy.value, 0.8)
      assert.strictEqual(right(made.rule), 0.8)
      assert.strictEqual(Math.max(...rules.map(right)), 0.8)
      assert.deepStrictEqual(made.rule, [0, 0, 0, 1, 1])
    })
  )
})

// Computed from the definition in Python (hashlib, decimal, fractions), not with this code.
const GOLDEN = [
  "13f0fabeaadceceb38fc7fbc5fe4aae0059436b84754ad49d370572911a3ba3e",
  "66e49c1490df887c0732e147764600806c26045b4fa82605dc70cacecb73f102"
]
