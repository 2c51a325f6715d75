import { assert, describe, it } from "@effect/vitest"
import type { ContainerSample } from "@sbx/monitor/ContainerSampler"
import { TargetGone, TargetNotRunning } from "@sbx/monitor/ContainerSource"
import type { SeriesItem } from "@sbx/monitor/Series"
import * as view from "../src/internal/statsView.ts"

const web = { containerId: "3e52d52a122ac94edcc5", name: "web" }
const db = { containerId: "0123456789abcdef", name: "db" }
const plain: view.View = { columns: 80, rows: 40, paint: (_colour, text) => text }

const sampleOf = (cpuCores: number | undefined, memoryBytes: number): ContainerSample => ({
  subject: "container",
  id: web.containerId,
  name: web.name,
  atMillis: 0,
  intervalMillis: 1000,
  source: "cgroup",
  values: {
    ...(cpuCores === undefined ? {} : { cpuCores }),
    cpuLimitCores: 1,
    memoryBytes,
    memoryLimitBytes: 64e6,
    pids: 3
  },
  absent: {
    ...(cpuCores === undefined ? { cpuCores: "no-previous-reading" } : {}),
    pidsLimit: "no-limit",
    openFiles: "permission-denied",
    networkRxBytesPerSecond: "not-reported"
  }
})

const sampled = (cpu: number | undefined, memory: number): SeriesItem => ({
  _tag: "Sampled",
  sequence: 1,
  sample: sampleOf(cpu, memory)
})
const missed: SeriesItem = { _tag: "Missed", sequence: 2, target: web, error: new TargetNotRunning(web) }
const lost: SeriesItem = { _tag: "Lost", sequence: 3, target: web, error: new TargetGone(web) }

const after = (...items: ReadonlyArray<SeriesItem>) => items.reduce(view.evolve, view.initial(web))
const running = after(sampled(undefined, 8e6), sampled(0.25, 16e6), sampled(1, 32e6))

describe("the screen of stats", () => {
  it("shows bars, now, least and most of each metric, and why one is absent", () => {
    assert.deepStrictEqual(view.draw([running], plain), [
      "web  3e52d52a122a  cgroup",
      `${" ".repeat(46)}        now      least       most`,
      `cpu cores  ${" ".repeat(32)} ▂█       1.00       0.25       1.00`,
      `memory     ${" ".repeat(32)}▂▄█    32.0 MB     8.0 MB    32.0 MB`,
      `tasks      ${" ".repeat(32)}███          3          3          3`,
      "open files permission-denied",
      "net in     not-reported",
      "net out    -",
      "disk in    -",
      "disk out   -"
    ])
  })

  it("says that a container stopped, leaves a gap, and goes on when it runs again", () => {
    const stopped = view.evolve(running, missed)
    assert.strictEqual(view.draw([stopped], plain)[0], "web  3e52d52a122a  not running")
    assert.include(view.draw([stopped], plain)[2], "▂█           -       0.25       1.00")
    const back = view.evolve(stopped, sampled(0.5, 1e6))
    assert.strictEqual(view.draw([back], plain)[0], "web  3e52d52a122a  cgroup")
    assert.include(view.draw([back], plain)[2], "▂█ ▄       0.50")
  })

  it("says that a container was removed and goes on with the others", () => {
    const gone = view.evolve(running, lost)
    assert.isTrue(gone.gone)
    const lines = view.draw([gone, view.initial(db)], plain)
    assert.strictEqual(lines[0], "web  3e52d52a122a  removed")
    assert.strictEqual(lines[11], "db  0123456789ab  waiting for the first sample")
  })

  it.each([200, 80, 55, 54, 40, 25, 12, 1])("has no line wider than %i columns", (columns) => {
    for (const line of view.draw([running, after(missed)], { ...plain, columns })) {
      assert.isAtMost(line.length, columns, line)
    }
  })

  it("gives up least and most first, then the bars", () => {
    const row = (columns: number) => view.draw([running], { ...plain, columns })[2]
    assert.strictEqual(row(55), `cpu cores  ${" ".repeat(7)} ▂█       1.00       0.25       1.00`)
    assert.strictEqual(row(40), `cpu cores  ${" ".repeat(14)} ▂█       1.00`)
    assert.strictEqual(row(25), "cpu cores         1.00")
  })

  it("is never higher than the terminal and says what it leaves out", () => {
    const lines = view.draw([running, view.initial(db)], { ...plain, rows: 8 })
    assert.lengthOf(lines, 7)
    assert.strictEqual(lines.at(-1), "… 15 more lines; make the window higher")
  })

  it("is 80 by 24 on a terminal that does not say its size", () => {
    const sized = view.draw([running, view.initial(db)], { ...plain, columns: 80, rows: 24 })
    assert.deepStrictEqual(view.draw([running, view.initial(db)], { ...plain, columns: 0, rows: 0 }), sized)
  })

  it("paints what is close to its limit, and nothing that is not asked for", () => {
    const seen = new Set<string>()
    const paint: view.View["paint"] = (colour, text) => (seen.add(colour), text)
    view.draw([running], { ...plain, paint })
    assert.deepStrictEqual([...seen].sort(), ["bold", "dim", "green", "red"])
    assert.notInclude(view.draw([running], plain).join(""), "\u001b")
  })

  it("keeps no more than it can ever show", () => {
    const many = Array.from({ length: 2000 }, () => sampled(1, 1))
    assert.lengthOf(after(...many).history, 500)
  })
})

describe("lines of stats", () => {
  it("say each figure, its bound and why one is absent", () => {
    assert.strictEqual(
      view.sampleLine(sampleOf(0.25, 16e6)),
      "1970-01-01T00:00:00.000Z web: cpu cores 0.25 of 1.00 (25 %), memory 16.0 MB of 64.0 MB (25 %), tasks 3, " +
        "open files permission-denied, net in not-reported, net out not-reported, disk in not-reported, disk out not-reported"
    )
  })

  it("cannot be repainted by a name", () => {
    const evil = { containerId: "x", name: "a\u001b[2Jb" }
    assert.strictEqual(view.troubleLine(evil, "removed"), "ab (x): removed")
    assert.notInclude(view.draw([view.initial(evil)], plain)[0], "\u001b")
  })
})
