import { assert, describe, it } from "vitest"
import { check } from "../src/checks/testTitles.ts"
import { clean, places, plant } from "./plant.ts"

const path = "packages/core/test/A.test.ts"
const inTest = (text: string) => places(check(plant({ [path]: text })))

describe("testTitles", () => {
  it("finds nothing in a clean repository", () => {
    assert.deepStrictEqual(check(plant(clean)), [])
  })

  for (const call of [
    'it("should heal", f)',
    'it.effect("Should heal", f)',
    "test(`this should heal ${x}`, f)",
    'describe("what it should do", f)',
    'it.effect.prop("should hold", [a], f)',
    'it.each([1, 2])("should be %i", f)'
  ]) {
    it(`reports the title of ${call}`, () => {
      assert.deepStrictEqual(inTest(`\n${call}\n`), [`${path}:2 test-title`])
    })
  }

  for (const call of [
    'it.only("heals", f)',
    'it.effect.only("heals", f)',
    'describe.skip("healing", f)',
    'test.todo("heals")',
    'it.skip.each([1])("heals", f)',
    'it("heals", (ctx) => ctx.skip())'
  ]) {
    it(`reports the switch in ${call}`, () => {
      assert.deepStrictEqual(inTest(`\n${call}\n`), [`${path}:2 test-switch`])
    })
  }

  for (const call of [
    'it.runIf(here)("heals", f)',
    'describe.skipIf(!here)("healing", f)',
    'it.effect.skipIf(a)("x", f)'
  ]) {
    it(`reports the silent condition in ${call}`, () => {
      const silent = 'console.log("skippable")\nlog("skipped: it, no engine")\n'
      assert.deepStrictEqual(inTest(`${silent}${call}\n`), [`${path}:3 test-switch`])
      assert.deepStrictEqual(inTest(`process.stderr.write(\`skipped: it, no \${engine}\`)\n${call}\n`), [])
    })
  }

  it("accepts conditions, reasons, and the words elsewhere", () => {
    const fine = [
      'if (!here) console.error("skipped: healing, no engine")',
      'it.runIf(here)("heals", f)',
      'describe.skipIf(!here)("healing", f)',
      'it("heals", (ctx) => ctx.skip("no engine"))',
      'it("shoulders the load", f)',
      'run("this should not be a title")',
      "stream.pipe(only, skip)"
    ]
    assert.deepStrictEqual(inTest(fine.join("\n")), [])
  })
})
