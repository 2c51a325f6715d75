import { assert, describe, it } from "vitest"
import { apply } from "../src/Allowances.ts"
import { check } from "../src/checks/casts.ts"
import type { Files } from "./plant.ts"
import { places, plant } from "./plant.ts"

const reason = "the library's type is wrong there"
const left = (allowances: object | string, files: Files = { "packages/core/src/A.ts": "a as B\nc as D\n" }) => {
  const repository = plant({ ...files, "tooling/allowances.json": allowances })
  return apply(repository, check(repository))
}

describe("Allowances", () => {
  it("excuse a file, a folder, or one line", () => {
    assert.deepStrictEqual(left([{ rule: "cast", path: "packages/core/src/A.ts", reason }]), [])
    assert.deepStrictEqual(left([{ rule: "cast", path: "packages/core/", reason }]), [])
    const one = left([{ rule: "cast", path: "packages/core/src/A.ts", contains: "c as", reason }])
    assert.deepStrictEqual(places(one), ["packages/core/src/A.ts:1 cast"])
  })

  it("excuse no other rule or file, and are reported when they excuse nothing", () => {
    for (const wrong of [
      { rule: "any", path: "packages/core/" },
      { rule: "cast", path: "packages/cor" }
    ]) {
      const findings = left([{ ...wrong, reason }])
      assert.deepStrictEqual(
        findings.map((finding) => finding.rule),
        ["cast", "cast", "allowance"]
      )
      assert.include(findings[2]?.message, "excuses nothing")
    }
  })

  it("need a reason", () => {
    for (const entry of [{ rule: "cast", path: "packages/" }, { rule: "cast", path: "packages/", reason: "ok" }, 7]) {
      assert.include(left([entry])[2]?.message, "needs rule, path and a reason")
    }
    assert.include(left({})[2]?.message, "it is no list")
  })
})
