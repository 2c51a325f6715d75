import { assert, describe, it } from "vitest"
import { check } from "../src/checks/casts.ts"
import { clean, places, plant } from "./plant.ts"

const inFile = (text: string, path = "packages/core/src/A.ts") => places(check(plant({ [path]: text })))
const test = "packages/core/test/A.test.ts"

describe("casts", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  for (const [code, rule] of [
    ["export const a = (b: any) => b", "any"],
    ["export type A = Array<any>", "any"],
    ["export const a = b as unknown as string", "double-cast"],
    ["export const a = b as never as string", "double-cast"],
    ["// @ts-ignore", "suppression"],
    ["/* @ts-nocheck */", "suppression"]
  ] as const) {
    it(`reports ${code} anywhere`, () => {
      assert.deepStrictEqual(inFile(`\n${code}\n`), [`packages/core/src/A.ts:2 ${rule}`])
      assert.deepStrictEqual(inFile(`\n${code}\n`, test), [`${test}:2 ${rule}`])
    })
  }

  it("reports each hole of `as any`", () => {
    assert.deepStrictEqual(inFile("a = b as any"), ["packages/core/src/A.ts:1 cast", "packages/core/src/A.ts:1 any"])
  })

  it("reports plain assertions in sources, not in tests and adapters", () => {
    const code = "export const a = b as string"
    assert.deepStrictEqual(inFile(code), ["packages/core/src/A.ts:1 cast"])
    assert.deepStrictEqual(inFile(code, test), [])
    assert.deepStrictEqual(inFile(`import "node:sqlite"\n${code}`), [])
  })

  it("accepts const, satisfies, the words in text, and an expected error in a test", () => {
    const fine = ["const a = [1] as const", "const b = 1 satisfies number", "const c = 'as any'", "// any as any: fine"]
    assert.deepStrictEqual(inFile(fine.join("\n")), [])
    assert.deepStrictEqual(inFile("// @ts-expect-error: refused", test), [])
    assert.deepStrictEqual(inFile("// @ts-expect-error: refused"), ["packages/core/src/A.ts:1 suppression"])
  })
})
