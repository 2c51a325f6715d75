/**
 * Whether a number that should come back to where it was keeps growing: per 1,000 operations, per hour, or both. Looks at the floor that
 * is left after each cycle (garbage collection, caches), after a warm-up, at several scales; an alarm needs a certain rise, a steady one,
 * one that matters and one that does not die down. Refuses to judge too few points: that is unknown, not pass.
 */
import * as Verdicts from "@sbx/core/Verdict"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Point } from "./Trend.ts"
import { leastSquares, mannKendall, theilSen } from "./Trend.ts"

/** A reading of what may leak. */
export interface LeakPoint {
  /** Operations done until then; absent where nobody counts them. */
  readonly operations?: number
  /** Milliseconds since any fixed time. */
  readonly atMillis: number
  readonly value: number
}

/** `per-1000-operations` or `per-hour`: what slopes and tolerances of the axis are given in. */
export const LeakAxis = Schema.Literals(["per-1000-operations", "per-hour"])
export type LeakAxis = typeof LeakAxis.Type

export interface LeakOptions {
  /**
   * The slowest growth that matters, in the value's unit per 1,000 operations and per hour. An axis without one is not judged. `pass`
   * says that a leak this fast would have shown.
   */
  readonly tolerance: { readonly [A in LeakAxis]?: number }
  /**
   * The smallest step of the value, e.g. 1 where things are counted. Then nothing passes that is too short for a leak at the tolerance to
   * make two steps, since it would have looked the same; and fewer than three steps are no alarm. Default 0: any growth shows.
   */
  readonly resolution?: number
  /** Share of the axis, from its begin, that is left out as warm-up. Default 1/3. */
  readonly warmUpShare?: number
  /** Of an alarm, over all scales together. Default 0.99. */
  readonly confidence?: number
}

/** The floor at one scale, and what it says. Slopes are in the axis's unit. */
export interface LeakScale {
  /** How many stretches the run was cut into; each counts by its lowest value. */
  readonly blocks: number
  readonly slope: number
  readonly low: number
  readonly high: number
  /** Probability of so steady a rise without a trend (Mann-Kendall). */
  readonly chance: number
  /** Median slopes (Theil-Sen) of the first and the last half. */
  readonly early: number
  readonly late: number
}

export interface AxisFinding {
  readonly axis: LeakAxis
  readonly tolerance: number
  readonly verdict: Verdicts.Verdict
  /** Points after the warm-up. */
  readonly points: number
  /** Confidence of each scale's interval. */
  readonly confidence: number
  /** Finest first. Empty when there were too few points. */
  readonly scales: ReadonlyArray<LeakScale>
}

export interface LeakFinding {
  /** The worst of the axes. */
  readonly verdict: Verdicts.Verdict
  readonly axes: ReadonlyArray<AxisFinding>
}

/** Options with which nothing could be judged. */
export class InvalidLeakOptions extends Schema.TaggedError<InvalidLeakOptions>()("InvalidLeakOptions", {
  fault: Schema.Literals(["tolerance", "resolution", "warm-up", "confidence"]),
  given: Schema.String
}) {
  override get message() {
    return `Could not look for leaks: the ${this.fault} is ${this.given}.\n${remedies[this.fault]}`
  }
}

const remedies: Record<InvalidLeakOptions["fault"], string> = {
  tolerance: "Give a finite number that is not negative, for at least one axis.",
  resolution: "Give a finite number that is not negative.",
  "warm-up": "Give a share from 0 to 0.9.",
  confidence: "Give a number from 0.5 to 0.9999."
}

/** Blocks of the scales. A floor is only a floor when a block holds a whole cycle, which one scale alone cannot know. */
const scales = [12, 8, 6] as const
const coarsest = 6
/** Points of a block, at least. */
const blockPoints = 2
/** Above this the rise is not steady. */
const steadyChance = 0.01
/** Below this it is certain whatever a straight line says: growth that speeds up is no line. */
const monotoneChance = 0.0001
/** The last half of the floor rises at least this fast, relative to the first, or it is dying down. */
const persistence = 0.5

