import { describe, it } from "@effect/vitest"
import * as GoldenEvents from "@sbx/journal/testing/GoldenEvents"
import { FailureEvent, FailureEvents } from "../src/FailureEvent.ts"

describe("released events", () => {
  it.effect("of faults decode to what they were", () =>
    GoldenEvents.verify({ family: FailureEvents, union: FailureEvent, directory: `${import.meta.dirname}/golden` })
  )
})
