import { assert, describe } from "@effect/vitest"
import { equals, eventually } from "@sbx/core/Expect"
import { Engine } from "@sbx/engine/Engine"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { watchAll } from "../src/Fleet.ts"
import type { SeriesItem } from "../src/Series.ts"
import { live } from "./liveMonitor.ts"
import { container } from "./testEngine.ts"

describe("watchAll on a real engine", () => {
  live("takes in a container that starts and lets go of one that is removed", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const mark = (yield* Random.nextIntBetween(0, 36 ** 6)).toString(36)
      const labels = { "sbx.test": "monitor", "sbx.test.fleet": mark }
      const spec = { labels, networkMode: "none", command: ["sleep", "60"] }
      const first = yield* container("fleet", spec)
      const sampled = yield* Deferred.make<void>()
      const lost = yield* Deferred.make<void>()
      const onItem = (item: SeriesItem) => {
        if (item._tag === "Lost" && item.target.containerId === first.containerId)
          return Deferred.succeed(lost, undefined)
        if (item._tag === "Sampled" && item.sample.id !== first.containerId) return Deferred.succeed(sampled, undefined)
        return Effect.void
      }
      const fleet = yield* watchAll({
        labels: { "sbx.test.fleet": mark },
        interval: "1 hour",
        refreshEvery: "20 seconds",
        onItem: (item) => Effect.asVoid(onItem(item))
      })
      assert.deepStrictEqual(yield* fleet.targets, [first])
      const second = yield* container("fleet", spec)
      yield* Deferred.await(sampled)
      yield* engine.removeContainer(first.containerId)
      yield* Deferred.await(lost)
      const ids = Effect.map(fleet.targets, (targets) => targets.map(({ containerId }) => containerId).join())
      const left = Effect.flatMap(ids, (found) => equals("watched containers", found, second.containerId))
      yield* eventually("one container watched", left, { within: "10 seconds" })
    })
  )
})
