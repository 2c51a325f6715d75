/**
 * Ten starts after warm-up, one after the other. A start lasts from our durable intent to the kernel's start of PID 1
 * (`State.StartedAt`), so preparing the workspace counts.
 */
import { SandboxEvents } from "@sbx/core/SandboxEvent"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import * as Figures from "../../internal/figures.ts"

const warmUps = 2
const starts = 10
/** The user's target, milliseconds. */
const budgetMillis = 500

const startMillis = Effect.fnUntraced(function* (image: string) {
  const sandboxes = yield* Sandboxes
  const journal = yield* Journal
  const sandbox = yield* sandboxes.make({ image })
  const stream = SandboxEvents.read(journal, SandboxEvents.stream(sandbox.id))
  const intended = yield* stream.pipe(
    Stream.map((fact) => fact.payload),
    Stream.filter((fact) => fact._tag === "CreateIntended"),
    Stream.map((fact) => fact.atMillis),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption)
  )
  return sandbox.startedAtMillis - intended
}, Effect.scoped)

const program = Effect.gen(function* () {
  const { budget, check, evidence, step } = yield* Scenario.ScenarioContext
  const image = yield* (yield* Images).reference("tiny")
  const start = startMillis(image)
  yield* step(
    "warm up",
    Effect.forEach(Array.from({ length: warmUps }), () => start, { discard: true })
  )
  const times = yield* step(
    "start ten",
    Effect.forEach(Array.from({ length: starts }), () => start)
  )
  const figures = Figures.summarise(times)
  yield* evidence("startMillis", { ...figures })
  yield* check("every start was measured", figures.n === starts && figures.min > 0, {
    expected: `${starts} times above 0`,
    actual: times.join(", ")
  })
  yield* budget(`the average start takes under ${budgetMillis} ms`, figures.mean < budgetMillis, {
    expected: `< ${budgetMillis} ms`,
    actual: `${figures.mean} ms, p95 ${figures.p95} ms`
  })
})

export const startupTime = Scenario.make(
  "orchestration/startup-time",
  {
    description: "ten starts after warm-up; average and p95",
    tags: ["smoke"],
    images: ["tiny"],
    exclusive: true
  },
  program
)
