import { describe, it } from "@effect/vitest"
import * as GoldenEvents from "@sbx/journal/testing/GoldenEvents"
import { BoundaryEvent, family } from "../src/BoundaryEvent.ts"

describe("released events", () => {
  it.effect("of audits decode to what they were", () =>
    GoldenEvents.verify({ family, union: BoundaryEvent, directory: `${import.meta.dirname}/golden` })
  )
})
