/**
 * Seeded tables whose statistics are known exactly. Columns are data; every cell is text, and numeric cells are finite
 * decimals. Each column draws from its own sub-sequence, so adding one changes no other. What cannot be generated is
 * refused with `InvalidDataset`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Decimal from "./Decimal.ts"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"
import * as Statistics from "./Statistics.ts"

/**
 * One column. Numbers are given as decimal texts (`"0.25"`), which fixes their digits.
 * - index: 1, 2, 3, …
 * - decimal: uniform over every value from min to max at the finer of their scales.
 * - category: one of the values, each equally likely.
 * - given: the cells as they are, one a row, for tables that somebody else works out.
 * - linear: intercept + slope × `of` + noise, exact; noise is uniform in [-noise, noise] at its own scale.
 */
export type Column =
  | { readonly kind: "index"; readonly name: string }
  | { readonly kind: "decimal"; readonly name: string; readonly min: string; readonly max: string }
  | { readonly kind: "category"; readonly name: string; readonly values: ReadonlyArray<string> }
  | {
      readonly kind: "given"
      readonly name: string
      readonly type: "decimal" | "text"
      readonly cells: ReadonlyArray<string>
    }
  | {
      readonly kind: "linear"
      readonly name: string
      readonly of: string
      readonly slope: string
      readonly intercept: string
      readonly noise: string
    }

export interface Spec {
  readonly seed: Seed
  readonly rows: number
  readonly columns: ReadonlyArray<Column>
}

/** A generated column: its texts, and for a numeric one the same values as exact decimals. */
export interface Values {
  readonly name: string
  readonly cells: ReadonlyArray<string>
  readonly decimals: ReadonlyArray<Decimal.Decimal> | undefined
}

export interface Dataset {
  readonly spec: Spec
  readonly columns: ReadonlyArray<Values>
}

/** The first thing in a specification or question that makes no sense. */
export class InvalidDataset extends Schema.TaggedError<InvalidDataset>()("InvalidDataset", {
  column: Schema.String,
  fact: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    const where = this.column === "" ? "the dataset" : `column "${this.column}" of the dataset`
    return `Could not work out ${where}: ${this.fact}.\n${this.remedy}`
  }
}

/** Most rows that are held in memory. */
export const maxRows = 1_000_000

/** Generates the table: rows from 0 to `maxRows`, at least one column, `linear` after the column it is `of`. */
export const make = Effect.fn("Dataset.make")(function* (spec: Spec): Effect.fn.Return<Dataset, InvalidDataset> {
  if (!Number.isInteger(spec.rows) || spec.rows < 0 || spec.rows > maxRows) {
    return yield* refuse("", `rows is ${spec.rows}`, `Give a whole number from 0 to ${maxRows}.`)
  }
  if (spec.columns.length === 0) return yield* refuse("", "it has no column", "Give one.")
  const random = SeededRandom.make(spec.seed, "Dataset")
  const columns: Array<Values> = []
  for (const column of spec.columns) {
    if (columns.some((known) => known.name === column.name)) {
      return yield* refuse(column.name, "the name is taken", "Name each column once.")
    }
    columns.push(yield* generate(column, columns, spec.rows, random.stream(column.name)))
  }
  return { spec, columns }
})

/**
 * The usual table of the end-to-end scenarios: id, group (a, b, c), x in [-100, 100] with 3 digits, and
 * y = 3.25 + 2.5x + noise in [-1, 1]; 1,000 rows unless told.
 */
export const linear = (seed: Seed, rows = 1000): Effect.Effect<Dataset, InvalidDataset> =>
  make({
    seed,
    rows,
    columns: [
      { kind: "index", name: "id" },
      { kind: "category", name: "group", values: ["a", "b", "c"] },
      { kind: "decimal", name: "x", min: "-100.000", max: "100.000" },
      { kind: "linear", name: "y", of: "x", slope: "2.5", intercept: "3.25", noise: "1.000" }
    ]
  })

/** What is known of a numeric column. Fails on an unknown, textual or empty column. */
export const summary = Effect.fn("Dataset.summary")(function* (
  dataset: Dataset,
  name: string
): Effect.fn.Return<Statistics.Summary, InvalidDataset> {
  const known = Statistics.summarize(yield* numbers(dataset.columns, name))
  return known ?? (yield* refuse(name, "it has no rows", "Generate at least one."))
})

/** Sums of a numeric column per value of another column, in order of first appearance. */
export const groupSums = Effect.fn("Dataset.groupSums")(function* (
  dataset: Dataset,
  by: string,
  name: string
): Effect.fn.Return<ReadonlyMap<string, Statistics.Exact>, InvalidDataset> {
  const keys = yield* values(dataset.columns, by)
  const sums = new Map<string, Decimal.Decimal>()
  for (const [index, value] of (yield* numbers(dataset.columns, name)).entries()) {
    const key = keys.cells[index] ?? ""
    const sum = sums.get(key)
    sums.set(key, sum === undefined ? value : Decimal.add(sum, value))
  }
  return new Map(Array.from(sums, ([key, sum]) => [key, Statistics.exactly(Decimal.toRational(sum))]))
})

