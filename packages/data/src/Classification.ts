/**
 * Seeded two-class tables (label 0 or 1) whose best classifier is known: one that a plane separates, with the widest
 * margin known exactly, and one where the classes overlap, with the best accuracy known exactly. What cannot be
 * generated is refused with `InvalidDataset`.
 */
import * as Effect from "effect/Effect"
import * as Dataset from "./Dataset.ts"
import * as Decimal from "./Decimal.ts"
import * as Rational from "./Rational.ts"
import type { Seed } from "./Seed.ts"
import * as SeededRandom from "./SeededRandom.ts"
import * as Statistics from "./Statistics.ts"

/** Uniform from min to max; `weight` is its component of the separating plane's normal. Decimal texts. */
export interface Feature {
  readonly name: string
  readonly min: string
  readonly max: string
  readonly weight: string
}

/** The plane goes through the middle of the box of all features. */
export interface SeparableSpec {
  readonly seed: Seed
  /** At least 2: one support vector of each class is planted. */
  readonly rows: number
  readonly features: ReadonlyArray<Feature>
  /** The support vectors are the middle ± reach × weights; decimal, above 0. */
  readonly reach: string
}

export interface Separable {
  /** The features in their order, then `label`: 1 where Σ weight × feature + bias is above 0. */
  readonly dataset: Dataset.Dataset
  /** Up to a factor, the normal of the one plane of widest margin (the hard-margin support vector machine). */
  readonly weights: ReadonlyMap<string, Statistics.Exact>
  readonly bias: Statistics.Exact
  /** Least |Σ weight × feature + bias| of any row: reach × |weights|². Only the support vectors have it. */
  readonly margin: Statistics.Exact
  /** Square of the least distance of any row from the plane: reach² × |weights|². */
  readonly squaredDistance: Statistics.Exact
}

/** `perLevel` rows at each x = 0, 1, 2, …; `shares[x]` of them, a decimal from 0 to 1, have label 1. */
export interface OverlappingSpec {
  readonly seed: Seed
  readonly shares: ReadonlyArray<string>
  readonly perLevel: number
}

export interface Overlapping {
  /** `x` and `label`, in seeded order. */
  readonly dataset: Dataset.Dataset
  /** Rows that the best rule of x labels rightly, over all rows (the Bayes accuracy): no rule of x reaches more here. */
  readonly accuracy: Statistics.Exact
  /** The label that the best rule gives each x; 0 where both are equally good. */
  readonly rule: ReadonlyArray<0 | 1>
}

/**
 * A linearly separable table. The two support vectors are the nearest points of the classes' convex hulls: all rows of a
 * class lie beyond the plane through its support vector, and the planes are as far apart as the vectors.
 */
export const separable = Effect.fn("Classification.separable")(function* (
  spec: SeparableSpec
): Effect.fn.Return<Separable, Dataset.InvalidDataset> {
  if (spec.rows < 2) return yield* refuse("", `rows is ${spec.rows}`, "Give a whole number from 2.")
  const axes = yield* Effect.forEach(spec.features, axis)
  const reach = yield* Dataset.decimal("label", spec.reach)
  const norm = sum(axes.map(({ weight }) => Decimal.multiply(weight, weight)))
  const margin = Decimal.multiply(reach, norm)
  if (margin.units <= 0n) return yield* refuse("label", "the margin is not above 0", "Give a reach and weights.")
  const bias = Decimal.negate(sum(axes.map(({ weight, middle }) => Decimal.multiply(weight, middle))))
  const score = (point: Point) =>
    Decimal.add(sum(axes.map(({ weight }, index) => Decimal.multiply(weight, at(point, index)))), bias)
  const planted = [reach, Decimal.negate(reach)].map((step) =>
    axes.map(({ weight, middle }) => Decimal.add(middle, Decimal.multiply(step, weight)))
  )
  const drawn = yield* points(spec, (point) => Decimal.compare(Decimal.absolute(score(point)), margin) > 0)
  const rows = SeededRandom.make(spec.seed, "Classification", "separable").shuffle([...planted, ...drawn])
  const dataset = yield* Dataset.make({
    seed: spec.seed,
    rows: rows.length,
    columns: [
      ...spec.features.map(({ name }, index) => given(name, cellsOf(rows, index))),
      given(
        "label",
        rows.map((point) => (score(point).units > 0n ? "1" : "0"))
      )
    ]
  })
  return {
    dataset,
    weights: new Map(axes.map(({ name, weight }) => [name, exactly(weight)])),
    bias: exactly(bias),
    margin: exactly(margin),
    squaredDistance: exactly(Decimal.multiply(reach, margin))
  }
})

