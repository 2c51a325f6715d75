/**
 * Five sandboxes at once. Overlap is read from the engine's own timestamps, not from when our promises resolved.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Effect from "effect/Effect"
import { Images } from "../../Images.ts"
import { most, withRoomFor } from "../../internal/sandboxRoom.ts"

const count = most

export interface Interval {
  readonly from: number
  readonly to: number
}

/** How many of the intervals cover one common instant, at the best instant. */
export const peakOverlap = (intervals: ReadonlyArray<Interval>): number =>
  Math.max(0, ...intervals.map(({ from }) => intervals.filter((other) => other.from <= from && from < other.to).length))

const distinct = (values: ReadonlyArray<unknown>): boolean => new Set(values).size === values.length

const answers = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { stdout } = yield* sandbox.execOk(["id", "-u"])
  return { uid: sandbox.uid, inside: Number(stdout.trim()) }
})

const program = Effect.gen(function* () {
  const { check, evidence, step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const image = yield* (yield* Images).reference("tiny")
  const made = yield* step(
    "create five at once",
    Effect.forEach(Array.from({ length: count }), () => sandboxes.make({ image }), { concurrency: "unbounded" })
  )
  const intervals = made.map((sandbox) => ({ from: sandbox.createdAtMillis, to: sandbox.startedAtMillis }))
  const first = Math.min(...intervals.map(({ from }) => from))
  yield* evidence(
    "creation, ms after the first",
    intervals.map(({ from, to }) => `${Math.round(from - first)}–${Math.round(to - first)}`)
  )
  const peak = peakOverlap(intervals)
  yield* evidence("peakOverlap", peak)
  yield* check("all were in creation at one instant", peak === count, { expected: `${count}`, actual: `${peak}` })
  yield* check("ids are unique", distinct(made.map((sandbox) => sandbox.id)))
  yield* check("container ids are unique", distinct(made.map((sandbox) => sandbox.containerId)))
  const seen = yield* step("each answers", Effect.forEach(made, answers, { concurrency: "unbounded" }))
  yield* check("uids are unique", distinct(seen.map(({ uid }) => uid)), {
    expected: `${count} uids`,
    actual: seen.map(({ uid }) => uid).join(" ")
  })
  yield* check(
    "each runs as its own uid",
    seen.every(({ inside, uid }) => inside === uid && uid !== 0),
    { expected: seen.map(({ uid }) => uid).join(" "), actual: seen.map(({ inside }) => inside).join(" ") }
  )
})

export const concurrentCreation = Scenario.make(
  "orchestration/concurrent-creation",
  {
    description: "five sandboxes created in overlapping time, unique ids and uids, each answers",
    tags: ["smoke"],
    images: ["tiny"]
  },
  withRoomFor(count, program)
)
