/**
 * What a scenario or a run came to. `unknown` is never a pass: it says why nothing could be said. The worst wins in a merge,
 * and `fail` is worse than `unknown`, because it was seen.
 */
import * as Schema from "effect/Schema"

export const Verdict = Schema.TaggedUnion({
  pass: {},
  fail: { reason: Schema.String },
  unknown: { reason: Schema.String }
})
export type Verdict = typeof Verdict.Type

export const pass: Verdict = { _tag: "pass" }
export const fail = (reason: string): Verdict => ({ _tag: "fail", reason })
export const unknown = (reason: string): Verdict => ({ _tag: "unknown", reason })

const badness: Record<Verdict["_tag"], number> = { pass: 0, unknown: 1, fail: 2 }

/** The worse of two; of equally bad ones the first, so that the earliest reason is kept. */
export const merge = (a: Verdict, b: Verdict): Verdict => (badness[b._tag] > badness[a._tag] ? b : a)

/** The worst of all. Nothing at all is unknown: a run without scenarios has shown nothing. */
export const mergeAll = (verdicts: Iterable<Verdict>): Verdict => {
  let worst: Verdict | undefined
  for (const verdict of verdicts) worst = worst === undefined ? verdict : merge(worst, verdict)
  return worst ?? unknown("nothing was judged")
}

/** Exit codes of every command. */
export const exitCodes = {
  pass: 0,
  fail: 1,
  usage: 2,
  unknown: 3,
  noEngine: 4,
  interrupted: 130
} as const

export const exitCode = (verdict: Verdict): number => exitCodes[verdict._tag]

/** For test frameworks: an unknown is a failure there, never skipped. */
export const toTestOutcome = (
  verdict: Verdict
): { readonly passed: true } | { readonly passed: false; readonly message: string } => {
  switch (verdict._tag) {
    case "pass":
      return { passed: true }
    case "fail":
      return { passed: false, message: verdict.reason }
    case "unknown":
      return { passed: false, message: `nothing could be said: ${verdict.reason}` }
  }
}
