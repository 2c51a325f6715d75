/** A dataset as CSV (RFC 4180, header first, LF line ends as Unix tools write them), and as a tree holding that file. */
import * as Effect from "effect/Effect"
import type { Dataset } from "./Dataset.ts"
import * as Tree from "./Tree.ts"

/** The whole file. A cell is quoted only where a comma, quote or line break demands it. */
export const text = (dataset: Dataset): string => {
  const lines = [dataset.columns.map((column) => cell(column.name))]
  for (let row = 0; row < dataset.spec.rows; row++) {
    lines.push(dataset.columns.map((column) => cell(column.cells[row] ?? "")))
  }
  return lines.map((line) => `${line.join(",")}\n`).join("")
}

/** The file at `path` (mode 0o644) as a tree. Fails where the path is no tree path. */
export const tree = (dataset: Dataset, path = "data.csv"): Effect.Effect<Tree.Tree, Tree.InvalidTree> =>
  Tree.make([Tree.file(path, text(dataset))])

const cell = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
