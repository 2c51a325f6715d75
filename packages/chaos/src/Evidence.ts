/**
 * What was measured before, during and after a fault. A proof is a comparison with a control taken in the same run;
 * without a control there is no proof.
 */
import * as Schema from "effect/Schema"

/** One reading. `value` is in the unit that the metric's name says, e.g. `targetCpuCores`. */
export const Measurement = Schema.Struct({
  metric: Schema.String,
  value: Schema.Finite,
  /** How many times it was read to get the value. */
  samples: Schema.Int,
  /** Where it was read: `cgroup-files`, `engine-stats`, `proc`, `engine-inspect`, `engine-events`. */
  source: Schema.String
})
export type Measurement = typeof Measurement.Type

/** A reading held against its control. `holds` is `observed` compared with `threshold` in the direction of `comparison`. */
export const Evidence = Schema.Struct({
  metric: Schema.String,
  /** The control. */
  baseline: Schema.Finite,
  observed: Schema.Finite,
  threshold: Schema.Finite,
  comparison: Schema.Literals(["at-least", "at-most"]),
  holds: Schema.Boolean,
  samples: Schema.Int,
  source: Schema.String
})
export type Evidence = typeof Evidence.Type

/** Compares a reading with its control. */
export const compare = (
  control: Measurement,
  observed: Measurement,
  comparison: Evidence["comparison"],
  threshold: number
): Evidence => ({
  metric: observed.metric,
  baseline: control.value,
  observed: observed.value,
  threshold,
  comparison,
  holds: comparison === "at-least" ? observed.value >= threshold : observed.value <= threshold,
  samples: observed.samples,
  source: observed.source
})

/** A proof needs evidence, and all of it. */
export const allHold = (evidence: ReadonlyArray<Evidence>): boolean =>
  evidence.length > 0 && evidence.every((item) => item.holds)

/** One line for people. */
export const describe = (item: Evidence): string => {
  const sign = item.comparison === "at-least" ? "≥" : "≤"
  return `${item.metric} ${item.observed} (needed ${sign} ${item.threshold}, control ${item.baseline})`
}
