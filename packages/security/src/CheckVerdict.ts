/**
 * What a boundary check says. `Held` is never said for want of a tool, an image or a kernel feature:
 * what could not be asked is `NotRun`, what does not exist here is `NotApplicable`.
 */
import * as Schema from "effect/Schema"

export const CheckVerdict = Schema.TaggedUnion({
  /** The gate itself refused, or the structure reads as declared. */
  Held: { evidence: Schema.String },
  /** The boundary is not there; stands without a control. */
  Breached: { evidence: Schema.String },
  NotRun: { reason: Schema.String },
  /** The boundary has no object here, e.g. the kernel lacks the feature. Listed, not counted. */
  NotApplicable: { reason: Schema.String },
  /** Accepted by the caller. Listed, not counted. */
  Waived: { reason: Schema.String }
})
export type CheckVerdict = typeof CheckVerdict.Type

export const held = (evidence: string): CheckVerdict => ({ _tag: "Held", evidence })
export const breached = (evidence: string): CheckVerdict => ({ _tag: "Breached", evidence })
export const notRun = (reason: string): CheckVerdict => ({ _tag: "NotRun", reason })
export const notApplicable = (reason: string): CheckVerdict => ({ _tag: "NotApplicable", reason })
export const waived = (reason: string): CheckVerdict => ({ _tag: "Waived", reason })

/** The evidence or the reason, whichever the verdict carries. */
export const detailOf = (verdict: CheckVerdict): string =>
  verdict._tag === "Held" || verdict._tag === "Breached" ? verdict.evidence : verdict.reason
