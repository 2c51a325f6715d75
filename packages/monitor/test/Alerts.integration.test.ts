/** The life of an alert on a real container: its memory passes 80 % of the limit, goes back, passes again, and it is removed. */
import { assert, describe, it } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as AlertDelivery from "../src/AlertDelivery.ts"
import * as AlertReceiver from "../src/AlertReceiver.ts"
import * as Alerts from "../src/Alerts.ts"
import * as Monitors from "../src/Monitor.ts"
import { container, engineLayer } from "./testEngine.ts"

/** Takes 56 of 64 MiB in files of its memory when told so, and gives them back. Told twice it keeps them: dd begins with an empty file. */
const hog = [
  "sh",
  "-c",
  "trap '[ -e /dev/shm/hog ] || dd if=/dev/zero of=/dev/shm/hog bs=1M count=56 2>/dev/null' USR1; trap 'rm -f /dev/shm/hog' USR2; while :; do sleep 0.1; done"
]
const limit = 64 * 1024 * 1024

const live = Layer.provideMerge(
  Alerts.layer,
  Layer.provideMerge(Monitors.layerEngine, Layer.mergeAll(engineLayer, Memory.layer))
)

describe("an alert on a container", () => {
  it.live("fires when memory passes 80 %, resolves when it is back, and with the container's end", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { watch } = yield* Alerts.Alerts
      const told = yield* Queue.unbounded<string>()
      yield* AlertDelivery.start([
        AlertReceiver.callback("test", ({ event }) =>
          Queue.offer(told, event._tag === "AlertResolved" ? event.reason : `${event._tag} ${event.rule}`)
        )
      ])
      const target = yield* container("alert", {
        command: hog,
        host: { networkMode: "none", memoryBytes: limit, memorySwapBytes: limit }
      })
      yield* watch(target, { interval: "100 millis" })
      /** Sent until it shows: a shell that has not set its trap yet, as process 1, does not get it. Twice does no harm. */
      const after = (signal: string) =>
        Effect.raceFirst(
          Queue.take(told),
          Effect.repeat(engine.killContainer(target.containerId, signal), Schedule.spaced("500 millis"))
        )
      assert.strictEqual(yield* after("SIGUSR1"), "AlertFired memory-high")
      assert.strictEqual(yield* after("SIGUSR2"), "recovered")
      assert.strictEqual(yield* after("SIGUSR1"), "AlertFired memory-high")
      yield* engine.removeContainer(target.containerId)
      assert.strictEqual(yield* Queue.take(told), "target-lost")
      const history = yield* Stream.runCollect(Alerts.history())
      assert.deepStrictEqual(
        history.map(({ payload }) => payload.episode),
        [1, 1, 2, 2]
      )
      const [first] = history
      assert.isTrue(first?.payload._tag === "AlertFired" && first.payload.value > 80 && first.payload.value < 100)
    }).pipe(Effect.scoped, Effect.provide(live))
  )
})