/** The least-squares line of column y over column x; equal to the generating line where noise is "0". */
export const bestFit = Effect.fn("Dataset.bestFit")(function* (
  dataset: Dataset,
  x: string,
  y: string
): Effect.fn.Return<Statistics.Line, InvalidDataset> {
  const [xs, ys] = [yield* numbers(dataset.columns, x), yield* numbers(dataset.columns, y)]
  const line = Statistics.bestFit(xs, ys)
  return line ?? (yield* refuse(x, "it holds fewer than two different values", "No line is determined."))
})

/** The exact values of a numeric column, row by row. Fails on an unknown or textual column. */
export const decimals = (
  dataset: Dataset,
  name: string
): Effect.Effect<ReadonlyArray<Decimal.Decimal>, InvalidDataset> => numbers(dataset.columns, name)

const refuse = (column: string, fact: string, remedy: string) => new InvalidDataset({ column, fact, remedy })

const values = (columns: ReadonlyArray<Values>, name: string): Effect.Effect<Values, InvalidDataset> => {
  const found = columns.find((column) => column.name === name)
  const names = columns.map((column) => column.name).join(", ")
  return found === undefined
    ? Effect.fail(refuse(name, "there is none of this name so far", `Use one of: ${names}.`))
    : Effect.succeed(found)
}

const numbers = (columns: ReadonlyArray<Values>, name: string) =>
  Effect.flatMap(values(columns, name), ({ decimals }) =>
    decimals === undefined
      ? Effect.fail(refuse(name, "it is text", "Use an index, decimal or linear column."))
      : Effect.succeed(decimals)
  )

/** Reads a number of a specification; refuses what is no decimal in the name of `column`. */
export const decimal = (column: string, text: string): Effect.Effect<Decimal.Decimal, InvalidDataset> => {
  const value = Decimal.parse(text)
  return value === undefined
    ? Effect.fail(refuse(column, `"${text}" is not a decimal`, 'Write it as "-12.5".'))
    : Effect.succeed(value)
}

const generate = (
  column: Column,
  known: ReadonlyArray<Values>,
  rows: number,
  random: SeededRandom.SeededRandom
): Effect.Effect<Values, InvalidDataset> => {
  switch (column.kind) {
    case "index":
      return Effect.succeed(
        numeric(
          column.name,
          times(rows, (row) => ({ units: BigInt(row + 1), scale: 0 }))
        )
      )
    case "decimal":
      return Effect.gen(function* () {
        const min = yield* decimal(column.name, column.min)
        const draw = yield* uniform(column.name, min, yield* decimal(column.name, column.max), random)
        return numeric(column.name, times(rows, draw))
      })
    case "category":
      return column.values.length === 0
        ? Effect.fail(refuse(column.name, "it has no values", "Give at least one."))
        : Effect.succeed({
            name: column.name,
            cells: times(rows, () => random.choice(column.values)),
            decimals: undefined
          })
    case "given":
      return given(column, rows)
    case "linear":
      return Effect.gen(function* () {
        const of = yield* numbers(known, column.of)
        const slope = yield* decimal(column.name, column.slope)
        const intercept = yield* decimal(column.name, column.intercept)
        const noise = yield* decimal(column.name, column.noise)
        const draw = yield* uniform(column.name, { ...noise, units: -noise.units }, noise, random)
        const line = (x: Decimal.Decimal) => Decimal.add(Decimal.multiply(slope, x), intercept)
        return numeric(
          column.name,
          of.map((x) => Decimal.add(line(x), draw()))
        )
      })
  }
}

function given(column: Extract<Column, { kind: "given" }>, rows: number): Effect.Effect<Values, InvalidDataset> {
  const { name, cells } = column
  if (cells.length !== rows) {
    return Effect.fail(refuse(name, `it holds ${cells.length} cells for ${rows} rows`, "Give one cell a row."))
  }
  if (column.type === "text") return Effect.succeed({ name, cells, decimals: undefined })
  return Effect.map(
    Effect.forEach(cells, (cell) => decimal(name, cell)),
    (parsed) => ({ name, cells, decimals: parsed })
  )
}

/** A draw from all multiples of 10^-scale in [min, max]. */
function uniform(
  column: string,
  min: Decimal.Decimal,
  max: Decimal.Decimal,
  random: SeededRandom.SeededRandom
): Effect.Effect<() => Decimal.Decimal, InvalidDataset> {
  const scale = Math.max(min.scale, max.scale)
  const low = Decimal.rescale(min, scale).units
  const span = Decimal.rescale(max, scale).units - low
  if (span < 0n || span >= 2n ** 53n - 1n) {
    const fact = `its range from ${Decimal.format(min)} to ${Decimal.format(max)} holds no or too many values`
    return Effect.fail(refuse(column, fact, "Let min be at most max (noise at least 0), with fewer than 2^53 steps."))
  }
  return Effect.succeed(() => ({ units: low + BigInt(random.integer(0, Number(span))), scale }))
}

function numeric(name: string, decimals: ReadonlyArray<Decimal.Decimal>): Values {
  return { name, cells: decimals.map(Decimal.format), decimals }
}

function times<A>(count: number, make: (index: number) => A): ReadonlyArray<A> {
  return Array.from({ length: count }, (_, index) => make(index))
}
