import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import * as Checks from "../src/Checks.ts"
import { clean, plant, plantAt } from "./plant.ts"

const main = path.join(import.meta.dirname, "../src/check.ts")
const check = (root: string) => spawnSync(process.execPath, [main, root], { encoding: "utf8" })

describe("check", () => {
  it("passes a clean repository and says what it saw", () => {
    const run = check(plantAt(clean))
    assert.strictEqual(run.stderr, "")
    assert.strictEqual(
      run.stdout,
      "2 packages, 2 sources: median 3 lines, 95th percentile 3, longest packages/journal/src/Journal.ts (3)\nno findings\n"
    )
    assert.strictEqual(run.status, 0)
  })

  it("prints findings in order and exits 1", () => {
    const run = check(
      plantAt({
        ...clean,
        "packages/core/src/internal/bad.ts": "// Bad.\nexport const a = (b: any) => b\n",
        "packages/core/src/B.ts": "export const b = 1\n"
      })
    )
    assert.deepStrictEqual(run.stdout.split("\n").slice(0, 2), [
      "packages/core/src/B.ts:1 file-header begin with a comment: what it is for, what it refuses",
      "packages/core/src/internal/bad.ts:2 any any turns the types off; use unknown and narrow it"
    ])
    assert.match(run.stdout, /\n2 findings\n$/)
    assert.strictEqual(run.status, 1)
  })

  it("fails where there is nothing to check", () => {
    const run = check(plantAt({ "README.md": "# Empty\n" }))
    assert.match(run.stdout, /^no sources below /m)
    assert.strictEqual(run.status, 1)
  })

  it("reports a source that does not parse", () => {
    const findings = Checks.run(plant({ ...clean, "packages/core/src/internal/odd.ts": "// Odd.\nconst = (\n" }))
    assert.deepStrictEqual(
      findings.map((finding) => finding.rule),
      ["syntax"]
    )
  })

  it("skips dependencies, products, binaries and the bad fixtures", () => {
    const bad = "export const a: any = 1\n"
    const files = {
      ...clean,
      "packages/core/node_modules/x/index.ts": bad,
      "packages/core/dist/index.js": bad,
      "packages/core/reports/index.ts": bad,
      "tooling/fixtures/bad/index.ts": bad,
      "packages/core/data.bin": `\0${bad}`
    }
    assert.deepStrictEqual(Checks.run(plant(files)), [])
    const seen = Checks.run(plant({ ...clean, "packages/core/test/fixtures/a.ts": bad }))
    assert.strictEqual(seen.length, 1)
  })
})
