/** `.ci/run` with every step played by a script that only records its call, so that the frame itself is judged. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import type { Files } from "./plant.ts"
import { manifest, plantAt } from "./plant.ts"

const real = path.join(import.meta.dirname, "../..")
const gateText = fs.readFileSync(path.join(real, ".ci/run"), "utf8")
const report = (cases: string) => `<testsuites failures="0" errors="0"><testsuite>${cases}</testsuite></testsuites>`
const one = '<testcase name="a"/>'
const stub = "#!/bin/sh\n"

const census = `import * as fs from "node:fs"
const [command, file] = process.argv.slice(2)
if (command === "record") fs.writeFileSync(file, "[]")
else JSON.parse(fs.readFileSync(file, "utf8"))
`

/** Steps do nothing; `./sbx test` writes a report of one passed test. */
const green: Files = {
  ".ci/run": gateText,
  "packages/core/package.json": manifest("core"),
  "packages/core/reports/junit-old.xml": report(one + one),
  sbx: `${stub}[ "$1" != test ] || { mkdir -p packages/core/reports; printf '%s' '${report(one)}' >packages/core/reports/junit.xml; }\n`,
  "node_modules/.bin/pnpm": stub,
  "node_modules/.bin/oxfmt": stub,
  "node_modules/.bin/knip": stub,
  "tooling/src/check.ts": "",
  "tooling/src/runExamples.ts": "",
  "tooling/src/leftovers.ts": census
}

const gate = (files: Files, installed = true) => {
  const root = plantAt({ ...green, ...files })
  for (const name of [".ci/run", "sbx", ...["pnpm", "oxfmt", "knip"].map((tool) => `node_modules/.bin/${tool}`)]) {
    fs.chmodSync(path.join(root, name), 0o755)
  }
  if (installed) fs.symlinkSync(process.execPath, path.join(root, "node_modules/.bin/node"))
  for (const name of ["testSummary.ts", "Reports.ts", "JUnit.ts", "Repository.ts"]) {
    fs.copyFileSync(path.join(real, "tooling/src", name), path.join(root, "tooling/src", name))
  }
  const { status, stdout, stderr } = spawnSync(path.join(root, ".ci/run"), {
    encoding: "utf8",
    env: { PATH: "/usr/bin:/bin", TMPDIR: root }
  })
  return { status, last: stdout.trimEnd().split("\n").at(-1), stderr }
}

describe("the gate", () => {
  it("ends with the counts, of this run only", () => {
    assert.deepStrictEqual(gate({}), { status: 0, last: "1 passed, 0 failed", stderr: "" })
  })

  it("is red when the set-up fails, with Node or without", () => {
    const sbx = `${stub}exit 3\n`
    assert.deepStrictEqual(gate({ sbx }, false), { status: 3, last: "0 passed, 1 failed", stderr: "" })
    const { status, last, stderr } = gate({ sbx })
    assert.notStrictEqual(status, 0)
    assert.strictEqual(last, "0 passed, 1 failed")
    assert.notInclude(stderr, "SyntaxError")
  })

  it("is red when a step fails, when no test ran, and when something is left", () => {
    assert.deepStrictEqual(gate({ "node_modules/.bin/knip": `${stub}exit 7\n` }), {
      status: 7,
      last: "0 passed, 1 failed",
      stderr: ""
    })
    assert.deepStrictEqual(gate({ sbx: stub }), { status: 1, last: "0 passed, 1 failed", stderr: "" })
    const leftovers = `${census}if (command === "compare") process.exitCode = 1\n`
    assert.deepStrictEqual(gate({ "tooling/src/leftovers.ts": leftovers }), {
      status: 1,
      last: "1 passed, 1 failed",
      stderr: ""
    })
  })

  it("is red when the summary itself breaks", () => {
    const broken = gate({ "packages/core/package.json": "no JSON" })
    assert.strictEqual(broken.last, "0 passed, 1 failed")
    assert.strictEqual(broken.status, 1)
  })
})
