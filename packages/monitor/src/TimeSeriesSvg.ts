/**
 * One metric of one subject over time as an SVG of its own, with marks for faults and alerts. Pure. A gap is a gap: nothing is
 * drawn where nothing was measured, and the value axis starts at zero.
 */
import { xmlText } from "./internal/xmlText.ts"

export interface Point {
  /** Milliseconds since 1970. */
  readonly atMillis: number
  /** Absent where nothing was measured: the line breaks. */
  readonly value: number | undefined
}

/** Something that happened: a band when it lasted, else a line. */
export interface Mark {
  readonly kind: "fault" | "alert"
  readonly label: string
  readonly atMillis: number
  /** Absent for a moment. */
  readonly untilMillis?: number
}

export interface TimeSeries {
  /** Unique in its page: names the elements that describe the picture. Letters, digits, `-` and `_`. */
  readonly id: string
  readonly title: string
  /** Oldest first. */
  readonly points: ReadonlyArray<Point>
  readonly marks?: ReadonlyArray<Mark>
  /** Longer than this between two neighbours is a gap too: nothing was measured meanwhile. Default: no time is. */
  readonly gapMillis?: number
  /** What the picture spans; points and marks outside are left out, bands are cut. */
  readonly fromMillis: number
  readonly toMillis: number
  /** How a value reads, e.g. `12.5 MB`. */
  readonly format: (value: number) => string
}

const size = { width: 720, height: 150 }
const plot = { x: 76, y: 24, width: 632, height: 98 }

export const timeSeriesSvg = (series: TimeSeries): string => {
  const { fromMillis, id, title, toMillis } = series
  const points = series.points.filter(({ atMillis }) => atMillis >= fromMillis && atMillis <= toMillis)
  const marks = (series.marks ?? []).filter((mark) => mark.atMillis <= toMillis && endOf(mark) >= fromMillis)
  const top = niceTop(values(points).reduce(greater, 0))
  const x = (atMillis: number) => plot.x + ((atMillis - fromMillis) / Math.max(1, toMillis - fromMillis)) * plot.width
  const y = (value: number) => plot.y + plot.height - (value / top) * plot.height
  const name = xmlText(id)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="sbx-series" role="img" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" aria-labelledby="${name}-title ${name}-desc">`,
    `<title id="${name}-title">${xmlText(title)}</title>`,
    `<desc id="${name}-desc">${xmlText(describe(points, marks, series))}</desc>`,
    `<style>${style}</style>`,
    `<text class="sbx-name" x="${plot.x}" y="14">${xmlText(title)}</text>`,
    `<rect class="sbx-plot" x="${plot.x}" y="${plot.y}" width="${plot.width}" height="${plot.height}"/>`,
    ...marks.map((mark, i) => drawMark(mark, i, x, series)),
    ...axes(series, top),
    ...segments(points, series.gapMillis).map(
      (segment) => `<path class="sbx-line" d="${pathOf(thin(segment, x), x, y)}"/>`
    ),
    "</svg>"
  ].join("")
}

/** Legible on light and dark grounds; the page may say more. */
const style = [
  ".sbx-series{color-scheme:light dark;max-width:100%;height:auto;font:11px system-ui,sans-serif}",
  ".sbx-series text{fill:#333;fill-opacity:1;stroke:none}.sbx-series .sbx-name{font-weight:600}",
  ".sbx-plot{fill:none;stroke:#999;stroke-width:.5}",
  ".sbx-line{fill:none;stroke:#0b5cad;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}",
  ".sbx-fault{fill:#b3261e;stroke:#b3261e}.sbx-alert{fill:#8a5a00;stroke:#8a5a00;stroke-dasharray:4 2}",
  ".sbx-fault,.sbx-alert{fill-opacity:.15;stroke-width:1}",
  "@media (prefers-color-scheme:dark){.sbx-series text{fill:#ddd}.sbx-line{stroke:#7db8f5}",
  ".sbx-fault{fill:#ff8a80;stroke:#ff8a80}.sbx-alert{fill:#ffc857;stroke:#ffc857}}"
].join("")

const values = (points: ReadonlyArray<Point>): ReadonlyArray<number> =>
  points.flatMap(({ value }) => (value === undefined ? [] : [value]))

// Not Math.min(...all): a long run has more samples than a call has room for arguments.
const lesser = (a: number, b: number): number => Math.min(a, b)
const greater = (a: number, b: number): number => Math.max(a, b)

const endOf = ({ atMillis, untilMillis }: Mark): number => untilMillis ?? atMillis

/** The next 1, 2 or 5 times a power of ten. */
const niceTop = (max: number): number => {
  if (max <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(max))
  return ([1, 2, 5].find((step) => step * power >= max) ?? 10) * power
}