/** A table of one feature on which no rule is always right. */
export const overlapping = Effect.fn("Classification.overlapping")(function* (
  spec: OverlappingSpec
): Effect.fn.Return<Overlapping, Dataset.InvalidDataset> {
  const { seed, shares, perLevel } = spec
  const rows = shares.length * perLevel
  if (!Number.isInteger(perLevel) || perLevel < 1 || rows < 1 || rows > Dataset.maxRows) {
    const fact = `it has ${shares.length} levels of ${perLevel} rows`
    return yield* refuse("x", fact, `Give from 1 to ${Dataset.maxRows} rows in all.`)
  }
  const ones = yield* Effect.forEach(shares, (share) => positives(share, perLevel))
  const labelled = ones.flatMap((count, x) =>
    Array.from({ length: perLevel }, (_, row) => [String(x), row < count ? "1" : "0"] as const)
  )
  const ordered = SeededRandom.make(seed, "Classification", "overlapping").shuffle(labelled)
  const dataset = yield* Dataset.make({
    seed,
    rows,
    columns: [
      given(
        "x",
        ordered.map(([x]) => x)
      ),
      given(
        "label",
        ordered.map(([, label]) => label)
      )
    ]
  })
  const right = ones.reduce((count, one) => count + Math.max(one, perLevel - one), 0)
  return {
    dataset,
    accuracy: Statistics.exactly(Rational.make(BigInt(right), BigInt(rows))),
    rule: ones.map((count) => (count > perLevel - count ? 1 : 0))
  }
})

type Point = ReadonlyArray<Decimal.Decimal>

const refuse = (column: string, fact: string, remedy: string) => new Dataset.InvalidDataset({ column, fact, remedy })

const exactly = (value: Decimal.Decimal) => Statistics.exactly(Decimal.toRational(value))

const given = (name: string, cells: ReadonlyArray<string>): Dataset.Column => ({
  kind: "given",
  name,
  type: "decimal",
  cells
})

const axis = Effect.fnUntraced(function* ({ name, min, max, weight }: Feature) {
  const [low, high] = [yield* Dataset.decimal(name, min), yield* Dataset.decimal(name, max)]
  const middle = Decimal.multiply(Decimal.add(low, high), { units: 5n, scale: 1 })
  return { name, middle, weight: yield* Dataset.decimal(name, weight) }
})

/** The first rows - 2 points that pass; candidates are doubled, which keeps those already drawn, up to `maxRows`. */
const points = Effect.fnUntraced(function* (spec: SeparableSpec, passes: (point: Point) => boolean) {
  const wanted = spec.rows - 2
  const columns = spec.features.map(({ name, min, max }): Dataset.Column => ({ kind: "decimal", name, min, max }))
  for (let candidates = spec.rows; ; candidates = Math.min(candidates * 2, Dataset.maxRows)) {
    const drawn = yield* Dataset.make({ seed: spec.seed, rows: candidates, columns })
    const values = yield* Effect.forEach(spec.features, ({ name }) => Dataset.decimals(drawn, name))
    const all = Array.from({ length: candidates }, (_, row) => values.map((column) => at(column, row)))
    const kept = all.filter(passes)
    if (kept.length >= wanted) return kept.slice(0, wanted)
    if (candidates >= Dataset.maxRows || (kept.length === 0 && candidates > hopeless)) {
      return yield* refuse("label", "the reach leaves too few points outside the margin", "Give a smaller one.")
    }
  }
})

/** Candidates after which a box without a single point outside the margin is given up. */
const hopeless = 10_000

/** Rows with label 1 at one level; a whole number, or refused. */
const positives = Effect.fnUntraced(function* (share: string, perLevel: number) {
  const { numerator, denominator } = Decimal.toRational(yield* Dataset.decimal("label", share))
  const count = numerator * BigInt(perLevel)
  if (count < 0n || count > BigInt(perLevel) * denominator || count % denominator !== 0n) {
    const fact = `a share of ${share} of ${perLevel} rows is no number of rows`
    return yield* refuse("label", fact, "Give shares from 0 to 1 that times perLevel are whole.")
  }
  return Number(count / denominator)
})

function sum(values: ReadonlyArray<Decimal.Decimal>): Decimal.Decimal {
  return values.reduce(Decimal.add, { units: 0n, scale: 0 })
}

/** A column at one scale, that of the support vectors where it is finer. */
function cellsOf(rows: ReadonlyArray<Point>, index: number): ReadonlyArray<string> {
  const { units, scale } = Decimal.align(rows.map((point) => at(point, index)))
  return units.map((value) => Decimal.format({ units: value, scale }))
}

function at(values: Point, index: number): Decimal.Decimal {
  const value = values[index]
  if (value === undefined) throw new RangeError(`Could not read value ${index} of ${values.length}.`)
  return value
}
