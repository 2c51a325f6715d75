/** The facts of an audit as events: what was asked, what each control showed, what was judged. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { EngineInfo } from "@sbx/engine/Engine"
import * as Arr from "effect/Array"
import type { ControlResult, Finding } from "../AuditReport.ts"
import { scorecard } from "../AuditReport.ts"
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import type { BoundaryEvent } from "../BoundaryEvent.ts"

/** The audit's first event. */
export const started = (
  atMillis: number,
  target: ContainerTarget,
  info: EngineInfo,
  checks: ReadonlyArray<BoundaryCheck>
): BoundaryEvent => ({
  _tag: "AuditStarted",
  atMillis,
  containerId: target.containerId,
  name: target.name,
  engineId: info.id,
  engineVersion: info.version,
  kernelVersion: info.kernelVersion,
  checkIds: checks.map((check) => check.id)
})

/** What a weakened sandbox showed, or why there was none. */
export const controlEvent = ({ outcome, weakening }: ControlResult, atMillis: number): BoundaryEvent =>
  outcome._tag === "Ran"
    ? {
        _tag: "ControlEstablished",
        atMillis,
        weakening,
        breachedCheckIds: Object.entries(outcome.verdicts).flatMap(([id, verdict]) =>
          verdict._tag === "Breached" ? [id] : []
        )
      }
    : { _tag: "ControlRefused", atMillis, weakening, reason: outcome.reason }

/** Every judgement, then the sums: the audit's last events. */
export const conclusion = (
  findings: ReadonlyArray<Finding>,
  atMillis: number,
  durationMillis: number
): Arr.NonEmptyReadonlyArray<BoundaryEvent> => {
  const { Breached, Held, NotApplicable, NotRun, Waived } = scorecard(findings)
  const judgements = findings.map(({ category, checkId, control, severity, verdict }): BoundaryEvent => ({
    _tag: "CheckJudged",
    atMillis,
    checkId,
    category,
    severity,
    verdict,
    ...(control === undefined ? {} : { control: control.weakening })
  }))
  return Arr.append(judgements, {
    _tag: "AuditFinished",
    atMillis,
    durationMillis,
    held: Held,
    breached: Breached,
    notRun: NotRun,
    notApplicable: NotApplicable,
    waived: Waived
  })
}
