/** Figures of the monitor as scenarios judge them: what was not measured cannot be judged, and is no zero. */
import { Undecidable } from "@sbx/core/Expect"
import * as Verdict from "@sbx/core/Verdict"
import type { ContainerMetric, ContainerSample } from "@sbx/monitor/ContainerSampler"
import * as Effect from "effect/Effect"

/** The value; `Undecidable` with the reason where there is none, which makes a scenario unknown. */
export const measured = ({ absent, name, values }: ContainerSample, metric: ContainerMetric) => {
  const value = values[metric]
  if (value !== undefined) return Effect.succeed(value)
  return new Undecidable({
    what: `${metric} of ${name}`,
    detail: `it was not measured (${absent[metric] ?? "not-reported"})`
  })
}

/** Within a share of what was expected. NaN is not. */
export const isNear = (actual: number, expected: number, share: number): boolean =>
  Math.abs(actual - expected) <= Math.abs(expected) * share

/** The verdict on a planted fault: a judge that finds it passes, one that does not fails, and what it cannot say stays unknown. */
export const caught = (verdict: Verdict.Verdict): Verdict.Verdict => {
  switch (verdict._tag) {
    case "fail":
      return Verdict.pass
    case "pass":
      return Verdict.fail("it was planted and not noticed")
    case "unknown":
      return verdict
  }
}
