import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { count } from "../src/JUnit.ts"
import type { Files } from "./plant.ts"
import { manifest, plantAt } from "./plant.ts"

const main = path.join(import.meta.dirname, "../src/testSummary.ts")
const summary = (files: Files, ...code: ReadonlyArray<string>) => {
  const run = spawnSync(process.execPath, [main, plantAt(files), ...code], { encoding: "utf8" })
  return { stdout: run.stdout, status: run.status }
}

const passed = '<testcase name="a &gt; b" time="1"></testcase>'
const failed = '<testcase name="c"><failure message="x &lt; y"><![CDATA[<testcase/>]]></failure></testcase>'
const errored = '<testcase name="d"><error message="x"/></testcase>'
const skipped = '<testcase name="e"><skipped/></testcase>'
const xml = (cases: ReadonlyArray<string>, failures = 0) =>
  `<?xml version="1.0"?><testsuites tests="9" failures="${failures}" errors="0"><testsuite>${cases.join("\n")}</testsuite></testsuites>\n`

const core = { "packages/core/package.json": manifest("core") }
const report = "packages/core/reports/junit.xml"

describe("testSummary", () => {
  it("counts by outcome and is not fooled by what tests print", () => {
    const printed = `<testcase name="f"><system-out><![CDATA[<testcase><failure/></testcase>]]></system-out></testcase>`
    assert.deepStrictEqual(count(xml([passed, failed, errored, skipped, printed, '<testcase name="g"/>'], 1)), {
      passed: 3,
      failed: 2,
      skipped: 1,
      skips: ["e"]
    })
  })

  it("believes the head when it knows of more failures", () => {
    assert.deepStrictEqual(count(xml([passed], 2)), { passed: 1, failed: 2, skipped: 0, skips: [] })
  })

  it("gives nothing for a report cut short, or none at all", () => {
    for (const text of ["", "<html/>", xml([passed]).slice(0, -5)]) assert.isUndefined(count(text))
  })

  it("adds all packages up and passes", () => {
    const files = {
      ...core,
      [report]: xml([passed, passed]),
      "tooling/package.json": manifest("tooling"),
      "tooling/reports/junit.xml": xml([passed]),
      "tooling/reports/junit-engine.xml": xml([passed]),
      "packages/bare/package.json": { name: "@sbx/bare" }
    }
    assert.deepStrictEqual(summary(files), { stdout: "4 passed, 0 failed\n", status: 0 })
  })

  it("names skipped tests, with the reason where it is known, on the line before the last", () => {
    const reasoned = '<testcase name="a &gt; f"><skipped message="no python &amp; no perl"/></testcase>'
    const files = { ...core, [report]: xml([passed, skipped, reasoned]) }
    assert.deepStrictEqual(summary(files), {
      stdout: "2 skipped: e; a > f: no python & no perl\n1 passed, 0 failed\n",
      status: 0
    })
  })

  it("fails on failed tests", () => {
    const files = { ...core, [report]: xml([passed, failed, skipped]) }
    assert.deepStrictEqual(summary(files), { stdout: "1 skipped: e\n1 passed, 1 failed\n", status: 1 })
  })

  it("counts what else is red as one failure, and adds none to failed tests", () => {
    assert.deepStrictEqual(summary({ ...core, [report]: xml([passed]) }, "3"), {
      stdout: "1 passed, 1 failed\n",
      status: 1
    })
    assert.strictEqual(summary({ ...core, [report]: xml([passed, failed]) }, "3").stdout, "1 passed, 1 failed\n")
    assert.strictEqual(summary({ ...core, [report]: xml([passed]) }, "0").stdout, "1 passed, 0 failed\n")
  })

  it("fails on no tests, on skipped tests only, and on a missing or cut report", () => {
    assert.deepStrictEqual(summary({ ...core, [report]: xml([]) }), { stdout: "0 passed, 1 failed\n", status: 1 })
    assert.strictEqual(summary({ ...core, [report]: xml([skipped]) }).status, 1)
    assert.deepStrictEqual(summary(core), {
      stdout: "packages/core has no test report\n0 passed, 1 failed\n",
      status: 1
    })
    const cut = { ...core, [report]: xml([passed]), "packages/core/reports/junit-2.xml": "<testsuites>" }
    assert.deepStrictEqual(summary(cut), {
      stdout: "packages/core/reports/junit-2.xml is incomplete\n1 passed, 1 failed\n",
      status: 1
    })
  })
})
