/**
 * What an audit found, as data for people, reports and events: findings, controls and their sums. Held counts only with power.
 */
import type { Verdict } from "@sbx/core/Verdict"
import { fail, mergeAll, pass, unknown } from "@sbx/core/Verdict"
import * as Schema from "effect/Schema"
import { Category, Layer, Mapping, Severity } from "./BoundaryCheck.ts"
import { CheckVerdict, detailOf } from "./CheckVerdict.ts"

export const Finding = Schema.Struct({
  checkId: Schema.String,
  category: Category,
  layer: Layer,
  severity: Severity,
  maps: Mapping,
  description: Schema.String,
  /** After the power rule: what counts. */
  verdict: CheckVerdict,
  /** Before it: what the evidence alone says. */
  observed: CheckVerdict,
  /** The weakening that turned this check to breached on this engine. */
  control: Schema.optionalKey(Schema.Struct({ weakening: Schema.String, evidence: Schema.String }))
})
export type Finding = typeof Finding.Type

/** What one weakened sandbox showed. */
export const ControlResult = Schema.Struct({
  weakening: Schema.String,
  outcome: Schema.TaggedUnion({
    /** It ran; every check was judged on it. `vehicles` as in {@link AuditReport}. */
    Ran: {
      vehicles: Schema.Record(Schema.String, Schema.String),
      verdicts: Schema.Record(Schema.String, CheckVerdict)
    },
    /** The engine refused the step, or it does not exist there. */
    NotCreatable: { reason: Schema.String },
    /** Dangerous subjects are not allowed on this engine. */
    NotPermitted: { reason: Schema.String }
  })
})
export type ControlResult = typeof ControlResult.Type

export const AuditReport = Schema.Struct({
  auditId: Schema.String,
  subject: Schema.Struct({ containerId: Schema.String, name: Schema.String }),
  engine: Schema.Struct({
    id: Schema.String,
    version: Schema.String,
    kernelVersion: Schema.String,
    cgroupVersion: Schema.String,
    runtime: Schema.String
  }),
  /** Which interpreter carried the probes, by identity. */
  vehicles: Schema.Record(Schema.String, Schema.String),
  refusedVehicles: Schema.Array(Schema.String),
  findings: Schema.Array(Finding),
  controls: Schema.Array(ControlResult),
  durationMillis: Schema.Finite
})
export type AuditReport = typeof AuditReport.Type

export type VerdictTag = CheckVerdict["_tag"]
export type Scorecard = Readonly<Record<VerdictTag, number>>

const zero: Scorecard = { Held: 0, Breached: 0, NotRun: 0, NotApplicable: 0, Waived: 0 }

/** How many checks say what. */
export const scorecard = (findings: ReadonlyArray<Finding>): Scorecard =>
  findings.reduce((sum, { verdict }) => ({ ...sum, [verdict._tag]: sum[verdict._tag] + 1 }), zero)

/** Findings whose verdict has this tag. */
export const withVerdict = (report: AuditReport, tag: VerdictTag): ReadonlyArray<Finding> =>
  report.findings.filter((finding) => finding.verdict._tag === tag)

/** For each weakening that ran, the checks that it breached: the mutation matrix. */
export const matrix = (controls: ReadonlyArray<ControlResult>): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(
    controls.flatMap(({ weakening, outcome }) =>
      outcome._tag === "Ran"
        ? [
            [
              weakening,
              Object.entries(outcome.verdicts).flatMap(([id, verdict]) => (verdict._tag === "Breached" ? [id] : []))
            ] as const
          ]
        : []
    )
  )

const toVerdict = (finding: Finding): ReadonlyArray<Verdict> => {
  const said = `${finding.checkId}: ${detailOf(finding.verdict)}`
  switch (finding.verdict._tag) {
    case "Held":
      return [pass]
    case "Breached":
      return [fail(said)]
    case "NotRun":
      return [unknown(said)]
    default:
      return []
  }
}

/** Worst wins: breached is fail, not run is unknown; not applicable and waived do not count. */
export const verdict = (report: AuditReport): Verdict => mergeAll(report.findings.flatMap(toVerdict))

/** One line per finding that is not held, then the sums; for logs and terminals. */
export const summary = (report: AuditReport): string => {
  const { Held, Breached, NotRun, NotApplicable, Waived } = scorecard(report.findings)
  const lines = report.findings.flatMap(({ checkId, severity, verdict }) =>
    verdict._tag === "Held" ? [] : [`${verdict._tag} ${checkId} (${severity}): ${detailOf(verdict)}`]
  )
  return [
    ...lines,
    `${Held} held, ${Breached} breached, ${NotRun} not run, ${NotApplicable} not applicable, ${Waived} waived`
  ].join("\n")
}
