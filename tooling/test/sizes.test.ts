import { assert, describe, it } from "vitest"
import { check, report } from "../src/checks/sizes.ts"
import { clean, places, plant } from "./plant.ts"

const lines = (count: number, line = "x()") => Array.from({ length: count }, () => line).join("\n")
const inFile = (text: string, path = "packages/core/src/A.ts") => check(plant({ [path]: text }))

describe("sizes", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  it("reports a file above 500 lines and not one of 500", () => {
    const path = "packages/core/test/A.ts"
    assert.deepStrictEqual(inFile(`${lines(500)}\n`, path), [])
    assert.deepStrictEqual(places(inFile(`${lines(501)}\n`, path)), [`${path}:1 size`])
  })

  const shapes: ReadonlyArray<readonly [string, string, string, string]> = [
    ["a declaration", "function big() {", "}", "big"],
    ["an arrow", "export const big = () => {", "}", "in big"],
    ["a generator", "export const big = Effect.gen(function* () {", "})", "in big"],
    ["a method", "export const a = { big() {", "} }", "in big"],
    ["a class method", "export class A { big() {", "} }", "in big"],
    ["a callback", "run(() => {", "})", "without a name"]
  ]
  for (const [title, open, close, name] of shapes) {
    it(`reports ${title} above 70 lines and not one of 70`, () => {
      assert.deepStrictEqual(inFile(`${open}\n${lines(68)}\n${close}\n`), [])
      const findings = inFile(`// é𝄞 before it\n${open}\n${lines(69)}\n${close}\n`)
      assert.deepStrictEqual(places(findings), ["packages/core/src/A.ts:2 size"])
      assert.strictEqual(findings[0]?.message, `function ${name} has 71 lines, limit 70`)
    })
  }

  it("exempts what registers tests, but not a test's body", () => {
    const path = "packages/core/test/A.test.ts"
    const many = lines(40, 'it("a", () => {\nx()\n})')
    assert.deepStrictEqual(inFile(`describe("a", () => {\n${many}\n})\n`, path), [])
    assert.deepStrictEqual(inFile(`for (const a of b) describe("a", () => {\nif (a) {\n${many}\n}\n})\n`, path), [])
    const body = inFile(`describe("a", () => {\nit("b", () => {\n${lines(69)}\n})\n})\n`, path)
    assert.deepStrictEqual(places(body), [`${path}:2 size`])
  })

  it("reports a median above 120 and a 95th percentile above 350", () => {
    const files = Object.fromEntries(
      [100, 121, 360].map((count, index) => [`packages/core/src/F${index}.ts`, `${lines(count)}\n`])
    )
    const repository = plant({ ...files, "packages/core/test/T.ts": lines(400) })
    assert.deepStrictEqual(report(repository), {
      files: 3,
      median: 121,
      percentile95: 360,
      longest: "packages/core/src/F2.ts (360)"
    })
    assert.deepStrictEqual(
      check(repository).map((finding) => finding.message),
      ["median of 3 sources is 121 lines, limit 120", "95th percentile of 3 sources is 360 lines, limit 350"]
    )
  })
})
