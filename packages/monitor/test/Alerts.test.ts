import { assert, describe, it } from "@effect/vitest"
import { Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as AlertDelivery from "../src/AlertDelivery.ts"
import type { AlertNotice } from "../src/AlertNotice.ts"
import { callback } from "../src/AlertReceiver.ts"
import * as Alerts from "../src/Alerts.ts"
import { ContainerSource, TargetGone } from "../src/ContainerSource.ts"
import * as Monitors from "../src/Monitor.ts"
import {
  alerts,
  base,
  feed,
  firstNotices,
  holdingBack,
  key,
  memoryRule,
  refusing,
  ringOf,
  told,
  web,
  world
} from "./alertWorld.ts"
import { readingAt } from "./readings.ts"

const scoped = <A, E>(effect: Effect.Effect<A, E, Alerts.Alerts | Journal | Monitors.Monitor | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(world()), Effect.orDie)

const phases = Effect.gen(function* () {
  const { current } = yield* Alerts.Alerts
  return (yield* current).map(({ phase }) => phase)
})

describe("judging a series", () => {
  it.effect("puts an episode on record once, and its end", () =>
    scoped(
      Effect.gen(function* () {
        const give = yield* feed()
        yield* give(10, 85, 90, undefined, "missed", 85)
        assert.deepStrictEqual(yield* phases, ["firing"])
        yield* give(20)
        assert.deepStrictEqual(yield* phases, ["resolved"])
        assert.deepStrictEqual(yield* told, ["AlertFired 1", "recovered 1"])
      })
    )
  )

  it.effect("resolves what fires when the container is removed, and forgets the container", () =>
    scoped(
      Effect.gen(function* () {
        const give = yield* feed()
        yield* give(85)
        yield* give("lost")
        assert.deepStrictEqual(yield* told, ["AlertFired 1", "target-lost 1"])
        assert.deepStrictEqual(yield* phases, [])
        assert.deepStrictEqual(yield* Alerts.firing, [])
      })
    )
  )

  it.effect("judges by each rule that selects the container, and by no other", () =>
    Effect.gen(function* () {
      const give = yield* feed()
      yield* give(85)
      const events = yield* Stream.runCollect(Alerts.history())
      assert.deepStrictEqual(
        events.map(({ payload, stream }) => [payload.rule, stream]),
        [
          ["by-id", "resource/alert/by-id/c0ffee"],
          ["by-name", "resource/alert/by-name/c0ffee"]
        ]
      )
      assert.strictEqual((yield* Stream.runCollect(Alerts.history({ rule: "by-id" }))).length, 1)
      assert.strictEqual((yield* Stream.runCollect(Alerts.history({ containerId: "other" }))).length, 0)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        world([
          { ...memoryRule, name: "by-id", selector: { _tag: "ids", ids: ["c0ffee"] } },
          { ...memoryRule, name: "by-name", selector: { _tag: "names", names: ["web"] } },
          { ...memoryRule, name: "other-name", selector: { _tag: "names", names: ["db"] } }
        ])
      )
    )
  )

  it.effect("takes the labels from the target, and refuses one whose labels a rule needs and nobody gave", () =>
    Effect.gen(function* () {
      const { attach, current } = yield* Alerts.Alerts
      const error = yield* Effect.flip(attach(web, { items: Stream.never }))
      assert.strictEqual(error._tag, "LabelsUnknown")
      assert.include(error.message, "Could not watch web")
      yield* attach({ ...web, labels: { tier: "back" } }, { items: Stream.never })
      assert.strictEqual((yield* current).length, 0)
      yield* attach({ ...web, labels: { tier: "front", owner: "me" } }, { items: Stream.never })
      assert.strictEqual((yield* current).length, 1)
    }).pipe(
      Effect.scoped,
      Effect.provide(world([{ ...memoryRule, selector: { _tag: "labels", labels: { tier: "front" } } }]))
    )
  )

  it.effect("counts a time once, however many series of one container it is given", () =>
    Effect.gen(function* () {
      const first = yield* feed()
      const second = yield* feed()
      for (let i = 0; i < 3; i++) {
        yield* first(85)
        yield* second(85)
      }
      // What each gives is an item and a gap, so that nothing is ever held for longer than no time.
      assert.deepStrictEqual(yield* told, [])
      yield* first(85, 85, 85)
      yield* second(10)
      assert.deepStrictEqual(yield* phases, ["pending"])
      yield* first(85, 85)
      assert.deepStrictEqual(yield* told, ["AlertFired 1"])
    }).pipe(Effect.scoped, Effect.provide(world([{ ...memoryRule, for: "3 seconds" }])))
  )

  it.effect("begins a pending time anew when the series that fed it ends and another takes over", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(feed(), scope)
      const second = yield* feed()
      yield* first(85, 85, 85)
      assert.deepStrictEqual(yield* phases, ["pending"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* phases, ["inactive"])
      yield* second(85, 85, 85)
      assert.deepStrictEqual(yield* told, [])
      yield* second(85, 85)
      assert.deepStrictEqual(yield* told, ["AlertFired 1"])
    }).pipe(Effect.scoped, Effect.provide(world([{ ...memoryRule, for: "3 seconds" }])))
  )

  it.effect("tries again with the next sample what the journal refused, and loses nothing", () => {
    let full = true
    const refused = { count: 0 }
    const journal = refusing(() => full, refused)
    return Effect.gen(function* () {
      const give = yield* feed()
      yield* give(85)
      assert.deepStrictEqual([refused.count, yield* phases], [1, ["inactive"]])
      full = false
      yield* give(86)
      full = true
      yield* give(10)
      assert.deepStrictEqual(yield* phases, ["firing"])
      full = false
      yield* give(10)
      assert.deepStrictEqual(yield* told, ["AlertFired 1", "recovered 1"])
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(alerts(), Layer.mergeAll(Monitors.layerDisabled, journal)))
    )
  })
})

