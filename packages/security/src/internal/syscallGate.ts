/**
 * Checks whose evidence is the errno of harmless operations. A refusal counts only with the gate's own errno; an errno that
 * neither the gate nor the open kernel gives proves nothing.
 */
import type { ErrnoName } from "../Errno.ts"
import * as Errno from "../Errno.ts"
import type { BoundaryCheck } from "../BoundaryCheck.ts"
import type { CheckVerdict } from "../CheckVerdict.ts"
import { breached, held, notApplicable, notRun } from "../CheckVerdict.ts"
import type { Answer, Evidence } from "../Evidence.ts"
import { answerOf, describeAnswer } from "../Evidence.ts"
import type { Probe } from "../Probe.ts"

export interface Gate {
  readonly probe: Probe
  /** What the gate itself answers. */
  readonly gate: ReadonlyArray<ErrnoName>
  /** What the kernel behind an open gate answers to our arguments; success is always "open". */
  readonly open: ReadonlyArray<ErrnoName>
  /** What a kernel without the feature answers. */
  readonly absent: ReadonlyArray<ErrnoName>
}

type Outcome = "denied" | "open" | "absent" | "unclear"

const classify = (gate: Gate, answer: Answer): Outcome => {
  if (answer._tag === "Done" || answer._tag === "Text") return "open"
  if (answer._tag === "Unanswered") return "unclear"
  const is = (names: ReadonlyArray<ErrnoName>) => names.some((name) => Errno.numberOf(name) === answer.errno)
  if (is(gate.gate)) return "denied"
  if (is(gate.open)) return "open"
  return is(gate.absent) ? "absent" : "unclear"
}

/** Any open gate is a breach; held needs `atLeast` denials and no unclear answer; a kernel without any of it has no boundary here. */
export const judgeGates =
  (gates: ReadonlyArray<Gate>, atLeast = 1) =>
  (evidence: Evidence): CheckVerdict => {
    const asked = gates.map((gate) => {
      const answer = answerOf(evidence, gate.probe)
      return { outcome: classify(gate, answer), shown: describeAnswer(gate.probe, answer) }
    })
    const of = (outcome: Outcome) => asked.filter((one) => one.outcome === outcome).map((one) => one.shown)
    if (of("open").length > 0) return breached(of("open").join("; "))
    if (of("unclear").length > 0) return notRun(of("unclear").join("; "))
    if (of("absent").length === gates.length) return notApplicable(of("absent").join("; "))
    return of("denied").length >= atLeast
      ? held(of("denied").join("; "))
      : notRun(`only ${of("denied").length} of ${atLeast} refusals: ${of("denied").join("; ")}`)
  }

/** Fills a leaf in from its gates. */
export const gateCheck = (
  leaf: Omit<BoundaryCheck, "probes" | "judge" | "layer"> & {
    readonly gates: ReadonlyArray<Gate>
    /** Default 1. */
    readonly atLeast?: number
  }
): BoundaryCheck => {
  const { gates, atLeast, ...rest } = leaf
  return { ...rest, layer: "behaviour", probes: gates.map((gate) => gate.probe), judge: judgeGates(gates, atLeast) }
}
