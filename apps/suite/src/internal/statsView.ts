/**
 * What `stats` shows, as pure functions: the state of each container from the items of its series, drawn as a screen or as plain
 * lines. A metric without a value says why; a container that stopped or went says so and keeps what was seen of it.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { ContainerMetric, ContainerSample } from "@sbx/monitor/ContainerSampler"
import type { SeriesItem } from "@sbx/monitor/Series"
import { sparkline } from "@sbx/monitor/Sparkline"
import * as DateTime from "effect/DateTime"
import { printable } from "./printable.ts"
import { bytes, bytesPerSecond, cores, count, percent } from "./quantities.ts"
import type { Paint } from "./screen.ts"

export interface Watched {
  readonly target: ContainerTarget
  /** Oldest first; a gap where nothing could be read. */
  readonly history: ReadonlyArray<ContainerSample | undefined>
  /** Why the newest item is no sample; absent while it is one. */
  readonly trouble: string | undefined
  readonly gone: boolean
}

export const initial = (target: ContainerTarget): Watched => ({
  target,
  history: [],
  trouble: "waiting for the first sample",
  gone: false
})

/** More than any terminal has columns. */
const kept = 500

export const evolve = (watched: Watched, item: SeriesItem): Watched => {
  const sample = item._tag === "Sampled" ? item.sample : undefined
  return {
    ...watched,
    history: [...watched.history, sample].slice(-kept),
    trouble: troubleOf(item),
    gone: item._tag === "Lost"
  }
}

/** What an item says when it is no sample. */
export const troubleOf = (item: SeriesItem): string | undefined => {
  if (item._tag === "Sampled") return undefined
  if (item._tag === "Lost") return "removed"
  return item.error._tag === "TargetNotRunning" ? "not running" : (item.error.message.split("\n")[0] ?? "unreadable")
}

interface Row {
  readonly label: string
  readonly metric: ContainerMetric
  readonly limit?: ContainerMetric
  readonly format: (value: number) => string
}

const rows: ReadonlyArray<Row> = [
  { label: "cpu cores", metric: "cpuCores", limit: "cpuLimitCores", format: cores },
  { label: "memory", metric: "memoryBytes", limit: "memoryLimitBytes", format: bytes },
  { label: "tasks", metric: "pids", limit: "pidsLimit", format: count },
  { label: "open files", metric: "openFiles", format: count },
  { label: "net in", metric: "networkRxBytesPerSecond", format: bytesPerSecond },
  { label: "net out", metric: "networkTxBytesPerSecond", format: bytesPerSecond },
  { label: "disk in", metric: "blockReadBytesPerSecond", format: bytesPerSecond },
  { label: "disk out", metric: "blockWriteBytesPerSecond", format: bytesPerSecond }
]

export interface View {
  /** Of the terminal; 0 where it does not say, as under `docker exec -t` or a recorder. */
  readonly columns: number
  readonly rows: number
  readonly paint: Paint
}

const widths = { label: 11, number: 11, least: 10, most: 120 }

/** As many lines as fit; none is wider than the terminal. */
export const draw = (all: ReadonlyArray<Watched>, { columns, paint, rows: height }: View): ReadonlyArray<string> => {
  // The size of a VT100, where none is told.
  const view = { columns: columns > 0 ? columns : 80, rows: height > 0 ? height : 24, paint }
  const lines = all.flatMap((watched, i) => [...(i === 0 ? [] : [""]), ...drawOne(watched, view)])
  const room = Math.max(1, view.rows - 1)
  if (lines.length <= room) return lines
  return [...lines.slice(0, room - 1), cut(`… ${lines.length - room + 1} more lines; make the window higher`, view)]
}

const cut = (text: string, { columns }: View): string =>
  text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`

const drawOne = ({ history, target, trouble }: Watched, view: View): ReadonlyArray<string> => {
  const { columns, paint } = view
  const name = printable(target.name)
  const last = history.findLast((sample) => sample !== undefined)
  const state = trouble === undefined ? (last?.source ?? "sampled") : printable(trouble)
  const title = cut(`${name}  ${target.containerId.slice(0, 12)}  ${state}`, view)
  const painted = trouble === undefined ? paint("bold", title) : paint("yellow", title)
  // Narrow terminals lose least and most first, then the bars.
  const wide = columns > widths.label + widths.least + 3 * widths.number
  const numbers = wide ? 3 : 1
  const room = columns - widths.label - numbers * widths.number - 1
  const width = room < widths.least ? 0 : Math.min(widths.most, room)
  const header = ["now", "least", "most"].slice(0, numbers).map((word) => word.padStart(widths.number))
  const head = cut(`${" ".repeat(widths.label)}${" ".repeat(width)}${header.join("")}`, view)
  return [painted, paint("dim", head), ...rows.map((row) => drawRow(row, history, { view, width, numbers }))]
}

const drawRow = (
  { format, label, limit, metric }: Row,
  history: Watched["history"],
  { numbers, view, width }: { readonly view: View; readonly width: number; readonly numbers: number }
): string => {
  const values = history.slice(-Math.max(1, width)).map((sample) => sample?.values[metric])
  const measured = values.filter((value) => value !== undefined)
  const newest = history.at(-1)
  const now = newest?.values[metric]
  const bound = limit === undefined ? undefined : newest?.values[limit]
  const graph = sparkline(values, { width }).padStart(width)
  const start = label.padEnd(widths.label)
  if (measured.length === 0) return cut(`${start}${newest?.absent[metric] ?? "-"}`, view)
  const figures = [
    now === undefined ? "-" : format(now),
    format(Math.min(...measured)),
    format(Math.max(...measured))
  ].slice(0, numbers)
  const full = now !== undefined && bound !== undefined && bound > 0 && now / bound >= 0.9
  const painted = full ? view.paint("red", graph) : view.paint("green", graph)
  const text = figures.map((figure) => figure.padStart(widths.number)).join("")
  return width === 0 ? cut(`${start}${text}`, view) : `${start}${painted}${text}`
}

const timeOf = (atMillis: number): string => DateTime.formatIso(DateTime.makeUnsafe(atMillis))

/** A sample as a line of its own, absent metrics with their reason. */
export const sampleLine = (sample: ContainerSample): string => {
  const of = (label: string, metric: ContainerMetric, format: Row["format"], limit?: ContainerMetric) => {
    const value = sample.values[metric]
    if (value === undefined) return `${label} ${sample.absent[metric] ?? "not-reported"}`
    const bound = limit === undefined ? undefined : sample.values[limit]
    if (bound === undefined || bound === 0) return `${label} ${format(value)}`
    return `${label} ${format(value)} of ${format(bound)} (${percent((value / bound) * 100)})`
  }
  const said = rows.map(({ format, label, limit, metric }) => of(label, metric, format, limit))
  return `${timeOf(sample.atMillis)} ${printable(sample.name)}: ${said.join(", ")}`
}

/** Something that is no sample, as a line. */
export const troubleLine = (target: ContainerTarget, trouble: string): string =>
  printable(`${target.name} (${target.containerId.slice(0, 12)}): ${trouble}`)
