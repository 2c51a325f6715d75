/**
 * A boundary check as a leaf: data, then a pure decision. It never touches an engine; the audit runs its probes in one batch
 * with those of all other checks and hands it the evidence.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { CheckVerdict } from "./CheckVerdict.ts"
import { notApplicable, notRun, waived } from "./CheckVerdict.ts"
import type { Evidence } from "./Evidence.ts"
import type { Expectation } from "./Expectation.ts"
import { sharesKernel } from "./Expectation.ts"
import type { Probe } from "./Probe.ts"
import type { WeakeningName } from "./Weakening.ts"

export const Category = Schema.Literals(["container", "filesystem", "network", "process", "limits", "privilege"])
export type Category = typeof Category.Type

/**
 * `behaviour`: an operation was tried. `structure`: read from /proc, mountinfo or cgroupfs inside.
 * `posture`: only what the engine says it applied; never evidence that it works.
 */
export const Layer = Schema.Literals(["behaviour", "structure", "posture"])
export type Layer = typeof Layer.Type

export const Severity = Schema.Literals(["critical", "high", "medium", "low"])
export type Severity = typeof Severity.Type

/** MITRE ATT&CK technique ids and items of the CIS Docker Benchmark v1.6.0. */
export const Mapping = Schema.Struct({ mitre: Schema.Array(Schema.String), cis: Schema.Array(Schema.String) })
export type Mapping = typeof Mapping.Type

export interface BoundaryCheck {
  /** Stable, e.g. `KRN-SECCOMP-EFFECT`; never renamed. */
  readonly id: string
  readonly category: Category
  readonly layer: Layer
  readonly severity: Severity
  readonly maps: Mapping
  readonly description: string
  /** What to run inside. Empty for posture. */
  readonly probes: ReadonlyArray<Probe>
  /** Pure, total, and never `Held` on a missing reading. */
  readonly judge: (evidence: Evidence, expected: Expectation) => CheckVerdict
  /** Weakenings of the hardened profile that turn it to `Breached`: its positive controls, tried in order until one fires. */
  readonly weakenings: readonly [WeakeningName, ...ReadonlyArray<WeakeningName>]
  /** Only meaningful where sandbox and host share a kernel. Default false. */
  readonly sharedKernelOnly?: boolean
  /** Only meaningful where no network is declared. Default false. */
  readonly isolatedNetworkOnly?: boolean
}

type Judgement = Generator<Result.Result<unknown, CheckVerdict>, CheckVerdict, never>

/** Writes a judge as a generator: `yield*` of a reading that is missing ends it with that reading's own verdict. */
export const judging =
  (body: (evidence: Evidence, expected: Expectation) => Judgement): BoundaryCheck["judge"] =>
  (evidence, expected) =>
    Result.merge(Result.gen(() => body(evidence, expected)))

/** The check's verdict on the evidence, with waivers and the runtime's limits taken into account. */
export const judge = (check: BoundaryCheck, evidence: Evidence, expected: Expectation): CheckVerdict => {
  const waiver = expected.waivers[check.id]
  if (waiver !== undefined) return waived(waiver)
  if (check.sharedKernelOnly === true && !sharesKernel(expected))
    return notApplicable(`runtime ${expected.runtime} does not share the host's kernel`)
  if (check.isolatedNetworkOnly === true && expected.network !== "none") return notApplicable("a network is declared")
  if (check.layer === "posture" && evidence.inspect === undefined) return notRun("the engine was not asked")
  return check.judge(evidence, expected)
}
