import { assert, describe, it } from "@effect/vitest"
import { Journal } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AlertDelivery from "../src/AlertDelivery.ts"
import type { AlertNotice } from "../src/AlertNotice.ts"
import { notices } from "../src/AlertNotice.ts"
import type { AlertReceiver } from "../src/AlertReceiver.ts"
import * as AlertReceivers from "../src/AlertReceiver.ts"
import * as Alerts from "../src/Alerts.ts"
import { ContainerSource } from "../src/ContainerSource.ts"
import * as Monitors from "../src/Monitor.ts"
import { family } from "../src/ResourceEvent.ts"
import { alerts, base, feed, memoryRule, web, world } from "./alertWorld.ts"
import { readingAt } from "./readings.ts"

interface Inbox extends AlertReceiver {
  readonly taken: Array<AlertNotice>
  attempts: number
  /** Completes when this many notices were taken. */
  readonly has: (count: number) => Effect.Effect<void>
}

/** Takes what `before` lets through. `before` is told which attempt it is. */
const inbox = (name: string, before: (attempt: number) => Effect.Effect<void, unknown> = () => Effect.void): Inbox => {
  const taken: Array<AlertNotice> = []
  const waiting: Array<{ readonly count: number; readonly done: Deferred.Deferred<void> }> = []
  const self: Inbox = {
    name,
    taken,
    attempts: 0,
    deliver: (notice) =>
      Effect.gen(function* () {
        yield* before(++self.attempts)
        taken.push(notice)
        for (const { count, done } of waiting) if (taken.length >= count) yield* Deferred.succeed(done, undefined)
      }),
    has: Effect.fnUntraced(function* (count: number) {
      if (taken.length >= count) return
      const done = yield* Deferred.make<void>()
      waiting.push({ count, done })
      yield* Deferred.await(done)
    })
  }
  return self
}

const tagsOf = ({ taken }: Inbox) => taken.map(({ event }) => event._tag)
const idsOf = ({ taken }: Inbox) => taken.map(({ id }) => id)
const scoped = <A, E>(effect: Effect.Effect<A, E, Alerts.Alerts | Journal | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(world()), Effect.orDie)

/** Tags of the events about a receiver. */
const reports = (receiver: string) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const events = yield* Stream.runCollect(family.read(journal, family.stream(`receiver/${receiver}`)))
    return events.map(({ payload }) => payload)
  })

