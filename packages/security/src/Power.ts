/**
 * Whether a check can fire here. Pure: from what the controls showed to whether a held reading may be called held.
 * A check has power only where a weakened sandbox, read by the same vehicles, was breached by it.
 */
import type { ControlResult } from "./AuditReport.ts"
import type { BoundaryCheck } from "./BoundaryCheck.ts"
import type { CheckVerdict } from "./CheckVerdict.ts"
import { detailOf, notApplicable, notRun } from "./CheckVerdict.ts"
import type { WeakeningName } from "./Weakening.ts"

export type Power =
  | { readonly _tag: "Established"; readonly weakening: string; readonly evidence: string }
  /** Even the weakened sandbox has nothing to ask: the kernel lacks the feature. */
  | { readonly _tag: "Absent"; readonly reason: string }
  | { readonly _tag: "None"; readonly reason: string }

export type Vehicles = Readonly<Record<string, string>>

interface Shown {
  readonly verdict?: CheckVerdict
  readonly text: string
}

/** True when the same interpreters carried the probes. */
export const sameVehicles = (a: Vehicles, b: Vehicles): boolean =>
  Object.keys({ ...a, ...b }).every((identity) => a[identity] === b[identity])

/** What one control says about the check; a control that another vehicle read says nothing about this one's readings. */
const show = (check: BoundaryCheck, { outcome, weakening }: ControlResult, vehicles: Vehicles): Shown => {
  if (outcome._tag !== "Ran") return { text: `${weakening}: ${outcome.reason}` }
  if (check.layer !== "posture" && !sameVehicles(outcome.vehicles, vehicles))
    return { text: `${weakening} was read by other vehicles` }
  const verdict = outcome.verdicts[check.id]
  if (verdict === undefined) return { text: `${weakening} was not judged` }
  return { verdict, text: `${weakening} says ${verdict._tag}: ${detailOf(verdict)}` }
}

/** The check's power from the controls that it names; other weakenings prove nothing about it. */
export const powerOf = (check: BoundaryCheck, controls: ReadonlyArray<ControlResult>, vehicles: Vehicles): Power => {
  const own = check.weakenings.flatMap((name) => controls.filter((control) => control.weakening === name))
  const said = own.map((control) => ({ ...show(check, control, vehicles), weakening: control.weakening }))
  for (const { verdict, weakening } of said)
    if (verdict?._tag === "Breached") return { _tag: "Established", weakening, evidence: verdict.evidence }
  const reason = said.map(({ text }) => text).join("; ")
  const verdicts = said.flatMap(({ verdict }) => verdict ?? [])
  return verdicts.length > 0 && verdicts.every((verdict) => verdict._tag === "NotApplicable")
    ? { _tag: "Absent", reason }
    : { _tag: "None", reason: reason || `no control was run (${check.weakenings.join(", ")})` }
}

/** The verdict that counts: a held reading of a check without power is not run. */
export const gate = (observed: CheckVerdict, power: Power): CheckVerdict => {
  if (observed._tag !== "Held" || power._tag === "Established") return observed
  return power._tag === "Absent"
    ? notApplicable(`the control finds nothing to ask: ${power.reason}`)
    : notRun(`no power: ${power.reason}`)
}

/** Fewest weakenings, greedily and deterministically, that give each check one untried control of its own. */
export const cover = (
  checks: ReadonlyArray<BoundaryCheck>,
  tried: ReadonlySet<string>,
  first: ReadonlyArray<WeakeningName> = []
): ReadonlyArray<WeakeningName> => {
  const chosen: Array<WeakeningName> = first.filter((name) => !tried.has(name))
  let open = checks.filter((check) => !check.weakenings.some((name) => chosen.includes(name)))
  while (open.length > 0) {
    const candidates = new Map<WeakeningName, number>()
    for (const name of open.flatMap((check) => check.weakenings))
      if (!tried.has(name)) candidates.set(name, (candidates.get(name) ?? 0) + 1)
    const [best] = [...candidates].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    if (best === undefined) break
    chosen.push(best[0])
    open = open.filter((check) => !check.weakenings.includes(best[0]))
  }
  return chosen
}
