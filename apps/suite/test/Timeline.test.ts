import { assert, describe, it } from "@effect/vitest"
import type { FailureEvent } from "@sbx/chaos/FailureEvent"
import * as Environment from "@sbx/core/Environment"
import * as Memory from "@sbx/journal/Memory"
import type { ResourceEvent } from "@sbx/monitor/ResourceEvent"
import * as SampleFile from "@sbx/monitor/SampleFile"
import { SampleStore } from "@sbx/monitor/SampleStore"
import type { Mark } from "@sbx/monitor/TimeSeriesSvg"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DatabaseSync } from "node:sqlite"
import { alertMarks, faultMarks, open } from "../src/reporting/Timeline.ts"
import { directory } from "./support/commandLine.ts"

const never = Number.POSITIVE_INFINITY

const intended = (faultId: string, containerId: string): FailureEvent => ({
  _tag: "FaultIntended",
  faultId,
  atMillis: 1,
  kind: "CpuStress",
  params: {},
  target: { containerId, name: containerId },
  rung: "sidecar",
  durationMillis: 1000,
  control: [],
  undo: { steps: [] }
})
const injected = (faultId: string): FailureEvent => ({ _tag: "FaultInjected", faultId, atMillis: 100 })
const reverted = (faultId: string): FailureEvent => ({ _tag: "FaultReverted", faultId, atMillis: 300, by: "injector" })
const ended = (faultId: string, reason: "irreversible" | "duration"): FailureEvent => ({
  _tag: "FaultEnded",
  faultId,
  atMillis: 400,
  reason
})

describe("the marks of a fault", () => {
  const fault = (untilMillis?: number): Mark => ({
    kind: "fault",
    label: "CpuStress",
    atMillis: 100,
    ...(untilMillis === undefined ? {} : { untilMillis })
  })

  it("span from its injection to its revert, on its own container", () => {
    const events = [
      intended("1", "a"),
      intended("2", "b"),
      injected("1"),
      injected("2"),
      reverted("1"),
      ended("1", "duration")
    ]
    assert.deepStrictEqual(faultMarks(events), [
      { containerId: "a", mark: fault(300) },
      { containerId: "b", mark: fault(never) }
    ])
  })

  it("are a moment where it cannot be reverted", () => {
    assert.deepStrictEqual(faultMarks([intended("1", "a"), injected("1"), ended("1", "irreversible")]), [
      { containerId: "a", mark: fault() }
    ])
  })

  it("are none where it was never injected", () => {
    assert.deepStrictEqual(faultMarks([intended("1", "a"), ended("1", "duration"), injected("unknown")]), [])
  })
})

describe("the marks of an alert", () => {
  const key = { rule: "memory", containerId: "a", name: "web", atMillis: 5 }
  const fired = (episode: number): ResourceEvent => ({
    _tag: "AlertFired",
    ...key,
    episode,
    severity: "warning",
    metric: "memoryPercentOfLimit",
    comparison: ">",
    threshold: 80,
    value: 90,
    heldMillis: 0
  })
  const resolved = (episode: number): ResourceEvent => ({
    _tag: "AlertResolved",
    ...key,
    atMillis: 9,
    episode,
    reason: "recovered",
    value: 10
  })

  it("span each episode, and have no end while it fires", () => {
    const label = "memory: memoryPercentOfLimit > 80"
    assert.deepStrictEqual(alertMarks([fired(1), resolved(1), fired(2), resolved(7)]), [
      { containerId: "a", mark: { kind: "alert", label, atMillis: 5, untilMillis: 9 } },
      { containerId: "a", mark: { kind: "alert", label, atMillis: 5, untilMillis: never } }
    ])
  })
})

describe("a timeline", () => {
  const read = (enableMetrics: boolean, path: string) =>
    Effect.gen(function* () {
      return yield* (yield* open({ path })).read
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(Environment.layerWith({ enableMetrics }), Memory.layer)))

  it.effect("says that monitoring was off", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read(false, "/nowhere"), { sandboxes: [], note: "Resource monitoring was off." })
    })
  )

  it.effect("says why samples could not be kept, and fails nothing", () =>
    Effect.gen(function* () {
      const { note, sandboxes } = yield* read(true, "/nowhere/at/all")
      assert.deepStrictEqual(sandboxes, [])
      assert.match(note ?? "", /^Could not open the sample store \/nowhere\/at\/all\/samples\.sqlite: /)
    })
  )

  it.effect("shows what is kept where the last samples could not be, and says so", () =>
    Effect.gen(function* () {
      const path = directory()
      const layer = SampleFile.layer({ path: `${path}/samples.sqlite` })
      const item = { _tag: "Missed", subject: "container", id: "a", name: "web", atMillis: 1, reason: "x" } as const
      yield* Effect.provide(
        Effect.flatMap(SampleStore, (store) => store.record(item)),
        layer
      )
      const opened = yield* open({ path }).pipe(Effect.provide(Environment.layerWith({ enableMetrics: true })))
      // Another process that writes and does not end.
      const other = new DatabaseSync(`${path}/samples.sqlite`)
      other.exec("BEGIN IMMEDIATE")
      const { note, sandboxes } = yield* opened.read
      other.close()
      assert.deepStrictEqual(
        sandboxes.map(({ sandboxId, items }) => [sandboxId, items.length]),
        [["web", 1]]
      )
      assert.match(note ?? "", /^Could not write the sample store /)
    }).pipe(Effect.scoped, Effect.provide(Memory.layer))
  )

  it.effect("says that no sandbox was sampled", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read(true, directory()), {
        sandboxes: [],
        note: "No sandbox was sampled."
      })
    })
  )
})
