import { describe, it } from "@effect/vitest"
import * as GoldenEvents from "@sbx/journal/testing/GoldenEvents"
import { RunEvent, RunEvents } from "../src/RunEvent.ts"
import { SandboxEvent, SandboxEvents } from "../src/SandboxEvent.ts"

const directory = `${import.meta.dirname}/golden`

describe("released events", () => {
  it.effect("of sandboxes decode to what they were", () =>
    GoldenEvents.verify({ family: SandboxEvents, union: SandboxEvent, directory })
  )

  it.effect("of runs decode to what they were", () =>
    GoldenEvents.verify({ family: RunEvents, union: RunEvent, directory })
  )
})
