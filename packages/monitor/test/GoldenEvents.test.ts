import { describe, it } from "@effect/vitest"
import * as GoldenEvents from "@sbx/journal/testing/GoldenEvents"
import { family, ResourceEvent } from "../src/ResourceEvent.ts"

describe("released events", () => {
  it.effect("of the monitor decode to what they were", () =>
    GoldenEvents.verify({ family, union: ResourceEvent, directory: `${import.meta.dirname}/golden` })
  )
})
