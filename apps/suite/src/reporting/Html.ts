/**
 * A run as one page, `report.html`: verdicts, and what each sandbox used over time with its faults and alerts. Self-contained: no
 * scripts, nothing fetched; legible in light and dark, by eye and by ear.
 */
import type { RunReport, ScenarioReport } from "@sbx/core/RunReport"
import type { ContainerMetric } from "@sbx/monitor/ContainerSampler"
import type { StoredItem } from "@sbx/monitor/SampleStore"
import { type Mark, type Point, timeSeriesSvg } from "@sbx/monitor/TimeSeriesSvg"
import { printable } from "../internal/printable.ts"
import { bytes, bytesPerSecond, cores, count } from "../internal/quantities.ts"
import { duration } from "./Summary.ts"
import type { SandboxTimeline, Timeline } from "./Timeline.ts"

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
const text = (value: string): string => printable(value).replace(/[&<>"']/g, (character) => entities[character] ?? "")

interface Chart {
  readonly metric: ContainerMetric
  readonly title: string
  readonly format: (value: number) => string
}

const charts: ReadonlyArray<Chart> = [
  { metric: "cpuCores", title: "cpu, cores", format: cores },
  { metric: "memoryBytes", title: "memory, working set", format: bytes },
  { metric: "pids", title: "tasks", format: count },
  { metric: "networkRxBytesPerSecond", title: "network in", format: bytesPerSecond },
  { metric: "networkTxBytesPerSecond", title: "network out", format: bytesPerSecond },
  { metric: "blockWriteBytesPerSecond", title: "disk written", format: bytesPerSecond }
]

const style = [
  ":root{color-scheme:light dark}",
  "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}",
  "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8886;vertical-align:top}",
  "td.time{text-align:right;white-space:nowrap}code{font-size:.95em}",
  ".pass{color:#1b6e2c}.fail{color:#b3261e}.unknown{color:#8a5a00}.skip{color:#666}",
  "@media (prefers-color-scheme:dark){.pass{color:#7fd48f}.fail{color:#ff8a80}.unknown{color:#ffc857}.skip{color:#aaa}}"
].join("")

export const html = (report: RunReport, timeline: Timeline): string => {
  const { interrupted, runId, scenarios, seed, verdict } = report
  const title = `${verdict._tag}: ${runId}`
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>${text(title)}</title><style>${style}</style></head><body>`,
    `<h1 class="${verdict._tag}">${text(title)}</h1>`,
    `<p>Seed <code>${text(seed)}</code>, ${text(duration(report.durationMillis))}${interrupted ? ", <strong>interrupted</strong>" : ""}.</p>`,
    verdict._tag === "pass" ? "" : `<p>${text(verdict.reason)}</p>`,
    "<h2>Scenarios</h2>",
    "<table><thead><tr><th>verdict</th><th>scenario</th><th>time</th><th>remark</th></tr></thead><tbody>",
    ...scenarios.map(row),
    "</tbody></table>",
    "<h2>Sandboxes</h2>",
    timeline.note === undefined ? "" : `<p>${text(timeline.note)}</p>`,
    ...timeline.sandboxes.map(section),
    "</body></html>",
    ""
  ]
    .filter((line, i, all) => line !== "" || i === all.length - 1)
    .join("\n")
}

const row = ({ durationMillis, name, reason, status, verdict }: ScenarioReport): string => {
  const word = status === "skipped" ? "skip" : verdict._tag
  const why = reason ?? (verdict._tag === "pass" ? "" : verdict.reason)
  return `<tr><td class="${word}">${word}</td><td><code>${text(name)}</code></td><td class="time">${text(duration(durationMillis))}</td><td>${text(why)}</td></tr>`
}

const timeOf = (item: StoredItem): number => (item._tag === "Sampled" ? item.sample.atMillis : item.atMillis)

const section = ({ containerId, items, marks, sandboxId }: SandboxTimeline): string => {
  const times = items.map(timeOf)
  const fromMillis = times.reduce((a, b) => Math.min(a, b), times[0] ?? 0)
  const toMillis = times.reduce((a, b) => Math.max(a, b), fromMillis)
  const sampled = items.filter(({ _tag }) => _tag === "Sampled").length
  const missed = items.length === sampled ? "" : `, ${items.length - sampled} missed`
  const drawn = charts.map((chart) => drawChart(chart, { containerId, items, marks, fromMillis, toMillis }))
  return [
    `<section aria-label="${text(sandboxId)}"><h3>${text(sandboxId)}</h3>`,
    `<p>Container <code>${text(containerId.slice(0, 12))}</code>, ${sampled} ${sampled === 1 ? "sample" : "samples"} in ${text(duration(toMillis - fromMillis))}${missed}.</p>`,
    ...(marks.length === 0 ? [] : [`<ul>${marks.map((mark) => listed(mark, fromMillis)).join("")}</ul>`]),
    ...drawn,
    "</section>"
  ].join("\n")
}

const listed = ({ atMillis, kind, label, untilMillis }: Mark, fromMillis: number): string => {
  const at = (millis: number) => `${((millis - fromMillis) / 1000).toFixed(1)} s`
  const until =
    untilMillis === undefined ? "" : Number.isFinite(untilMillis) ? ` to ${at(untilMillis)}` : ", no end on record"
  return `<li>${text(`${kind} ${label} at ${at(atMillis)}${until}`)}</li>`
}

interface Span {
  readonly containerId: string
  readonly items: ReadonlyArray<StoredItem>
  readonly marks: ReadonlyArray<Mark>
  readonly fromMillis: number
  readonly toMillis: number
}

/** Of samples that are taken every second: more than a busy host delays one by. */
const gapMillis = 3000

/** A metric that was never measured is a sentence with its reasons, not an empty picture. */
const drawChart = ({ format, metric, title }: Chart, span: Span): string => {
  const points: ReadonlyArray<Point> = span.items.map((item) => ({
    atMillis: timeOf(item),
    value: item._tag === "Sampled" ? item.sample.values[metric] : undefined
  }))
  if (points.every(({ value }) => value === undefined)) {
    const reasons = new Set(
      span.items.map((item) => (item._tag === "Sampled" ? (item.sample.absent[metric] ?? "not-reported") : item.reason))
    )
    return `<p>${text(title)}: not measured (${text([...reasons].join(", "))}).</p>`
  }
  const { containerId, fromMillis, marks, toMillis } = span
  return timeSeriesSvg({
    id: `series-${containerId.slice(0, 12)}-${metric}`,
    title,
    points,
    gapMillis,
    marks: marks.map((mark) =>
      mark.untilMillis === undefined ? mark : { ...mark, untilMillis: Math.min(mark.untilMillis, toMillis) }
    ),
    fromMillis,
    toMillis,
    format
  })
}
