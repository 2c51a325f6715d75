/** Every check against readings recorded from a real engine: it holds hardened, breaks weakened, and never holds on nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Category, judge } from "../src/BoundaryCheck.ts"
import { boundaryCheck, boundaryChecks } from "../src/BoundaryChecks.ts"
import { detailOf } from "../src/CheckVerdict.ts"
import type { Answer, Evidence } from "../src/Evidence.ts"
import { keyOf } from "../src/Probe.ts"
import { weakeningNames } from "../src/Weakening.ts"
import { golden, hardened, weakened } from "./support/golden.ts"

const expected = golden.expected
/** What the recording's kernel and engine do not have: modules, and user namespace remapping. */
const absentThere = new Set(["KRN-MODULE", "NS-USER"])

const replaced = (key: string, answer: Answer): Evidence => ({
  ...hardened,
  answers: new Map([...hardened.answers, [key, answer]])
})

describe.each(boundaryChecks.map((check) => [check.id, check] as const))("%s", (id, check) => {
  it("holds on the hardened sandbox", () => {
    const verdict = judge(check, hardened, expected)
    assert.strictEqual(verdict._tag, id === "NS-USER" ? "NotApplicable" : "Held", detailOf(verdict))
  })

  it.each(check.weakenings.map((name) => [name]))("is breached by %s", (name) => {
    const evidence = weakened(name)
    assert.isDefined(evidence, `${name} was not recorded`)
    if (evidence === undefined) return
    const verdict = judge(check, evidence, expected)
    assert.strictEqual(verdict._tag, absentThere.has(id) ? "NotApplicable" : "Breached", detailOf(verdict))
  })

  it("is not run when nothing was read", () => {
    assert.strictEqual(judge(check, { answers: new Map(), inspect: undefined }, expected)._tag, "NotRun")
  })

  it.each(check.probes.map((probe) => [keyOf(probe)]))("never holds where %s got no answer", (key) => {
    const verdict = judge(check, replaced(key, { _tag: "Unanswered", reason: "lost" }), expected)
    assert.notStrictEqual(verdict._tag, "Held")
  })

  it.each(check.probes.map((probe) => [keyOf(probe)]))("never holds where %s fails for a reason of its own", (key) => {
    // EIO and EMFILE are nobody's gate.
    for (const errno of [5, 24])
      assert.notStrictEqual(judge(check, replaced(key, { _tag: "Refused", errno }), expected)._tag, "Held")
  })

  it("is waived when the owner says so", () => {
    const verdict = judge(check, hardened, { ...expected, waivers: { [id]: "accepted" } })
    assert.deepStrictEqual(verdict, { _tag: "Waived", reason: "accepted" })
  })
})

describe("the catalogue", () => {
  it("covers all six categories with unique ids", () => {
    const ids = boundaryChecks.map((check) => check.id)
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.isAtLeast(ids.length, 18)
    const categories = new Set(boundaryChecks.map((check) => check.category))
    assert.deepStrictEqual([...categories].toSorted(), [...Category.literals].toSorted())
  })

  it("uses every weakening as the control of some check", () => {
    const used = new Set(boundaryChecks.flatMap((check) => check.weakenings))
    assert.deepStrictEqual(
      weakeningNames.filter((name) => !used.has(name)),
      []
    )
  })

  it.each([
    ["hostPid", ["NS-PID", "PROC-SIGNAL"]],
    ["writableRoot", ["FS-ROOT-RO", "FS-WRITABLE-SET"]],
    ["noMemoryLimit", ["RES-MEM", "RES-SWAP"]],
    ["newPrivileges", ["ID-NNP"]],
    ["hostCgroupns", ["NS-CGROUP"]],
    ["noPidsLimit", ["RES-PIDS"]]
  ])("reports %s by exactly the right checks", (name, ids) => {
    const evidence = weakened(name)
    const breached = boundaryChecks.filter(
      (check) => evidence !== undefined && judge(check, evidence, expected)._tag === "Breached"
    )
    assert.deepStrictEqual(breached.map((check) => check.id).toSorted(), ids.toSorted())
  })

  it("sees through a filter that is in force and allows everything", () => {
    const evidence = weakened("seccompAllowAll")
    assert.isDefined(evidence)
    const verdict = (id: string) => {
      const check = boundaryCheck(id)
      return check === undefined || evidence === undefined ? undefined : judge(check, evidence, expected)._tag
    }
    assert.strictEqual(verdict("KRN-SECCOMP-MODE"), "Held")
    assert.strictEqual(verdict("KRN-SECCOMP-EFFECT"), "Breached")
  })

  it("does not judge the host's kernel under a runtime that has its own", () => {
    const own = { ...expected, runtime: "runsc" }
    const shared = boundaryChecks.filter((check) => check.sharedKernelOnly === true)
    assert.isAbove(shared.length, 10)
    for (const check of shared) assert.strictEqual(judge(check, hardened, own)._tag, "NotApplicable", check.id)
  })

  it("does not ask for isolation where a network is declared", () => {
    const open = { ...expected, network: "connected" as const }
    const checks = boundaryChecks.filter((check) => check.isolatedNetworkOnly === true)
    assert.isAbove(checks.length, 3)
    for (const check of checks) assert.strictEqual(judge(check, hardened, open)._tag, "NotApplicable", check.id)
  })

  it("breaches a limit that is looser than declared and holds one that is tighter", () => {
    const memory = boundaryCheck("RES-MEM")
    assert.isDefined(memory)
    if (memory === undefined) return
    const of = (memoryBytes: number) => judge(memory, hardened, { ...expected, memoryBytes })._tag
    assert.strictEqual(of(268435455), "Breached")
    assert.strictEqual(of(268435457), "Held")
  })
})