describe("a series that is read too slowly", () => {
  it.effect("has a gap where its ring has dropped items: that time does not count as held", () =>
    Effect.gen(function* () {
      const { attach } = yield* Alerts.Alerts
      const series = ringOf(85, 85, "dropped", "dropped", 85)
      yield* attach(web, series)
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => series.read.count === 1 }))
      assert.deepStrictEqual([yield* phases, yield* told], [["pending"], []])
    }).pipe(Effect.scoped, Effect.provide(world([{ ...memoryRule, for: "2 seconds" }])))
  )
})

describe("a series that is attached again", () => {
  it.effect("is not judged twice by what its ring still holds", () =>
    scoped(
      Effect.gen(function* () {
        const { attach } = yield* Alerts.Alerts
        const series = ringOf(85, 10, 12)
        for (const readers of [1, 2]) {
          const scope = yield* Scope.make()
          yield* Scope.provide(attach(web, series), scope)
          yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => series.read.count === readers }))
          yield* Scope.close(scope, Exit.void)
        }
        assert.deepStrictEqual(yield* told, ["AlertFired 1", "recovered 1"])
      })
    )
  )
})

describe("a process that starts later", () => {
  it.effect("goes on with the open episode and its acknowledgement", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const { acknowledge } = yield* Alerts.Alerts
        const give = yield* feed()
        yield* give(85)
        yield* acknowledge(key, { by: "op", note: "on it" })
      }).pipe(Effect.scoped, Effect.provide(alerts()))
      yield* Effect.gen(function* () {
        const give = yield* feed()
        yield* give(90)
        assert.deepStrictEqual(yield* told, ["AlertFired 1", "AlertAcknowledged 1"])
        const [fires] = yield* Alerts.firing
        assert.strictEqual(fires?.episode.acknowledged?.by, "op")
        const [alert] = yield* (yield* Alerts.Alerts).current
        assert.deepStrictEqual(alert?.state.episode, fires?.episode)
        yield* give(10, 85)
        assert.deepStrictEqual((yield* told).slice(2), ["recovered 1", "AlertFired 2"])
      }).pipe(Effect.scoped, Effect.provide(alerts()))
    }).pipe(Effect.provide(base))
  )

  it.effect("resolves, when it resumes, the alerts of containers that are gone", () => {
    const gone = Layer.succeed(
      ContainerSource,
      ContainerSource.of({ read: (target) => Effect.fail(new TargetGone(target)) })
    )
    return Effect.gen(function* () {
      yield* Effect.flatMap(feed(), (give) => give(85)).pipe(Effect.scoped, Effect.provide(alerts()))
      yield* Effect.gen(function* () {
        const { resume } = yield* Alerts.Alerts
        assert.deepStrictEqual(yield* resume(), [web])
        const [, resolved] = yield* firstNotices(2)
        assert.isTrue(resolved?.event._tag === "AlertResolved" && resolved.event.reason === "target-lost")
        assert.deepStrictEqual(yield* resume(), [])
      }).pipe(Effect.scoped, Effect.provide(alerts()))
    }).pipe(Effect.provide(Layer.provideMerge(Monitors.layer, Layer.mergeAll(gone, base))))
  })
})

