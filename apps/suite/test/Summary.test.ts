import { assert, describe, it } from "@effect/vitest"
import * as RunReport from "@sbx/core/RunReport"
import * as Verdict from "@sbx/core/Verdict"
import * as Summary from "../src/reporting/Summary.ts"
import { events, sample } from "./support/sampleReport.ts"

const plain: Parameters<typeof Summary.closing>[2] = (_colour, text) => text

describe("a summary", () => {
  it("has the verdict and what failed first, then every scenario, then what was measured", () => {
    assert.strictEqual(
      Summary.markdown(sample),
      `# fail: 5 scenarios: 1 passed, 1 failed, 2 unknown, 1 skipped in 2.50 s

Run \`run_sample\`, seed \`42\`.

- **fail** \`a/fails\`: expected 1 \\| 2, found 3
- **unknown** \`b/unknown\`: no engine answered
- **unknown** \`b/unfinished\`: it did not finish

| verdict | scenario | time | remark |
|---|---|---:|---|
| fail | \`a/fails\` | 400 ms |  |
| unknown | \`b/unknown\` | 0 ms |  |
| unknown | \`b/unfinished\` | 0 ms |  |
| pass | \`a/passes\` | 1.23 s | 1 of 1 check |
| skip | \`b/skipped\` | 0 ms | left out: it takes long |

- \`a/fails\` said: bell , escape , nul , lone , <tag> & "quotes"
- \`a/passes\` startMillis: mean 212.346, p95 260
`
    )
  })

  it("stays on one screen, and says what it cut", () => {
    const names = Array.from({ length: 200 }, (_, i) => `many/s${i}`)
    const many = RunReport.fromEvents([
      { _tag: "RunStarted", atMillis: 0, runId: "run_many", seed: "1", scenarios: names },
      ...names.map(
        (scenario) =>
          ({
            _tag: "ScenarioFinished",
            atMillis: 1,
            scenario,
            verdict: scenario.endsWith("7") ? Verdict.fail("x".repeat(500)) : Verdict.pass,
            durationMillis: 1,
            artefacts: []
          }) as const
      )
    ])
    const lines = Summary.markdown(many).split("\n")
    assert.isAtMost(lines.length, 55)
    assert.isTrue(lines.every((line) => line.length < 160))
    assert.match(lines.find((line) => line.startsWith("- **fail**")) ?? "", /s7/)
    assert.include(Summary.markdown(many), "177 more in report.json")
  })

  it("closes a run on the terminal with its verdict last but for the place of the reports", () => {
    const lines = Summary.closing(sample, "/somewhere", plain).split("\n")
    assert.deepStrictEqual(lines.slice(-2), [
      "fail    5 scenarios: 1 passed, 1 failed, 2 unknown, 1 skipped in 2.50 s",
      "seed 42, reports in /somewhere"
    ])
  })

  it("says that a run was interrupted", () => {
    const interrupted = RunReport.fromEvents([
      ...events.slice(0, 6),
      { _tag: "RunInterrupted", atMillis: 1_700_000_001_000, reason: "the run was interrupted" }
    ])
    assert.include(Summary.markdown(interrupted), "**interrupted**")
    assert.include(Summary.closing(interrupted, "/x", plain), "(interrupted)")
  })

  it("gives a verdict its reason on lines of its own, and none to a pass", () => {
    const of = (name: string) => {
      const found = sample.scenarios.find((one) => one.name === name)
      assert.isDefined(found)
      return Summary.verdictLines(found, plain)
    }
    assert.strictEqual(of("a/passes"), "pass    a/passes 1.23 s")
    assert.strictEqual(of("b/skipped"), "skip    b/skipped 0 ms\n        it takes long")
    assert.strictEqual(of("b/unknown"), "unknown b/unknown 0 ms\n        no engine answered")
  })
})
