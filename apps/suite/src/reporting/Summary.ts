/**
 * A run on one screen: as Markdown for `summary.md` (also a CI step summary) and as lines for the terminal. What went wrong
 * comes first and is cut last; what is cut says so.
 */
import type { RunReport, ScenarioReport } from "@sbx/core/RunReport"
import type * as Schema from "effect/Schema"
import { printable } from "../internal/printable.ts"
import type { Paint } from "../internal/screen.ts"

/** Of `summary.md`, in lines: a screen, so no scrolling to the verdict. */
const limits = { reasons: 8, rows: 24, figures: 16, width: 110 }
/** Of one scenario, in the order in which it recorded them. */
const figuresEach = 2

const badness = { fail: 0, unknown: 1, pass: 2, skip: 3 } as const
const colours = { fail: "red", unknown: "yellow", pass: "green" } as const

/** Worst first, what was left out last; of equal ones, in the order of the run. */
const worstFirst = (scenarios: ReadonlyArray<ScenarioReport>): ReadonlyArray<ScenarioReport> =>
  [...scenarios].sort((a, b) => badness[word(a)] - badness[word(b)])

const word = ({ status, verdict }: ScenarioReport): keyof typeof badness =>
  status === "skipped" ? "skip" : verdict._tag

export const duration = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(millis < 10_000 ? 2 : 1)} s`

const cut = (text: string, width: number): string => {
  const clean = printable(text)
  return clean.length <= width ? clean : `${clean.slice(0, width - 1)}…`
}

const firstLine = (text: string): string => text.split("\n")[0] ?? ""

/** `8 scenarios: 6 passed, 1 failed, 1 unknown in 21.4 s`. */
const counts = (report: RunReport): string => {
  const ran = report.scenarios.filter(({ status }) => status !== "skipped")
  const of = (tag: "pass" | "fail" | "unknown") => ran.filter(({ verdict }) => verdict._tag === tag).length
  const skipped = report.scenarios.length - ran.length
  const parts = [
    `${of("pass")} passed`,
    ...(of("fail") > 0 ? [`${of("fail")} failed`] : []),
    ...(of("unknown") > 0 ? [`${of("unknown")} unknown`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : [])
  ]
  const noun = report.scenarios.length === 1 ? "scenario" : "scenarios"
  return `${report.scenarios.length} ${noun}: ${parts.join(", ")} in ${duration(report.durationMillis)}`
}

const figure = (value: Schema.Json): string => {
  if (typeof value === "number") return String(Math.round(value * 1000) / 1000)
  if (typeof value === "string") return value
  if (Array.isArray(value)) return value.map(figure).join("; ")
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([key, item]) => `${key} ${figure(item ?? null)}`)
      .join(", ")
  }
  return String(value)
}

/** What was measured first, one line a figure: `startMillis: mean 212, p95 260`. All of it is in report.json. */
const figures = (scenario: ScenarioReport): ReadonlyArray<string> =>
  Object.entries(scenario.evidence)
    .slice(0, figuresEach)
    .map(([key, value]) => cut(`${key}: ${figure(value)}`, limits.width))

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

const bounded = (lines: ReadonlyArray<string>, limit: number, more: (left: number) => string): ReadonlyArray<string> =>
  lines.length <= limit ? lines : [...lines.slice(0, limit - 1), more(lines.length - limit + 1)]

export const markdown = (report: RunReport): string => {
  const scenarios = worstFirst(report.scenarios)
  const bad = scenarios.filter(({ status, verdict }) => status !== "skipped" && verdict._tag !== "pass")
  const reasons = bad.map(
    (one) => `- **${word(one)}** \`${one.name}\`: ${cut(cell(one.reason ?? reasonOf(one)), limits.width)}`
  )
  const rows = scenarios.map(
    (one) => `| ${word(one)} | \`${one.name}\` | ${duration(one.durationMillis)} | ${cell(remark(one))} |`
  )
  const measured = scenarios.flatMap((one) => figures(one).map((line) => `- \`${one.name}\` ${line}`))
  return [
    `# ${report.verdict._tag}: ${counts(report)}`,
    "",
    `Run \`${report.runId}\`, seed \`${report.seed}\`${report.interrupted ? ", **interrupted**" : ""}.`,
    ...(reasons.length === 0 ? [] : ["", ...bounded(reasons, limits.reasons, (left) => `- … ${left} more below`)]),
    "",
    "| verdict | scenario | time | remark |",
    "|---|---|---:|---|",
    ...bounded(rows, limits.rows, (left) => `| … | ${left} more in report.json | | |`),
    ...(measured.length === 0
      ? []
      : ["", ...bounded(measured, limits.figures, (left) => `- … ${left} more in report.json`)]),
    ""
  ].join("\n")
}

const reasonOf = ({ verdict }: ScenarioReport): string => (verdict._tag === "pass" ? "" : verdict.reason)

const remark = (scenario: ScenarioReport): string => {
  if (scenario.status === "skipped") return cut(`left out: ${scenario.reason ?? ""}`, 60)
  const judged = scenario.findings.length
  const held = scenario.findings.filter(({ verdict }) => verdict._tag === "pass").length
  return judged === 0 ? "" : `${held} of ${judged} ${judged === 1 ? "check" : "checks"}`
}

/** A scenario's verdict as lines: the verdict, then why it is none. */
export const verdictLines = (
  one: Pick<ScenarioReport, "name" | "status" | "verdict" | "durationMillis" | "reason">,
  paint: Paint
): string => {
  const said = one.status === "skipped" ? "skip" : one.verdict._tag
  const tag = paint(one.status === "skipped" ? "dim" : colours[one.verdict._tag], said.padEnd(7))
  const reason = one.status === "skipped" || one.verdict._tag === "pass" ? one.reason : one.verdict.reason
  const why =
    reason === undefined
      ? []
      : printable(reason)
          .split("\n")
          .map((line) => `        ${line}`)
  return [`${tag} ${one.name} ${paint("dim", duration(one.durationMillis))}`, ...why].join("\n")
}

/** The end of a run on the terminal; `folder` is where the reports lie. */
export const closing = (report: RunReport, folder: string, paint: Paint): string => {
  const measured = report.scenarios.flatMap((one) => figures(one).map((line) => `  ${one.name}  ${line}`))
  const bad = worstFirst(report.scenarios).filter(
    ({ status, verdict }) => status !== "skipped" && verdict._tag !== "pass"
  )
  const { verdict } = report
  return [
    "",
    ...bounded(measured, limits.figures, (left) => `  … ${left} more in report.json`),
    ...(measured.length === 0 ? [] : [""]),
    ...bounded(
      bad.map(
        (one) =>
          `${paint(colours[one.verdict._tag], word(one).padEnd(7))} ${one.name}: ${cut(firstLine(reasonOf(one)), limits.width)}`
      ),
      limits.reasons,
      (left) => `… ${left} more`
    ),
    `${paint(colours[verdict._tag], paint("bold", verdict._tag.padEnd(7)))} ${counts(report)}${report.interrupted ? " (interrupted)" : ""}`,
    paint("dim", `seed ${report.seed}, reports in ${folder}`)
  ].join("\n")
}
