import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Dataset from "../src/Dataset.ts"
import * as JsonDataset from "../src/JsonDataset.ts"

const dataset = Effect.map(Dataset.linear("json", 4), (table): Dataset.Dataset => ({
  ...table,
  columns: [...table.columns, { name: 'a "b"', cells: ["\n", "\\", "é", ""], decimals: undefined }]
}))

const expected = (table: Dataset.Dataset) =>
  Array.from({ length: 4 }, (_, row) =>
    Object.fromEntries(
      table.columns.map(({ name, cells, decimals }) => [name, decimals === undefined ? cells[row] : Number(cells[row])])
    )
  )

describe("JsonDataset", () => {
  it.effect("is read back row for row", () =>
    Effect.gen(function* () {
      const table = yield* dataset
      assert.deepStrictEqual(JSON.parse(JsonDataset.json(table)), expected(table))
    })
  )

  it.effect("writes one object a line", () =>
    Effect.gen(function* () {
      const table = yield* dataset
      const lines = JsonDataset.ndjson(table).trimEnd().split("\n")
      assert.deepStrictEqual(
        lines.map((line): unknown => JSON.parse(line)),
        expected(table)
      )
    })
  )

  it.effect("keeps every digit of a number", () =>
    Effect.gen(function* () {
      const column: Dataset.Column = { kind: "decimal", name: "x", min: "1.50", max: "1.50" }
      const table = yield* Dataset.make({ seed: 1, rows: 1, columns: [column] })
      assert.strictEqual(JsonDataset.ndjson(table), '{"x":1.50}\n')
    })
  )
})
