/**
 * One reading of one subject (a container, the host, the runner): a flat map from metric to number.
 * A metric that could not be measured is not in `values`; `absent` says why. It is never zero by default.
 */
import * as Schema from "effect/Schema"

/** Why a metric has no value in a sample. */
export const Absence = Schema.Literals([
  /** The source did not say, e.g. block I/O of a cgroup v2 host, or network of a container without one. */
  "not-reported",
  /** A rate needs two readings and this is the first one of a series, or the first after a gap. */
  "no-previous-reading",
  /** Both readings carry the same time. */
  "no-interval",
  /** The later reading carries an earlier time. */
  "clock-went-back",
  /** The source's clock and the kernel's cpu accounting disagree about how much time passed. */
  "clock-jumped",
  /** A cumulative counter fell, or counts anew: the container was restarted between the readings. */
  "counter-went-back",
  /** The two readings come from different sources, whose clocks and counters are not one. */
  "source-changed",
  /** NaN, infinite or negative. */
  "not-a-number",
  /** Two numbers of one reading contradict each other, e.g. more cache than usage. */
  "inconsistent",
  /** A percentage or a limit, and there is no limit. */
  "no-limit",
  /** The kernel keeps the number and this process may not read it. */
  "permission-denied",
  /** Expensive to measure, and nobody asked for it. */
  "not-requested",
  /** Measuring it was given up at a bound on the work. */
  "too-costly"
])
export type Absence = typeof Absence.Type

export type Values<M extends string> = { readonly [K in M]?: number }
export type Absences<M extends string> = { readonly [K in M]?: Absence }

export interface Sample<M extends string> {
  readonly subject: "container" | "host" | "runner"
  /** Container id, host name or process id. */
  readonly id: string
  readonly name: string
  /** When the later reading was taken, milliseconds since 1970 by the source's clock. */
  readonly atMillis: number
  /** What the rates of this sample are measured over; absent without a usable previous reading. */
  readonly intervalMillis: number | undefined
  readonly values: Values<M>
  readonly absent: Absences<M>
  /** Where a container's numbers come from; absent for other subjects. */
  readonly source?: SampleSource
  /** Which life of the container it is, where the source knows: another one after a restart. Not stored. */
  readonly incarnation?: string
}

/** The kernel's cgroup files and /proc of this machine, or the engine's statistics. */
export const SampleSource = Schema.Literals(["cgroup", "engine"])
export type SampleSource = typeof SampleSource.Type

/** A value, or why there is none. */
export type Measured = number | Absence

/** Checks a gauge: finite and not negative, or the reason. */
export const gauge = (value: number | undefined): Measured =>
  value === undefined ? "not-reported" : Number.isFinite(value) && value >= 0 ? value : "not-a-number"

/** How much a cumulative counter grew between two readings. */
export const growth = (before: number | undefined, after: number | undefined): Measured => {
  const from = gauge(before)
  const to = gauge(after)
  if (typeof to !== "number") return to
  if (typeof from !== "number") return from
  return to < from ? "counter-went-back" : to - from
}

/** Applies `f` to a measured number; the result is checked like a gauge. */
export const map = (value: Measured, f: (value: number) => number): Measured =>
  typeof value === "number" ? gauge(f(value)) : value

/** Combines two measured numbers; the first absence wins. */
export const combine = (left: Measured, right: Measured, f: (left: number, right: number) => number): Measured =>
  typeof left === "number" ? map(right, (value) => f(left, value)) : left

/** Splits measured metrics into values and absences. */
export const split = <M extends string>(
  measured: Readonly<Record<M, Measured>>
): { readonly values: Values<M>; readonly absent: Absences<M> } => {
  const values: { [K in M]?: number } = {}
  const absent: { [K in M]?: Absence } = {}
  for (const metric in measured) {
    const value: Measured = measured[metric]
    if (typeof value === "number") values[metric] = value
    else absent[metric] = value
  }
  return { values, absent }
}

/** `after - before` for every metric that both samples have; the others are absent with the reason of the sample that lacks it. */
export const difference = <M extends string>(
  before: Sample<M>,
  after: Sample<M>
): { readonly values: Values<M>; readonly absent: Absences<M> } => {
  const values: { [K in M]?: number } = {}
  const absent: { [K in M]?: Absence } = {}
  const metrics = new Set<M>([...metricsOf(before), ...metricsOf(after)])
  for (const metric of metrics) {
    const from = before.values[metric]
    const to = after.values[metric]
    if (from !== undefined && to !== undefined) values[metric] = to - from
    else absent[metric] = after.absent[metric] ?? before.absent[metric] ?? "not-reported"
  }
  return { values, absent }
}

/** Every metric that the sample mentions, measured or absent. */
export const metricsOf = <M extends string>(sample: Sample<M>): ReadonlyArray<M> => {
  const metrics: Array<M> = []
  for (const metric in sample.values) metrics.push(metric)
  for (const metric in sample.absent) metrics.push(metric)
  return metrics
}
