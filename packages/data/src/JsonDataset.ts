/** A dataset as NDJSON or JSON. Numeric cells are written digit for digit, so no reader sees another number than CSV's. */
import * as Schema from "effect/Schema"
import type { Dataset } from "./Dataset.ts"

const quote = Schema.encodeSync(Schema.fromJsonString(Schema.String))

/** One object a line, each line ended by LF. */
export const ndjson = (dataset: Dataset): string =>
  rows(dataset)
    .map((row) => `${row}\n`)
    .join("")

/** One array of objects. */
export const json = (dataset: Dataset): string => `[${rows(dataset).join(",\n")}]\n`

function rows(dataset: Dataset): ReadonlyArray<string> {
  const columns = dataset.columns.map((column) => ({
    key: quote(column.name),
    cells: column.decimals === undefined ? column.cells.map((cell) => quote(cell)) : column.cells
  }))
  return Array.from({ length: dataset.spec.rows }, (_, row) => {
    const fields = columns.map(({ key, cells }) => `${key}:${cells[row] ?? "null"}`)
    return `{${fields.join(",")}}`
  })
}