describe("a receiver", () => {
  it.effect("is told every event of every alert once, in the journal's order, with an id of its own", () =>
    scoped(
      Effect.gen(function* () {
        const box = inbox("box")
        yield* AlertDelivery.start([box])
        const give = yield* feed()
        const other = yield* feed({ containerId: "decaf0", name: "db" })
        yield* give(85)
        yield* other(85)
        yield* give(10, 85)
        yield* other(10)
        yield* box.has(5)
        assert.deepStrictEqual(tagsOf(box), [
          "AlertFired",
          "AlertFired",
          "AlertResolved",
          "AlertFired",
          "AlertResolved"
        ])
        const stream = yield* Stream.runCollect(Stream.take(notices(), 5))
        assert.deepStrictEqual(box.taken, stream)
        assert.strictEqual(new Set(idsOf(box)).size, 5)
      })
    )
  )

  it.effect("that fails twice is told again after growing pauses and takes it", () =>
    scoped(
      Effect.gen(function* () {
        const at: Array<number> = []
        const box = inbox("box", (attempt) =>
          Effect.andThen(
            Effect.map(Clock.currentTimeMillis, (millis) => at.push(millis)),
            attempt <= 2 ? Effect.fail("not now") : Effect.void
          )
        )
        yield* AlertDelivery.start([box], { firstPause: "1 second" })
        const give = yield* feed()
        yield* give(85)
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("2 seconds")
        yield* box.has(1)
        assert.strictEqual(box.attempts, 3)
        const [first = 0, second = 0, third = 0] = at
        assert.isTrue(second - first >= 500 && second - first <= 1000, String(at))
        assert.isTrue(third - second >= 1000 && third - second <= 2000, String(at))
        assert.deepStrictEqual(yield* reports("box"), [])
      })
    )
  )

  it.effect.each([
    ["fails", () => Effect.fail("no")],
    ["dies", () => Effect.die(new Error("no"))],
    [
      "throws",
      () => {
        throw new Error("no")
      }
    ],
    ["hangs", () => Effect.never]
  ] as const)("that always %s is reported once, is tried on, and the others are told at once", ([, spoil]) =>
    scoped(
      Effect.gen(function* () {
        const bad: AlertReceiver = { name: "bad", deliver: spoil }
        const box = inbox("box")
        yield* AlertDelivery.start([bad, box], { attemptTimeout: "1 second", reportAfter: 3 })
        const give = yield* feed()
        yield* give(85)
        // No time has passed.
        yield* box.has(1)
        assert.deepStrictEqual(yield* reports("bad"), [])
        yield* TestClock.adjust("10 minutes")
        const [stalled, ...more] = yield* reports("bad")
        assert.deepStrictEqual(more, [])
        assert.isTrue(
          stalled?._tag === "AlertDeliveryStalled" &&
            stalled.attempts === 3 &&
            stalled.position === box.taken[0]?.position &&
            stalled.detail !== ""
        )
        yield* give(10)
        yield* box.has(2)
      })
    )
  )

  it.effect("that comes back takes all it has missed, in order, and says so", () =>
    scoped(
      Effect.gen(function* () {
        const broken = yield* Ref.make(true)
        const box = inbox("box", () =>
          Effect.flatMap(Ref.get(broken), (is) => (is ? Effect.fail("broken") : Effect.void))
        )
        yield* AlertDelivery.start([box], { reportAfter: 2 })
        const give = yield* feed()
        yield* give(85, 10, 85, 10)
        yield* TestClock.adjust("1 hour")
        yield* Ref.set(broken, false)
        yield* TestClock.adjust("1 minute")
        yield* box.has(4)
        assert.deepStrictEqual(tagsOf(box), ["AlertFired", "AlertResolved", "AlertFired", "AlertResolved"])
        assert.deepStrictEqual(
          (yield* reports("box")).map(({ _tag }) => _tag),
          ["AlertDeliveryStalled", "AlertDeliveryRecovered"]
        )
      })
    )
  )
})

describe("over restarts", () => {
  const run = (box: Inbox, work: Effect.Effect<void, unknown, Alerts.Alerts | Journal | Scope.Scope>) =>
    Effect.andThen(AlertDelivery.start([box]), work).pipe(Effect.scoped, Effect.provide(alerts()), Effect.orDie)

  it.effect("goes on after the last notice taken; what was under way comes again with the same id", () =>
    Effect.gen(function* () {
      const hanging = inbox("box", (attempt) => (attempt === 2 ? Effect.never : Effect.void))
      yield* run(
        hanging,
        Effect.gen(function* () {
          const give = yield* feed()
          yield* give(85, 10)
          yield* hanging.has(1)
          yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => hanging.attempts === 2 }))
        })
      )
      const journal = yield* Journal
      assert.strictEqual(yield* AlertDelivery.checkpointOf(journal, "box"), hanging.taken[0]?.position)
      const box = inbox("box")
      yield* run(
        box,
        Effect.gen(function* () {
          const give = yield* feed()
          yield* give(85)
          yield* box.has(2)
        })
      )
      assert.deepStrictEqual(tagsOf(box), ["AlertResolved", "AlertFired"])
      const all = yield* Stream.runCollect(Stream.take(notices(), 3))
      assert.deepStrictEqual(
        [...idsOf(hanging), ...idsOf(box)],
        all.map(({ id }) => id)
      )
    }).pipe(Effect.provide(base))
  )

  it.effect("a new receiver begins with the first alert, or with the next where that is asked for", () =>
    scoped(
      Effect.gen(function* () {
        const give = yield* feed()
        yield* give(85)
        const [early, late] = [inbox("early"), inbox("late")]
        yield* AlertDelivery.start([early])
        yield* AlertDelivery.start([late], { from: "now" })
        yield* give(10)
        yield* early.has(2)
        yield* late.has(1)
        assert.deepStrictEqual(tagsOf(late), ["AlertResolved"])
      })
    )
  )

  it.effect("stops with its scope", () =>
    scoped(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const [mortal, other] = [inbox("mortal"), inbox("other")]
        yield* Scope.provide(AlertDelivery.start([mortal]), scope)
        yield* Scope.close(scope, Exit.void)
        yield* AlertDelivery.start([other])
        yield* Effect.flatMap(feed(), (give) => give(85))
        yield* other.has(1)
        assert.strictEqual(mortal.attempts, 0)
      })
    )
  )
})

