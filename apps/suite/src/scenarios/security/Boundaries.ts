/**
 * The hardened sandbox under every check, and weakened ones under the same checks: a boundary counts as held only where its control
 * fired on this engine. The weakened sandboxes are the dangerous part, so this runs on the private engine only.
 */
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Verdict from "@sbx/core/Verdict"
import { Engine } from "@sbx/engine/Engine"
import * as AuditReport from "@sbx/security/AuditReport"
import { BoundaryAudit } from "@sbx/security/BoundaryAudit"
import { detailOf } from "@sbx/security/CheckVerdict"
import * as Expectation from "@sbx/security/Expectation"
import type { WeakeningName } from "@sbx/security/Weakening"
import * as Effect from "effect/Effect"
import { Images } from "../../Images.ts"

/** The check that must report each weakened sandbox; others may as well. */
export const rightCheck = {
  privileged: "CAP-BOUNDING",
  hostPid: "NS-PID",
  writableRoot: "FS-ROOT-RO",
  noMemoryLimit: "RES-MEM",
  seccompUnconfined: "KRN-SECCOMP-MODE"
} satisfies Partial<Record<WeakeningName, string>>

const weakenings: ReadonlyArray<keyof typeof rightCheck> = [
  "privileged",
  "hostPid",
  "writableRoot",
  "noMemoryLimit",
  "seccompUnconfined"
]

type Judged = readonly [what: string, verdict: Verdict.Verdict]

/** One finding per weakened sandbox: breached by the right check, or what was seen instead. */
export const judgeWeakened = (controls: ReadonlyArray<AuditReport.ControlResult>): ReadonlyArray<Judged> =>
  weakenings.map((weakening) => {
    const checkId = rightCheck[weakening]
    const what = `${weakening} is reported by ${checkId}`
    const outcome = controls.find((control) => control.weakening === weakening)?.outcome
    if (outcome === undefined) return [what, Verdict.fail("it was not tried")]
    if (outcome._tag !== "Ran") return [what, Verdict.unknown(outcome.reason)]
    const verdict = outcome.verdicts[checkId]
    if (verdict?._tag === "Breached") return [what, Verdict.pass]
    return [
      what,
      Verdict.fail(verdict === undefined ? "the check is missing" : `${verdict._tag}: ${detailOf(verdict)}`)
    ]
  })

/** An audit that holds fewer has lost its probes, not its subject. */
const leastHeld = 15
const categories = ["container", "filesystem", "limits", "network", "privilege", "process"] as const

const checked = (what: string, holds: boolean, expected: string, actual: string): Judged => [
  what,
  holds ? Verdict.pass : Verdict.fail(`${what}: expected ${expected}, found ${actual}`)
]

/** Breached is a fail, not run is unknown, and so few checks that held would be no audit at all. The rest is not counted. */
export const judgeHardened = (findings: AuditReport.AuditReport["findings"]): ReadonlyArray<Judged> => {
  const card = AuditReport.scorecard(findings)
  const held = new Set<string>(
    findings.filter(({ verdict }) => verdict._tag === "Held").map(({ category }) => category)
  )
  const absent = categories.filter((category) => !held.has(category))
  return [
    ...findings.flatMap(({ checkId, verdict }): ReadonlyArray<Judged> => {
      const detail = detailOf(verdict)
      if (verdict._tag === "Breached") return [[`hardened: ${checkId}`, Verdict.fail(detail)]]
      return verdict._tag === "NotRun" ? [[`hardened: ${checkId}`, Verdict.unknown(`${checkId}: ${detail}`)]] : []
    }),
    checked("the hardened sandbox breaches nothing", card.Breached === 0, "0", String(card.Breached)),
    checked(`at least ${leastHeld} checks held`, card.Held >= leastHeld, `${leastHeld} or more`, String(card.Held)),
    checked(
      "every category has a check with power that held",
      absent.length === 0,
      categories.join(", "),
      `none of ${absent.join(", ")}`
    )
  ]
}

const program = Effect.gen(function* () {
  const { artefact, evidence, finding, name, step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const audit = yield* BoundaryAudit
  const engine = yield* Engine
  const image = yield* (yield* Images).reference("base")
  const sandbox = yield* step("create", sandboxes.make({ image }))
  const expected = Expectation.fromSpec(sandbox.spec, yield* engine.info)
  const options = { expected, sandbox: sandbox.spec, weakenings, labels: { "sbx.scenario": name } }
  const report = yield* step("audit", audit.auditWithControls(sandbox, options))
  yield* artefact("audit.json", JSON.stringify(report, undefined, 2))
  yield* evidence("hardened", { ...AuditReport.scorecard(report.findings) })
  for (const [what, verdict] of [...judgeHardened(report.findings), ...judgeWeakened(report.controls)]) {
    yield* finding(what, verdict)
  }
  yield* evidence("weakened", Object.fromEntries(AuditReport.matrix(report.controls)))
})

export const boundaries = Scenario.make(
  "security/boundaries",
  {
    description: "the hardened sandbox holds every check that has power; weakened ones are reported by the right check",
    tags: ["smoke"],
    images: ["base"],
    dangerous: true,
    timeout: "90 seconds"
  },
  program
)
