import { assert, it } from "@effect/vitest"
import * as CsvDataset from "@sbx/data/CsvDataset"
import * as Dataset from "@sbx/data/Dataset"
import { Effect } from "effect"

it.effect("averages column y", () =>
  Effect.gen(function* () {
    const table = yield* Dataset.linear("my seed", 500)
    const known = yield* Dataset.summary(table, "y")
    const rows = CsvDataset.text(table).trim().split("\n").slice(1)
    const mean = rows.reduce((sum, row) => sum + Number(row.split(",")[3]), 0) / rows.length
    assert.approximately(mean, known.mean.value, 1e-9)
  })
)