describe("names of receivers", () => {
  it.effect.each([
    ["name", ["Ops!"]],
    ["name", [""]],
    ["duplicate-name", ["ops", "ops"]]
  ] as const)("are refused: %s of %j", ([fault, names]) =>
    scoped(
      Effect.gen(function* () {
        const error = yield* Effect.flip(AlertDelivery.start(names.map((name) => inbox(name))))
        assert.isTrue(error._tag === "InvalidReceiver" && error.fault === fault)
        assert.match(error.message, /^Could not deliver alerts to /)
      })
    )
  )
})

describe("sampling", () => {
  it.effect("keeps its times while one receiver hangs and another always fails", () => {
    const readAt: Array<number> = []
    const source = ContainerSource.of({
      read: () =>
        Effect.map(Clock.currentTimeMillis, (millis) => {
          readAt.push(millis)
          return readingAt(millis / 1000, 0.25)
        })
    })
    return Effect.gen(function* () {
      const { watch } = yield* Alerts.Alerts
      const box = inbox("box")
      const hanging = inbox("hanging", () => Effect.never)
      yield* AlertDelivery.start([hanging, inbox("failing", () => Effect.fail("no")), box])
      yield* watch(web, { interval: "1 second" })
      yield* TestClock.adjust("30 seconds")
      yield* box.has(1)
      assert.isAtLeast(hanging.attempts, 2)
      assert.deepStrictEqual(
        readAt,
        Array.from({ length: 31 }, (_, index) => index * 1000)
      )
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(
          alerts([{ ...memoryRule, threshold: 40 }]),
          Layer.provideMerge(Monitors.layer, Layer.mergeAll(Layer.succeed(ContainerSource, source), base))
        )
      )
    )
  })
})

describe("the ready-made receivers", () => {
  const fired: AlertNotice = {
    id: "jrn_a:7",
    position: 7,
    event: {
      _tag: "AlertFired",
      rule: "memory",
      containerId: "c0ffee",
      name: "web",
      episode: 2,
      atMillis: 1000,
      severity: "critical",
      metric: "memoryPercentOfLimit",
      comparison: ">",
      threshold: 80,
      value: 84.2139,
      heldMillis: 0
    }
  }

  it("say what happened in one sentence", () => {
    const { rule, containerId, name, episode, atMillis } = fired.event
    const of = { rule, containerId, name, episode, atMillis }
    assert.deepStrictEqual(
      [
        fired.event,
        { _tag: "AlertAcknowledged", ...of, by: "op", note: "" } as const,
        { _tag: "AlertAcknowledged", ...of, by: "op", note: "on it" } as const,
        { _tag: "AlertResolved", ...of, reason: "recovered", value: 71 } as const,
        { _tag: "AlertResolved", ...of, reason: "target-lost" } as const
      ].map(AlertReceivers.describe),
      [
        "memory on web fires (#2): memoryPercentOfLimit is 84.21, > 80",
        "memory on web is acknowledged by op (#2)",
        "memory on web is acknowledged by op (#2): on it",
        "memory on web is resolved (#2): 71",
        "memory on web is resolved (#2): the container is gone"
      ]
    )
  })

  it.effect("call an effect, or write to the log", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* AlertReceivers.callback("mine", (notice) => Effect.sync(() => seen.push(notice.id))).deliver(fired)
      assert.deepStrictEqual(seen, ["jrn_a:7"])
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.provide(AlertReceivers.log.deliver(fired), Logger.layer([logger]))
      assert.deepStrictEqual(lines, [`Error ${AlertReceivers.describe(fired.event)}`])
    })
  )
})
