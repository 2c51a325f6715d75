/** Who may say "held": only a check whose control fired, read by the same vehicle. */
import { assert, describe, it } from "@effect/vitest"
import { fail, pass, unknown } from "@sbx/core/Verdict"
import * as Schema from "effect/Schema"
import * as AuditReport from "../src/AuditReport.ts"
import type { ControlResult, Finding } from "../src/AuditReport.ts"
import { matrix, scorecard, summary, verdict } from "../src/AuditReport.ts"
import { boundaryCheck, boundaryChecks } from "../src/BoundaryChecks.ts"
import type { CheckVerdict } from "../src/CheckVerdict.ts"
import { breached, held, notApplicable, notRun, waived } from "../src/CheckVerdict.ts"
import { cover, gate, powerOf } from "../src/Power.ts"

const check = boundaryCheck("KRN-SECCOMP-MODE") ?? assert.fail("no such check")
const perl = { user: "perl", root: "perl" }

const control = (weakening: string, said: CheckVerdict, vehicles: Record<string, string> = perl): ControlResult => ({
  weakening,
  outcome: { _tag: "Ran", vehicles, verdicts: { [check.id]: said } }
})
const power = (...controls: ReadonlyArray<ControlResult>) => powerOf(check, controls, perl)

describe("power", () => {
  it("is established by a control that fired", () => {
    const found = power(control("privileged", held("2")), control("seccompUnconfined", breached("0")))
    assert.deepStrictEqual(found, { _tag: "Established", weakening: "seccompUnconfined", evidence: "0" })
    assert.deepStrictEqual(gate(held("2"), found), held("2"))
  })

  it("is not established by a control that held, did not run or was not allowed", () => {
    for (const one of [
      control("privileged", held("2")),
      control("privileged", notRun("lost")),
      { weakening: "privileged", outcome: { _tag: "NotPermitted", reason: "not here" } } as const,
      { weakening: "privileged", outcome: { _tag: "NotCreatable", reason: "refused" } } as const
    ]) {
      assert.strictEqual(power(one)._tag, "None")
      assert.strictEqual(gate(held("2"), power(one))._tag, "NotRun")
    }
    assert.strictEqual(gate(held("2"), power())._tag, "NotRun")
  })

  it("is not borrowed from a weakening that the check does not name", () => {
    assert.strictEqual(power(control("hostPid", breached("0")))._tag, "None")
  })

  it("is not borrowed from another vehicle, except by posture", () => {
    const other = control("seccompUnconfined", breached("0"), { user: "sh", root: "sh" })
    assert.strictEqual(power(other)._tag, "None")
    assert.strictEqual(powerOf({ ...check, layer: "posture" }, [other], perl)._tag, "Established")
  })

  it("is absent where the control finds nothing to ask", () => {
    const found = power(control("seccompUnconfined", notApplicable("no seccomp")))
    assert.strictEqual(gate(held("2"), found)._tag, "NotApplicable")
  })

  it("is not needed to breach", () => {
    assert.deepStrictEqual(gate(breached("0"), power()), breached("0"))
  })
})

describe("cover", () => {
  it("gives every check an untried control of its own", () => {
    const names = cover(boundaryChecks, new Set())
    for (const one of boundaryChecks)
      assert.isTrue(
        one.weakenings.some((name) => names.includes(name)),
        one.id
      )
    assert.strictEqual(new Set(names).size, names.length)
    assert.deepStrictEqual(names, cover(boundaryChecks, new Set()))
  })

  it("runs what was asked for first and nothing twice", () => {
    assert.deepStrictEqual(cover([check], new Set(), ["hostPid"]), ["hostPid", "privileged"])
    assert.deepStrictEqual(cover([check], new Set(["privileged"])), ["seccompUnconfined"])
    assert.deepStrictEqual(cover([check], new Set(["privileged", "seccompUnconfined"])), [])
  })
})

const { category, description, layer, maps, severity } = check
const finding = (said: CheckVerdict): Finding => ({
  checkId: check.id,
  category,
  layer,
  severity,
  maps,
  description,
  verdict: said,
  observed: said
})
const report = (...said: ReadonlyArray<CheckVerdict>): AuditReport.AuditReport => ({
  auditId: "aud_0",
  subject: { containerId: "c", name: "n" },
  engine: { id: "e", version: "1", kernelVersion: "6", cgroupVersion: "2", runtime: "runc" },
  vehicles: perl,
  refusedVehicles: [],
  findings: said.map(finding),
  controls: [control("privileged", breached("0")), control("hostPid", held("2"))],
  durationMillis: 1
})

describe("a report", () => {
  it("passes when all that counts is held", () => {
    assert.deepStrictEqual(verdict(report(held("2"), notApplicable("x"), waived("y"))), pass)
  })

  it("fails on a breach, is unknown on a check that did not run, and worst wins", () => {
    assert.deepStrictEqual(verdict(report(held("2"), notRun("lost"))), unknown(`${check.id}: lost`))
    assert.deepStrictEqual(verdict(report(notRun("lost"), breached("0"))), fail(`${check.id}: 0`))
  })

  it("is unknown when nothing counts", () => {
    assert.strictEqual(verdict(report(waived("all of it")))._tag, "unknown")
  })

  it("survives being written and read as JSON", () => {
    const codec = Schema.fromJsonString(AuditReport.AuditReport)
    const one = report(held("2"), breached("0"))
    assert.deepStrictEqual(Schema.decodeSync(codec)(Schema.encodeSync(codec)(one)), one)
  })

  it("counts, lists and shows which weakening breached what", () => {
    const one = report(held("2"), breached("0"), notRun("lost"))
    assert.deepStrictEqual(scorecard(one.findings), { Held: 1, Breached: 1, NotRun: 1, NotApplicable: 0, Waived: 0 })
    assert.deepStrictEqual(
      [...matrix(one.controls)],
      [
        ["privileged", [check.id]],
        ["hostPid", []]
      ]
    )
    assert.match(summary(one), /Breached KRN-SECCOMP-MODE \(critical\): 0\n.*\n1 held, 1 breached, 1 not run/)
  })
})