describe("a journal in a file", () => {
  it.live("keeps the episode, the acknowledgement and what a receiver has taken, over closing and opening", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "sbx-alerts-"))),
        (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
      )
      /** One process's life: opens the file, judges the values, waits for so many notices, and closes it. */
      const life = (values: ReadonlyArray<number>, count: number, acknowledges: boolean) =>
        Effect.gen(function* () {
          const box = yield* Queue.unbounded<AlertNotice>()
          yield* AlertDelivery.start([callback("box", (notice) => Queue.offer(box, notice))])
          const give = yield* feed()
          yield* give(...values)
          if (acknowledges) yield* (yield* Alerts.Alerts).acknowledge(key, { by: "op" })
          const taken = yield* Queue.takeN(box, count)
          // The checkpoint is written after the notice was taken.
          const journal = yield* Journal
          const last = taken.at(-1)?.position
          yield* AlertDelivery.checkpointOf(journal, "box").pipe(
            Effect.tap(() => Effect.sleep("1 millis")),
            Effect.repeat({ until: (position) => position === last })
          )
          return taken.map(({ event }) => `${event._tag} ${event.episode}`)
        }).pipe(
          Effect.scoped,
          Effect.provide(
            Layer.provideMerge(
              alerts(),
              Layer.mergeAll(Monitors.layerDisabled, Sqlite.layer({ path: path.join(directory, "journal.sqlite") }))
            )
          )
        )
      assert.deepStrictEqual(yield* life([85], 2, true), ["AlertFired 1", "AlertAcknowledged 1"])
      assert.deepStrictEqual(yield* life([90, 10, 85], 2, false), ["AlertResolved 1", "AlertFired 2"])
    }).pipe(Effect.scoped)
  )
})

describe("acknowledge", () => {
  it.effect("does not bring back an alert that was resolved before its answer came", () => {
    const held = holdingBack("AlertAcknowledged")
    return Effect.gen(function* () {
      const { acknowledge } = yield* Alerts.Alerts
      const give = yield* feed()
      yield* give(85)
      const answer = yield* Effect.forkChild(acknowledge(key, { by: "op" }), { startImmediately: true })
      yield* held.appended
      yield* give(10)
      yield* held.release
      yield* Fiber.join(answer)
      assert.deepStrictEqual(yield* phases, ["resolved"])
      yield* give(85)
      assert.deepStrictEqual(yield* told, ["AlertFired 1", "AlertAcknowledged 1", "recovered 1", "AlertFired 2"])
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(alerts(), Layer.mergeAll(Monitors.layerDisabled, held.layer)))
    )
  })

  it.effect("refuses what does not fire, and needs neither rule nor watcher", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(feed(), (give) => give(85)).pipe(Effect.scoped, Effect.provide(alerts()))
      yield* Effect.gen(function* () {
        const { acknowledge } = yield* Alerts.Alerts
        const error = yield* Effect.flip(acknowledge({ ...key, rule: "none" }, { by: "op" }))
        assert.strictEqual(error._tag, "AlertNotFiring")
        yield* acknowledge(key, { by: "op" })
        yield* acknowledge(key, { by: "second" })
        const events = yield* Stream.runCollect(Alerts.history())
        assert.deepStrictEqual(
          events.flatMap(({ payload }) => (payload._tag === "AlertAcknowledged" ? [payload.by] : [])),
          ["op"]
        )
      }).pipe(Effect.provide(alerts([])))
    }).pipe(Effect.provide(base))
  )
})

describe("watch", () => {
  const reading = (cores: () => number) =>
    Layer.succeed(
      ContainerSource,
      ContainerSource.of({
        read: () => Effect.map(Clock.currentTimeMillis, (millis) => readingAt(millis / 1000, cores()))
      })
    )

  it.effect("samples, judges by the sampler's own intervals, and ends with its scope", () =>
    Effect.gen(function* () {
      const { current, watch } = yield* Alerts.Alerts
      const scope = yield* Scope.make()
      yield* Scope.provide(watch(web, { interval: "2 seconds" }), scope)
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(
        (yield* current).map(({ phase }) => phase),
        ["pending"]
      )
      yield* TestClock.adjust("2 seconds")
      const [fired] = yield* firstNotices(1)
      // Samples at 0 s (no rate yet), 2, 4 and 6 s.
      assert.isTrue(fired?.event._tag === "AlertFired" && fired.event.heldMillis === 4000)
      assert.strictEqual(fired?.event.atMillis, 6000)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* current, [])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          alerts([{ name: "cpu", metric: "cpuPercentOfLimit", threshold: 90, for: "4 seconds" }]),
          Layer.provideMerge(
            Monitors.layer,
            Layer.mergeAll(
              reading(() => 0.49),
              base
            )
          )
        )
      )
    )
  )

  it.effect("gives the sampler's refusals", () =>
    scoped(
      Effect.gen(function* () {
        const { watch } = yield* Alerts.Alerts
        assert.strictEqual((yield* Effect.flip(watch(web)))._tag, "MetricsDisabled")
        const { current } = yield* Alerts.Alerts
        assert.deepStrictEqual(yield* current, [])
      })
    )
  )
})
