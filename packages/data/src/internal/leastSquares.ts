/** Ordinary least squares over several columns, exact: integer normal equations, solved in fractions. */
import * as Decimal from "../Decimal.ts"
import * as Rational from "../Rational.ts"

/** One coefficient per column, in their order. */
export interface Solution {
  readonly intercept: Rational.Rational
  readonly coefficients: ReadonlyArray<Rational.Rational>
  /** Sum of the squared residuals, and of the squared deviations of y from its mean. */
  readonly residual: Rational.Rational
  readonly total: Rational.Rational
}

/** The one minimum; undefined where the columns (with the constant) are linearly dependent, as with too few rows. */
export const leastSquares = (
  xs: ReadonlyArray<ReadonlyArray<Decimal.Decimal>>,
  y: ReadonlyArray<Decimal.Decimal>
): Solution | undefined => {
  const columns = xs.map(Decimal.align)
  const target = Decimal.align(y)
  const ones = y.map(() => 1n)
  const design = [ones, ...columns.map((column) => column.units)]
  const moments = design.map((column) => dot(column, target.units))
  const system = design.map((row, index) =>
    [...design.map((column) => dot(row, column)), moments[index] ?? 0n].map((value) => Rational.make(value))
  )
  const solved = solve(system)
  if (solved === undefined) return undefined
  const yOne = 10n ** BigInt(target.scale)
  // Solved in units of each scale: a coefficient is left with its column's scale above and y's below.
  const scales = [1n, ...columns.map((column) => 10n ** BigInt(column.scale))]
  const [intercept = Rational.make(0n), ...coefficients] = solved.map((value, index) =>
    Rational.multiply(value, Rational.make(scales[index] ?? 1n, yOne))
  )
  const squares = Rational.make(dot(target.units, target.units))
  const explained = solved.reduce(
    (sum, value, index) => Rational.add(sum, Rational.multiply(value, Rational.make(moments[index] ?? 0n))),
    Rational.make(0n)
  )
  const mass = dot(ones, target.units)
  const square = Rational.make(1n, yOne * yOne)
  return {
    intercept,
    coefficients,
    residual: Rational.multiply(Rational.subtract(squares, explained), square),
    total: Rational.multiply(Rational.subtract(squares, Rational.make(mass * mass, BigInt(y.length))), square)
  }
}

const dot = (a: ReadonlyArray<bigint>, b: ReadonlyArray<bigint>): bigint =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0n), 0n)

type Row = ReadonlyArray<Rational.Rational>

/** Gauss–Jordan on rows [A | b]; undefined for a singular A. */
function solve(system: ReadonlyArray<Row>): ReadonlyArray<Rational.Rational> | undefined {
  let rows = system
  for (let column = 0; column < system.length; column++) {
    const found = rows.findIndex((row, index) => index >= column && at(row, column).numerator !== 0n)
    const chosen = rows[found]
    if (chosen === undefined) return undefined
    const pivot = chosen.map((value) => Rational.divide(value, at(chosen, column)))
    const swapped = rows.map((row, index) => (index === found ? (rows[column] ?? row) : row))
    rows = swapped.map((row, index) => (index === column ? pivot : eliminate(row, pivot, at(row, column))))
  }
  return rows.map((row) => at(row, system.length))
}

function eliminate(row: Row, pivot: Row, factor: Rational.Rational): Row {
  return row.map((value, index) => Rational.subtract(value, Rational.multiply(factor, at(pivot, index))))
}

function at(row: Row, index: number): Rational.Rational {
  return row[index] ?? Rational.make(0n)
}
