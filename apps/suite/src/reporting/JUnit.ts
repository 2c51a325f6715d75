/**
 * A run as JUnit XML, the dialect of Surefire that CI systems read: a suite per category, a case per scenario. A fail is a
 * `failure`, an unknown an `error`, never a pass; evidence goes to `properties`, steps to `system-out`.
 */
import type { RunReport, ScenarioReport } from "@sbx/core/RunReport"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { create } from "xmlbuilder2"
import type { XMLBuilder } from "xmlbuilder2/lib/interfaces.js"
import { printable } from "../internal/printable.ts"

const seconds = (millis: number): string => (millis / 1000).toFixed(3)

const countOf = (scenarios: ReadonlyArray<ScenarioReport>) => ({
  tests: scenarios.length,
  failures: scenarios.filter(({ verdict }) => verdict._tag === "fail").length,
  errors: scenarios.filter(({ status, verdict }) => status !== "skipped" && verdict._tag === "unknown").length,
  skipped: scenarios.filter(({ status }) => status === "skipped").length
})

const totalMillis = (scenarios: ReadonlyArray<ScenarioReport>): number =>
  scenarios.reduce((sum, { durationMillis }) => sum + durationMillis, 0)

const timestamp = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis)).slice(0, 19)

export const make = (report: RunReport): string => {
  const root = create({ version: "1.0", encoding: "UTF-8" }).ele("testsuites", {
    name: report.runId,
    ...countOf(report.scenarios),
    time: seconds(report.durationMillis)
  })
  const categories = Map.groupBy(report.scenarios, ({ name }) => name.slice(0, name.indexOf("/")))
  for (const [category, scenarios] of categories) {
    const startedAt = Math.min(...scenarios.map((one) => one.startedAtMillis ?? report.startedAtMillis))
    const suite = root.ele("testsuite", {
      name: printable(category),
      ...countOf(scenarios),
      time: seconds(totalMillis(scenarios)),
      timestamp: timestamp(startedAt)
    })
    properties(suite, { runId: report.runId, seed: report.seed })
    for (const scenario of scenarios) testCase(suite, category, scenario)
  }
  return `${root.end({ prettyPrint: true })}\n`
}

const testCase = (suite: XMLBuilder, category: string, scenario: ScenarioReport): void => {
  const test = suite.ele("testcase", {
    classname: printable(category),
    name: printable(scenario.name),
    time: seconds(scenario.durationMillis)
  })
  properties(test, { ...(scenario.seed === undefined ? {} : { seed: scenario.seed }), ...scenario.evidence })
  if (scenario.status === "skipped") {
    test.ele("skipped", { message: printable(scenario.reason ?? "") })
  } else if (scenario.verdict._tag !== "pass") {
    const { _tag, reason } = scenario.verdict
    const [headline = ""] = reason.split("\n")
    test.ele(_tag === "fail" ? "failure" : "error", { message: printable(headline), type: _tag }).txt(printable(reason))
  }
  const lines = scenario.steps.map((step) => {
    const line = `${step.outcome} ${step.name} (${seconds(step.durationMillis)} s)`
    return step.reason === undefined ? line : `${line}: ${step.reason}`
  })
  if (lines.length > 0) test.ele("system-out").txt(printable(lines.join("\n")))
}

const encode = Schema.encodeSync(Schema.fromJsonString(Schema.Json))

const properties = (parent: XMLBuilder, values: Readonly<Record<string, Schema.Json>>): void => {
  const entries = Object.entries(values)
  if (entries.length === 0) return
  const element = parent.ele("properties")
  for (const [name, value] of entries) {
    element.ele("property", {
      name: printable(name),
      value: printable(typeof value === "string" ? value : encode(value))
    })
  }
}
