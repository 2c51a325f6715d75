/**
 * Seeded tables over several features whose least-squares fit is exactly the model they were made from, with noise too:
 * every point occurs twice, once with its noise added and once with it taken away, so the noise is orthogonal to all
 * features. What determines no fit is refused with `InvalidDataset`.
 */
import * as Effect from "effect/Effect"
import * as Dataset from "./Dataset.ts"
import * as Decimal from "./Decimal.ts"
import { leastSquares } from "./internal/leastSquares.ts"
import * as Rational from "./Rational.ts"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"
import * as Statistics from "./Statistics.ts"

/** Uniform over every value from min to max at the finer of their scales, like a dataset's decimal column. */
export interface Feature {
  readonly name: string
  readonly min: string
  readonly max: string
  readonly coefficient: string
}

/** target = intercept + Σ coefficient × feature + noise; all numbers are decimal texts. */
export interface Spec {
  readonly seed: Seed
  /** Even where there is noise. */
  readonly rows: number
  readonly features: ReadonlyArray<Feature>
  readonly intercept: string
  /** Uniform in [-noise, noise] at its own scale; "0" for none. */
  readonly noise: string
  /** Name of the target's column; `y` unless told. */
  readonly target?: string
}

/** A least-squares fit with an intercept. */
export interface Fit {
  readonly intercept: Statistics.Exact
  readonly coefficients: ReadonlyMap<string, Statistics.Exact>
  /** Sum of squared residuals. */
  readonly residual: Statistics.Exact
  /** Coefficient of determination; undefined for a constant target. */
  readonly rSquared: Statistics.Exact | undefined
}

export interface Regression {
  /** The features in their order, then the target. */
  readonly dataset: Dataset.Dataset
  /** Exactly the specification's numbers. Holds for the whole table, not for a part of it. */
  readonly fit: Fit
  /** Of the noise as it was drawn: mean exactly 0, residual = count × variance. */
  readonly noise: Statistics.Summary
}

/** Generates the table. Costs rows × features² integer products. */
export const make = Effect.fn("Regression.make")(function* (
  spec: Spec
): Effect.fn.Return<Regression, Dataset.InvalidDataset> {
  const { seed, rows, target = "y" } = spec
  const noise = yield* Dataset.decimal(target, spec.noise)
  const intercept = yield* Dataset.decimal(target, spec.intercept)
  if (rows > Dataset.maxRows) return yield* refuse(`rows is ${rows}`, `Give at most ${Dataset.maxRows}.`)
  const paired = noise.units !== 0n
  if (paired && rows % 2 !== 0) return yield* refuse(`rows is ${rows}`, "Give an even number, or no noise.")
  const bounds = { min: Decimal.format(Decimal.negate(noise)), max: spec.noise }
  // The noise is drawn as a column under the target's name, which no feature can have.
  const drawn = yield* Dataset.make({
    seed,
    rows: paired ? rows / 2 : rows,
    columns: [
      ...spec.features.map(({ name, min, max }): Dataset.Column => ({ kind: "decimal", name, min, max })),
      { kind: "decimal", name: target, ...bounds }
    ]
  })
  const order = SeededRandom.make(seed, "Regression").shuffle(Array.from({ length: rows }, (_, row) => row))
  const arranged = (values: ReadonlyArray<Decimal.Decimal>) => order.map((row) => at(values, row % drawn.spec.rows))
  const errors = arranged(yield* Dataset.decimals(drawn, target)).map((value, index) =>
    (order[index] ?? 0) < drawn.spec.rows ? value : Decimal.negate(value)
  )
  let targets = errors.map((value) => Decimal.add(value, intercept))
  const columns: Array<Dataset.Column> = []
  for (const { name, coefficient } of spec.features) {
    const factor = yield* Dataset.decimal(name, coefficient)
    const values = arranged(yield* Dataset.decimals(drawn, name))
    targets = targets.map((sum, row) => Decimal.add(sum, Decimal.multiply(factor, at(values, row))))
    columns.push(given(name, values))
  }
  const dataset = yield* Dataset.make({ seed, rows, columns: [...columns, given(target, targets)] })
  const names = spec.features.map(({ name }) => name)
  const known = Statistics.summarize(errors)
  if (known === undefined) return yield* refuse("rows is 0", "Give more rows than features.")
  return { dataset, fit: yield* fit(dataset, names, target), noise: known }
})

/**
 * The usual table of three features: y = 4.5 + 2·x1 - 0.75·x2 + 0.125·x3 + noise in [-1, 1]; 1,000 rows unless told.
 */
export const usual = (seed: Seed, rows = 1000): Effect.Effect<Regression, Dataset.InvalidDataset> =>
  make({
    seed,
    rows,
    features: [
      { name: "x1", min: "-10.00", max: "10.00", coefficient: "2" },
      { name: "x2", min: "0.00", max: "50.00", coefficient: "-0.75" },
      { name: "x3", min: "-100.00", max: "100.00", coefficient: "0.125" }
    ],
    intercept: "4.5",
    noise: "1.000"
  })

/** The exact least-squares fit of any numeric columns. Fails where a column is no number or the fit is not unique. */
export const fit = Effect.fn("Regression.fit")(function* (
  dataset: Dataset.Dataset,
  features: ReadonlyArray<string>,
  target: string
): Effect.fn.Return<Fit, Dataset.InvalidDataset> {
  const xs = yield* Effect.forEach(features, (name) => Dataset.decimals(dataset, name))
  const found = leastSquares(xs, yield* Dataset.decimals(dataset, target))
  if (found === undefined) {
    return yield* refuse("no fit is unique", "Give more rows than features, none a combination of the others.")
  }
  const { coefficients, residual, total } = found
  const share = total.numerator === 0n ? undefined : Rational.divide(Rational.subtract(total, residual), total)
  return {
    intercept: Statistics.exactly(found.intercept),
    coefficients: new Map(
      features.map((name, index) => [name, Statistics.exactly(coefficients[index] ?? Rational.make(0n))])
    ),
    residual: Statistics.exactly(residual),
    rSquared: share === undefined ? undefined : Statistics.exactly(share)
  }
})

const refuse = (fact: string, remedy: string) => new Dataset.InvalidDataset({ column: "", fact, remedy })

const given = (name: string, values: ReadonlyArray<Decimal.Decimal>): Dataset.Column => ({
  kind: "given",
  name,
  type: "decimal",
  cells: values.map(Decimal.format)
})

function at(values: ReadonlyArray<Decimal.Decimal>, index: number): Decimal.Decimal {
  const value = values[index]
  if (value === undefined) throw new RangeError(`Could not read row ${index} of ${values.length}.`)
  return value
}
