import { assert, describe, it } from "@effect/vitest"
import type { StoredItem } from "@sbx/monitor/SampleStore"
import { create } from "xmlbuilder2"
import { html } from "../src/reporting/Html.ts"
import type { SandboxTimeline } from "../src/reporting/Timeline.ts"
import { sample as report } from "./support/sampleReport.ts"

const sampled = (atMillis: number, values: Readonly<Record<string, number>>): StoredItem => ({
  _tag: "Sampled",
  sample: {
    subject: "container",
    id: "c0ffee",
    name: "sbx_a",
    atMillis,
    intervalMillis: 1000,
    values,
    absent: { networkRxBytesPerSecond: "not-reported" }
  }
})
const missed: StoredItem = {
  _tag: "Missed",
  subject: "container",
  id: "c0ffee",
  name: "sbx_a",
  atMillis: 3000,
  reason: "TargetNotRunning"
}

const sandbox: SandboxTimeline = {
  sandboxId: "sbx_a",
  containerId: "c0ffee",
  items: [sampled(1000, { cpuCores: 0.5 }), sampled(2000, { cpuCores: 1 }), missed, sampled(4000, { cpuCores: 0.25 })],
  marks: [
    { kind: "fault", label: "CpuStress", atMillis: 2000, untilMillis: Number.POSITIVE_INFINITY },
    { kind: "alert", label: "cpu", atMillis: 2500, untilMillis: 3500 }
  ]
}

const svgs = (page: string): ReadonlyArray<string> => page.match(/<svg .*?<\/svg>/gs) ?? []

describe("report.html", () => {
  const page = html(report, { sandboxes: [sandbox], note: undefined })

  it("shows each verdict with its reason", () => {
    for (const { name, verdict } of report.scenarios) {
      assert.include(page, `<code>${name}</code>`)
      assert.include(page, `<td class="${verdict._tag}">`)
    }
  })

  it("plots what was measured of each sandbox, breaks the line where nothing was, and marks faults and alerts", () => {
    const [cpu = "", ...others] = svgs(page)
    assert.lengthOf(others, 0)
    create(cpu)
    assert.lengthOf(cpu.match(/<path class="sbx-line"/g) ?? [], 2)
    assert.include(cpu, "3 of 4 samples measured over 3 s; least 0.25; most 1.00; last 0.25")
    assert.include(cpu, "<title>fault: CpuStress</title>")
    assert.include(cpu, "<title>alert: cpu</title>")
    assert.include(page, "<li>fault CpuStress at 1.0 s, no end on record</li><li>alert cpu at 1.5 s to 2.5 s</li>")
    assert.notMatch(page, /NaN|Infinity|undefined/)
  })

  it("counts no sample where there was none", () => {
    assert.include(page, "<p>Container <code>c0ffee</code>, 3 samples in 3.00 s, 1 missed.</p>")
    const never = html(report, { sandboxes: [{ ...sandbox, items: [missed] }], note: undefined })
    assert.include(never, ", 0 samples in ")
  })

  it("breaks the line where samples could not be kept and nothing says so", () => {
    const items = [1000, 2000, 3000, 9000, 10_000].map((atMillis) => sampled(atMillis, { cpuCores: 0.5 }))
    const [cpu = ""] = svgs(html(report, { sandboxes: [{ ...sandbox, items }], note: undefined }))
    assert.lengthOf(cpu.match(/<path class="sbx-line"/g) ?? [], 2)
  })

  it("says why a metric was never measured, in place of a picture", () => {
    assert.include(page, "<p>network in: not measured (not-reported, TargetNotRunning).</p>")
  })

  it("says why there is no sandbox", () => {
    const off = html(report, { sandboxes: [], note: "Resource monitoring was off." })
    assert.include(off, "<p>Resource monitoring was off.</p>")
    assert.deepStrictEqual(svgs(off), [])
  })

  it("fetches nothing and runs nothing, whatever a name holds", () => {
    const evil = `<script>alert(1)</script><img src="http://x/">`
    const pages = [page, html({ ...report, seed: evil }, { sandboxes: [{ ...sandbox, sandboxId: evil }], note: evil })]
    for (const one of pages) assert.notMatch(one, /<(?:script|img|link|iframe|object)|@import|url\(/)
    assert.include(pages[1], "&lt;script&gt;alert(1)&lt;/script&gt;")
  })

  it("is legible on a dark ground", () => {
    assert.include(page, "color-scheme:light dark")
    assert.include(page, "prefers-color-scheme:dark")
  })
})
