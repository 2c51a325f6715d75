import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CsvDataset from "../src/CsvDataset.ts"
import * as Dataset from "../src/Dataset.ts"
import * as Tree from "../src/Tree.ts"

const texts = (cells: ReadonlyArray<string>): Dataset.Dataset => ({
  spec: { seed: 0, rows: cells.length, columns: [] },
  columns: [
    { name: 'odd, "name"', cells, decimals: undefined },
    { name: "last", cells: cells.map(() => "0"), decimals: undefined }
  ]
})

/** Reads CSV by RFC 4180's grammar, one character at a time. */
const read = (text: string): ReadonlyArray<ReadonlyArray<string>> => {
  const rows: Array<Array<string>> = []
  let [row, cell, quoted]: [Array<string>, string, boolean] = [[], "", false]
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    if (quoted && c === '"' && text.charAt(i + 1) === '"') [cell, i] = [cell + c, i + 1]
    else if (c === '"') quoted = !quoted
    else if (!quoted && c === ",") [row, cell] = [[...row, cell], ""]
    else if (!quoted && c === "\n") {
      rows.push([...row, cell])
      ;[row, cell] = [[], ""]
    } else cell += c
  }
  return rows
}

describe("CsvDataset", () => {
  it.effect("writes a header and a line for each row", () =>
    Effect.gen(function* () {
      const lines = CsvDataset.text(yield* Dataset.linear("csv", 3)).split("\n")
      assert.strictEqual(lines[0], "id,group,x,y")
      assert.match(lines[1] ?? "", /^1,[abc],-?\d+\.\d{3},-?\d+\.\d{4}$/)
      assert.deepStrictEqual([lines.length, lines[4]], [5, ""])
    })
  )

  it.prop("is read back cell for cell", [Schema.Array(Schema.String)], ([cells]) => {
    const dataset = texts(cells)
    assert.deepStrictEqual(read(CsvDataset.text(dataset)), [
      ['odd, "name"', "last"],
      ...cells.map((cell) => [cell, "0"])
    ])
  })

  it.effect("gives the file as a tree, at tree paths only", () =>
    Effect.gen(function* () {
      const dataset = texts(["a"])
      const tree = yield* CsvDataset.tree(dataset, "in/data.csv")
      const file = Tree.file("in/data.csv", CsvDataset.text(dataset))
      assert.deepStrictEqual(Tree.find(tree, "in/data.csv"), Option.some(file))
      assert.strictEqual((yield* Effect.flip(CsvDataset.tree(dataset, "/x"))).reason, "absolute")
    })
  )
})
