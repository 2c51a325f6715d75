import { assert, describe, it } from "@effect/vitest"
import type { RunEvent } from "@sbx/core/RunEvent"
import * as Live from "../src/internal/liveProgress.ts"
import { sentence } from "../src/internal/stepProgress.ts"
import { events } from "./support/sampleReport.ts"

const statusAfter = (count: number) => Live.status(events.slice(0, count).reduce(Live.evolve, Live.initial))

describe("live progress", () => {
  it("shows how far the run is and what is going on", () => {
    assert.strictEqual(statusAfter(1), "")
    assert.strictEqual(statusAfter(2), "[0/5] a/passes")
    const step: RunEvent = { _tag: "StepStarted", atMillis: 0, scenario: "a/passes", step: "start", ordinal: 1 }
    const live = Live.evolve(events.slice(0, 2).reduce(Live.evolve, Live.initial), step)
    assert.strictEqual(Live.status(live), "[0/5] a/passes: start")
    assert.strictEqual(statusAfter(events.length), "")
  })

  it("tells each scenario's end once, skipped ones with the reason", () => {
    const ended = events.flatMap((event) => Live.ended(event) ?? [])
    assert.deepStrictEqual(
      ended.map(({ name, status, verdict }) => [name, status, verdict._tag]),
      [
        ["a/passes", "finished", "pass"],
        ["a/fails", "finished", "fail"],
        ["b/unknown", "finished", "unknown"],
        ["b/skipped", "skipped", "unknown"]
      ]
    )
    assert.strictEqual(ended[3]?.reason, "it takes long")
  })

  it("words a long step with how far it is", () => {
    assert.strictEqual(sentence({ phase: "downloading", detail: "runc", fraction: 0.4321 }), "downloading 40 %: runc")
    assert.strictEqual(sentence({ phase: "unpacking", detail: "runc", fraction: undefined }), "unpacking: runc")
    const starting = { phase: "starting", detail: "starting the private engine", fraction: undefined } as const
    assert.strictEqual(sentence(starting), "starting the private engine")
  })
})