/** Judges points in any order. Deterministic: the same points give the same finding. */
export const judge = (
  points: ReadonlyArray<LeakPoint>,
  options: LeakOptions
): Result.Result<LeakFinding, InvalidLeakOptions> => {
  const { confidence = 0.99, resolution = 0, tolerance, warmUpShare = 1 / 3 } = options
  const refuse = (fault: InvalidLeakOptions["fault"], given: string) =>
    Result.fail(new InvalidLeakOptions({ fault, given }))
  if (!(confidence >= 0.5 && confidence <= 0.9999)) return refuse("confidence", String(confidence))
  if (!(Number.isFinite(resolution) && resolution >= 0)) return refuse("resolution", String(resolution))
  if (!(warmUpShare >= 0 && warmUpShare <= 0.9)) return refuse("warm-up", String(warmUpShare))
  const axes: Array<AxisFinding> = []
  for (const axis of LeakAxis.literals) {
    const limit = tolerance[axis]
    if (limit === undefined) continue
    if (!(Number.isFinite(limit) && limit >= 0)) return refuse("tolerance", `${limit} ${axis}`)
    axes.push(judgeAxis(axis, points, limit, { resolution, warmUpShare, confidence }))
  }
  if (axes.length === 0) return refuse("tolerance", "not given")
  return Result.succeed({ verdict: Verdicts.mergeAll(axes.map(({ verdict }) => verdict)), axes })
}

const judgeAxis = (
  axis: LeakAxis,
  given: ReadonlyArray<LeakPoint>,
  tolerance: number,
  options: Required<Omit<LeakOptions, "tolerance">>
): AxisFinding => {
  const { confidence: overall, resolution, warmUpShare } = options
  const confidence = 1 - (1 - overall) / scales.length
  const none = { axis, tolerance, confidence, scales: [] }
  const unknown = (reason: string, points: number): AxisFinding => ({
    ...none,
    points,
    verdict: Verdicts.unknown(`${axis}: ${reason}`)
  })
  const points = pointsOf(axis, given)
  if (points === undefined) return unknown("operations were not counted for every point", 0)
  if (points.some(({ x, y }) => !Number.isFinite(x) || !Number.isFinite(y)))
    return unknown("some readings are not finite", 0)
  const [first, last] = [points[0]?.x ?? 0, points.at(-1)?.x ?? 0]
  const kept = points.filter(({ x }) => x >= first + (last - first) * warmUpShare)
  if (kept.length < coarsest * blockPoints) {
    const enough = coarsest * blockPoints
    return unknown(`${kept.length} points after the warm-up are too few, ${enough} would do`, kept.length)
  }
  if (!(last > first)) return unknown("all points are at one place", kept.length)
  const looks = scales.flatMap((blocks) =>
    blocks * blockPoints > kept.length ? [] : scaleOf(floorsOf(kept, blocks), confidence)
  )
  const judged = { ...none, points: kept.length, scales: looks }
  return {
    ...judged,
    verdict: visible(axis, kept, tolerance, resolution, verdictOf(axis, kept, looks, tolerance, overall))
  }
}

const pointsOf = (axis: LeakAxis, given: ReadonlyArray<LeakPoint>): ReadonlyArray<Point> | undefined => {
  const points: Array<Point> = []
  for (const { atMillis, operations, value } of given) {
    if (axis === "per-hour") points.push({ x: atMillis / 3_600_000, y: value })
    else if (operations === undefined) return undefined
    else points.push({ x: operations / 1000, y: value })
  }
  return points.sort((a, b) => a.x - b.x)
}

/** The lowest point of each of `blocks` stretches of equally many points. */
const floorsOf = (points: ReadonlyArray<Point>, blocks: number): ReadonlyArray<Point> =>
  Array.from({ length: blocks }, (_, block) => {
    const from = Math.floor((block * points.length) / blocks)
    const stretch = points.slice(from, Math.floor(((block + 1) * points.length) / blocks))
    return stretch.reduce((lowest, point) => (point.y < lowest.y ? point : lowest))
  })