const fixed = (coordinate: number): string => String(Math.round(coordinate * 100) / 100)

const seconds = (millis: number): string => `${Math.round(millis / 100) / 10} s`

/** The picture in words, for those who do not see it. */
const describe = (
  points: ReadonlyArray<Point>,
  marks: ReadonlyArray<Mark>,
  { format, fromMillis, toMillis }: TimeSeries
): string => {
  const measured = values(points)
  const span = `${measured.length} of ${points.length} samples measured over ${seconds(toMillis - fromMillis)}`
  const figures =
    measured.length === 0
      ? []
      : [
          `least ${format(measured.reduce(lesser))}`,
          `most ${format(measured.reduce(greater))}`,
          `last ${format(measured.at(-1) ?? 0)}`
        ]
  const happened = marks.map(({ atMillis, kind, label, untilMillis }) => {
    const from = seconds(atMillis - fromMillis)
    return `${kind} ${label} at ${untilMillis === undefined ? from : `${from} to ${seconds(untilMillis - fromMillis)}`}`
  })
  return `${[span, ...figures, ...happened].join("; ")}.`
}

/** Labels take turns on three lines, so that those of neighbours can be read. */
const drawMark = (
  mark: Mark,
  index: number,
  x: (atMillis: number) => number,
  { fromMillis, toMillis }: TimeSeries
): string => {
  const left = x(Math.max(fromMillis, mark.atMillis))
  const right = x(Math.min(toMillis, endOf(mark)))
  const said = `<title>${xmlText(`${mark.kind}: ${mark.label}`)}</title>`
  const shape =
    mark.untilMillis === undefined
      ? `<line x1="${fixed(left)}" x2="${fixed(left)}" y1="${plot.y}" y2="${plot.y + plot.height}"/>`
      : `<rect x="${fixed(left)}" y="${plot.y}" width="${fixed(right - left)}" height="${plot.height}"/>`
  const atEnd = left > plot.x + plot.width / 2
  const anchor = atEnd ? "end" : "start"
  const name = `<text x="${fixed(left + (atEnd ? -3 : 3))}" y="${plot.y + 11 + (index % 3) * 12}" text-anchor="${anchor}">${xmlText(mark.label)}</text>`
  return `<g class="sbx-${mark.kind}">${said}${shape}${name}</g>`
}

const axes = ({ format, fromMillis, toMillis }: TimeSeries, top: number): ReadonlyArray<string> => {
  const label = (x: number, y: number, anchor: string, kind: string, text: string) =>
    `<text class="sbx-${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${xmlText(text)}</text>`
  const left = plot.x - 6
  const below = plot.y + plot.height
  return [
    label(left, plot.y + 8, "end", "top", format(top)),
    label(left, below, "end", "bottom", format(0)),
    label(plot.x, below + 16, "start", "from", "0 s"),
    label(plot.x + plot.width, below + 16, "end", "to", seconds(toMillis - fromMillis))
  ]
}

interface Measured {
  readonly atMillis: number
  readonly value: number
}

/** Runs of measured points, between gaps. */
const segments = (
  points: ReadonlyArray<Point>,
  gapMillis = Number.POSITIVE_INFINITY
): ReadonlyArray<ReadonlyArray<Measured>> => {
  const all: Array<Array<Measured>> = []
  let current: Array<Measured> | undefined
  for (const { atMillis, value } of points) {
    if (value === undefined) current = undefined
    else if (current === undefined || atMillis - (current.at(-1)?.atMillis ?? atMillis) > gapMillis)
      all.push((current = [{ atMillis, value }]))
    else current.push({ atMillis, value })
  }
  return all
}

/** More points than can be told apart: of each column of half a pixel the least and the greatest, so no spike is lost. */
const thin = (segment: ReadonlyArray<Measured>, x: (atMillis: number) => number): ReadonlyArray<Measured> => {
  if (segment.length <= 2 * plot.width) return segment
  const columns = Map.groupBy(segment, ({ atMillis }) => Math.floor(2 * x(atMillis)))
  return [...columns.values()].flatMap((column) => {
    const by = [...column].sort((a, b) => a.value - b.value)
    const kept = new Set([column[0], by[0], by.at(-1), column.at(-1)])
    return column.filter((point) => kept.has(point))
  })
}

/** A lone point is a line of no length, which round caps make a dot. */
const pathOf = (
  segment: ReadonlyArray<Measured>,
  x: (atMillis: number) => number,
  y: (value: number) => number
): string => {
  const path = segment
    .map(({ atMillis, value }, i) => `${i === 0 ? "M" : "L"}${fixed(x(atMillis))} ${fixed(y(value))}`)
    .join("")
  return segment.length === 1 ? `${path}h0` : path
}
