import { assert, describe, it } from "@effect/vitest"
import { create } from "xmlbuilder2"
import { type TimeSeries, timeSeriesSvg } from "../src/TimeSeriesSvg.ts"

const series: TimeSeries = {
  id: "web-memory",
  title: "memory",
  points: [
    { atMillis: 1000, value: 0 },
    { atMillis: 3000, value: 80 },
    { atMillis: 5000, value: undefined },
    { atMillis: 7000, value: 40 },
    { atMillis: 8000, value: undefined },
    { atMillis: 9000, value: 60 },
    { atMillis: 11_000, value: 100 }
  ],
  fromMillis: 1000,
  toMillis: 11_000,
  format: (value) => `${value} MB`
}

/** Of the DOM that the library keeps; its own declarations need a browser's. */
interface DomElement {
  readonly nodeName: string
  readonly textContent: string | null
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>
}

const isElement = (node: object): node is DomElement => "attributes" in node

interface Seen {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
}

/** Every element, in the order of the document. Throws when it is not XML. */
const elements = (svg: string): ReadonlyArray<Seen> => {
  const seen: Array<Seen> = []
  create(svg).each(
    ({ node }) => {
      if (!isElement(node)) return
      const { attributes, nodeName, textContent } = node
      const named = Object.fromEntries([...attributes].map((one) => [one.name, one.value]))
      seen.push({ name: nodeName, attributes: named, text: textContent ?? "" })
    },
    true,
    true
  )
  return seen
}

const find = (svg: string, name: string, kind: string): ReadonlyArray<Seen> =>
  elements(svg).filter((one) => one.name === name && (one.attributes["class"] ?? "") === kind)

/** Values and times that a path shows, read off the plot's own frame and its axis labels. */
const readOff = (svg: string) => {
  const frame = find(svg, "rect", "sbx-plot")[0]?.attributes ?? {}
  const number = (name: string) => Number(frame[name])
  const top = Number.parseFloat(find(svg, "text", "sbx-top")[0]?.text ?? "")
  const spanSeconds = Number.parseFloat(find(svg, "text", "sbx-to")[0]?.text ?? "")
  return find(svg, "path", "sbx-line").map(({ attributes }) =>
    [...(attributes["d"] ?? "").matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => ({
      seconds: round(((Number(x) - number("x")) / number("width")) * spanSeconds),
      value: round(((number("y") + number("height") - Number(y)) / number("height")) * top)
    }))
  )
}
const round = (value: number) => Math.round(value * 10) / 10

describe("timeSeriesSvg", () => {
  it("joins no neighbours that are further apart than a gap", () => {
    const points = [0, 1000, 2000, 9000, 10_000].map((atMillis) => ({ atMillis, value: 1 }))
    const lines = (gapMillis?: number) =>
      find(timeSeriesSvg({ ...series, points, fromMillis: 0, ...(gapMillis && { gapMillis }) }), "path", "sbx-line")
        .length
    assert.deepStrictEqual([lines(), lines(7000), lines(6999), lines(3000)], [1, 1, 2, 2])
  })

  it("puts each point where its time and its value are, and breaks the line at gaps", () => {
    assert.deepStrictEqual(readOff(timeSeriesSvg(series)), [
      [
        { seconds: 0, value: 0 },
        { seconds: 2, value: 80 }
      ],
      [{ seconds: 6, value: 40 }],
      [
        { seconds: 8, value: 60 },
        { seconds: 10, value: 100 }
      ]
    ])
  })

  it("shows a lone point as a dot", () => {
    const [, lone] = find(timeSeriesSvg(series), "path", "sbx-line")
    assert.match(lone?.attributes["d"] ?? "", /h0$/)
  })

  it("draws no line where nothing was measured", () => {
    const absent = series.points.map(({ atMillis }) => ({ atMillis, value: undefined }))
    const svg = timeSeriesSvg({ ...series, points: absent })
    assert.deepStrictEqual(readOff(svg), [])
    assert.include(find(svg, "desc", "")[0]?.text ?? "", "0 of 7 samples measured")
    assert.deepStrictEqual(readOff(timeSeriesSvg({ ...series, points: [] })), [])
  })

  it("marks what happened: a band while it lasted, a line for a moment, cut to the picture", () => {
    const svg = timeSeriesSvg({
      ...series,
      marks: [
        { kind: "fault", label: "CpuStress", atMillis: 3000, untilMillis: 5000 },
        { kind: "alert", label: "memory > 80 %", atMillis: 6000 },
        { kind: "fault", label: "late", atMillis: 10_000, untilMillis: 99_000 },
        { kind: "alert", label: "before", atMillis: 1 }
      ]
    })
    const frame = find(svg, "rect", "sbx-plot")[0]?.attributes ?? {}
    const x = (seconds: number) => Number(frame["x"]) + (seconds / 10) * Number(frame["width"])
    const bands = find(svg, "rect", "").map(({ attributes }) => [
      round(Number(attributes["x"])),
      round(Number(attributes["width"]))
    ])
    assert.deepStrictEqual(bands, [
      [round(x(2)), round(x(4) - x(2))],
      [round(x(9)), round(x(10) - x(9))]
    ])
    assert.deepStrictEqual(
      find(svg, "line", "").map(({ attributes }) => Number(attributes["x1"])),
      [x(5)]
    )
    // Of each its title, for those who point at it, and its label.
    const groups = elements(svg).filter(({ name }) => name === "g")
    assert.deepStrictEqual(
      groups.map(({ attributes, text }) => [attributes["class"], text]),
      [
        ["sbx-fault", "fault: CpuStressCpuStress"],
        ["sbx-alert", "alert: memory > 80 %memory > 80 %"],
        ["sbx-fault", "fault: latelate"]
      ]
    )
  })

  it("says in words what it shows", () => {
    const svg = timeSeriesSvg({ ...series, marks: [{ kind: "alert", label: "high", atMillis: 6000 }] })
    const [root] = elements(svg)
    assert.strictEqual(root?.attributes["role"], "img")
    assert.strictEqual(root?.attributes["aria-labelledby"], "web-memory-title web-memory-desc")
    const ids = elements(svg).flatMap(({ attributes }) => attributes["id"] ?? [])
    assert.deepStrictEqual(ids, ["web-memory-title", "web-memory-desc"])
    assert.strictEqual(
      find(svg, "desc", "")[0]?.text,
      "5 of 7 samples measured over 10 s; least 0 MB; most 100 MB; last 100 MB; alert high at 5 s."
    )
  })

  it("is XML whatever the names hold", () => {
    const nasty = `</title><script>alert(1)</script> & "x" 'y' \u0000\u001b[2J \uFFFE ☃`
    const svg = timeSeriesSvg({ ...series, title: nasty, marks: [{ kind: "fault", label: nasty, atMillis: 2000 }] })
    assert.deepStrictEqual(find(svg, "script", ""), [])
    assert.strictEqual(find(svg, "title", "")[0]?.text, `</title><script>alert(1)</script> & "x" 'y' [2J  ☃`)
  })

  it("loses no spike of a series with more points than pixels", () => {
    const points = Array.from({ length: 20_000 }, (_, i) => ({ atMillis: i, value: i === 12_345 ? 100 : 1 }))
    const [line = []] = readOff(timeSeriesSvg({ ...series, points, fromMillis: 0, toMillis: 20_000 }))
    assert.isBelow(line.length, 6000)
    assert.deepStrictEqual(
      line.filter(({ value }) => value === 100).map(({ seconds }) => seconds),
      [12.3]
    )
  })
})