const scaleOf = (floors: ReadonlyArray<Point>, confidence: number): ReadonlyArray<LeakScale> => {
  const trend = leastSquares(floors, { confidence })
  const half = Math.floor(floors.length / 2)
  const early = theilSen(floors.slice(0, half))
  const late = theilSen(floors.slice(half))
  if (Result.isFailure(trend) || early === undefined || late === undefined) return []
  const { high, low, slope } = trend.success
  return [{ blocks: floors.length, slope, low, high, chance: mannKendall(floors), early, late }]
}

/**
 * Fails where one scale shows a rise that is certain, steady, beyond the tolerance and lasting. Passes where the interval of one, or of all points
 * together, ends below the tolerance. In between nothing can be said.
 */
const verdictOf = (
  axis: LeakAxis,
  kept: ReadonlyArray<Point>,
  looks: ReadonlyArray<LeakScale>,
  tolerance: number,
  confidence: number
): Verdicts.Verdict => {
  const rising = looks.filter(
    ({ chance, low, slope }) => slope > tolerance && chance < (low > 0 ? steadyChance : monotoneChance)
  )
  const lasting = rising.find(({ early, late }) => late > tolerance && late >= persistence * early)
  if (lasting !== undefined)
    return Verdicts.fail(`${axis}: it grows by ${interval(lasting)}, more than ${figure(tolerance)}`)
  const [dying] = rising
  if (dying !== undefined)
    return Verdicts.unknown(
      `${axis}: it grew by ${interval(dying)}, but from ${figure(dying.early)} down to ${figure(dying.late)}; run for longer`
    )
  const all = leastSquares(kept, { confidence })
  const bounds = Result.isSuccess(all) ? [...looks, all.success] : looks
  const closest = bounds.reduce<{ readonly slope: number; readonly low: number; readonly high: number } | undefined>(
    (best, bound) => (best === undefined || bound.high < best.high ? bound : best),
    undefined
  )
  if (closest === undefined) return Verdicts.unknown(`${axis}: the points lie at too few places`)
  return closest.high <= tolerance
    ? Verdicts.pass
    : Verdicts.unknown(
        `${axis}: its slope is ${interval(closest)}, which does not tell it from ${figure(tolerance)}; run for longer`
      )
}

/**
 * What a value that goes in steps cannot show. A pass stands only where a leak at the tolerance had the time to make two steps, since one
 * may be hidden in the last block; an alarm only where there were three, since two are things that came once, at two times.
 */
const visible = (
  axis: LeakAxis,
  kept: ReadonlyArray<Point>,
  tolerance: number,
  resolution: number,
  verdict: Verdicts.Verdict
): Verdicts.Verdict => {
  const unknown = (reason: string) => Verdicts.unknown(`${axis}: ${reason}; run for longer`)
  const due = ((kept.at(-1)?.x ?? 0) - (kept[0]?.x ?? 0)) * tolerance
  if (verdict._tag === "pass" && due < 2 * resolution)
    return unknown(
      `a leak of ${figure(tolerance)} would have grown by ${figure(due)} only, where ${figure(2 * resolution)} would show`
    )
  const [least, most] = kept.reduce(([low, high], { y }) => [Math.min(low, y), Math.max(high, y)] as const, [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY
  ] as const)
  const grown = most - least
  if (verdict._tag === "fail" && grown < 3 * resolution)
    return unknown(
      `it grew by ${figure(grown)}, which may have come once, where ${figure(3 * resolution)} would be a leak`
    )
  return verdict
}

const interval = ({ high, low, slope }: { readonly slope: number; readonly low: number; readonly high: number }) =>
  `${figure(slope)} (${figure(low)} to ${figure(high)})`

const figure = (value: number) => String(Number(value.toPrecision(4)))
