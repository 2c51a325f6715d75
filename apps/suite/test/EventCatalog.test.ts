import { globSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { type Recorded, StreamName } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as EventCatalog from "../src/EventCatalog.ts"

const recorded = (type: string, payload: Recorded["payload"]): Recorded => ({
  position: 7,
  stream: StreamName.make("sandbox/sbx_a"),
  version: 1,
  type,
  schemaVersion: 1,
  payload,
  eventId: "jrn_x:7",
  recordedAtMillis: 1_700_000_000_123,
  epoch: 1
})

describe("the catalogue of events", () => {
  it("knows the types of every family", () => {
    assert.includeMembers(
      [...EventCatalog.types],
      ["RunStarted", "CreateIntended", "FaultIntended", "CheckJudged", "SnapshotTaken", "journal.StreamClosed"]
    )
  })

  it("has fixtures of every family's events in the package that owns it", () => {
    const packages = `${import.meta.dirname}/../../../packages`
    const files = globSync("*/test/golden/*.ndjson", { cwd: packages })
    const lines = files.flatMap((file) => readFileSync(`${packages}/${file}`, "utf8").trimEnd().split("\n"))
    const released = new Set(
      lines.map((line) => JSON.parse(line)).map(({ type, schemaVersion }) => `${type}@${schemaVersion}`)
    )
    const known = EventCatalog.all.known.map(({ type, schemaVersion }) => `${type}@${schemaVersion}`)
    assert.isAbove(known.length, 60)
    assert.deepStrictEqual(
      known.filter((name) => !released.has(name)),
      []
    )
    const tested = new Set(globSync("*/test/GoldenEvents.test.ts", { cwd: packages }).map((file) => file.split("/")[0]))
    for (const file of files) assert.isTrue(tested.has(file.split("/")[0]), `${file} is held to by no test`)
  })

  it.effect("refuses an unknown type with the nearest ones, or all when none is near", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* EventCatalog.parseType("RunStarted"), "RunStarted")
      const near = yield* Effect.flip(EventCatalog.parseType("FaultInjectd"))
      assert.strictEqual(near.nearest[0], "FaultInjected")
      const far = yield* Effect.flip(EventCatalog.parseType("zzzzzzzzzzzz"))
      assert.include(far.message, "Known: ")
      assert.include(far.message, "SnapshotTaken")
    })
  )

  it("shows an event as one bounded line, whatever a workload wrote", () => {
    const said = "x\u001b]0;gone\u0007\ny".repeat(100)
    const line = EventCatalog.line(recorded("Said", { atMillis: 1, said, nested: { a: [1, null] } }))
    assert.match(line, /^ {4}7 22:13:20\.123 sandbox\/sbx_a Said said=x yx yx y/)
    assert.isBelow(line.length, 200)
    const nested = EventCatalog.line(recorded("Said", { nested: { a: [1, null] } }))
    assert.include(nested, 'nested={"a":[1,null]}')
  })
})
