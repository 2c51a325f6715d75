import { assert, describe, it } from "@effect/vitest"
import * as RunReport from "@sbx/core/RunReport"
import * as RunJson from "../src/reporting/RunJson.ts"
import { events, sample } from "./support/sampleReport.ts"

describe("run --json", () => {
  it("never calls a skipped scenario passed", () => {
    const skipped = RunJson.make(sample).scenarios.find(({ name }) => name === "b/skipped")
    assert.deepStrictEqual(skipped, {
      name: "b/skipped",
      verdict: "unknown",
      reason: "skipped: it takes long",
      durationMillis: 0
    })
    const reported = sample.scenarios.find(({ name }) => name === "b/skipped")
    assert.deepStrictEqual([reported?.status, reported?.verdict._tag], ["skipped", "unknown"])
  })

  it("gives the reason of each scenario that did not pass", () => {
    assert.deepStrictEqual(
      RunJson.make(RunReport.fromEvents(events)).scenarios.map(({ verdict, reason }) => [
        verdict,
        reason?.split("\n")[0]
      ]),
      [
        ["pass", undefined],
        ["fail", "expected 1 | 2,"],
        ["unknown", "no engine answered"],
        ["unknown", "skipped: it takes long"],
        ["unknown", "it did not finish"]
      ]
    )
  })
})
