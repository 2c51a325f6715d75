import { assert, describe, it } from "@effect/vitest"
import type { ContainerSummary, EngineEvent, LabelFilter } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { ContainerSource, TargetGone } from "../src/ContainerSource.ts"
import { watchAll } from "../src/Fleet.ts"
import * as Monitors from "../src/Monitor.ts"
import { recordItem } from "../src/Recorder.ts"
import { containerStream, family } from "../src/ResourceEvent.ts"
import * as SampleFile from "../src/SampleFile.ts"
import { SampleStore } from "../src/SampleStore.ts"
import type { SeriesItem } from "../src/Series.ts"
import { readingAt } from "./readings.ts"

const unavailable = new EngineUnavailable({
  operation: "list containers",
  endpoint: "unix:///nowhere",
  reason: "connection-lost",
  detail: "it restarts"
})

/** An engine in which containers come and go as the test says, and that may be down. */
const makeWorld = Effect.gen(function* () {
  // When the readings' clock begins.
  yield* TestClock.setTime(1_000_000)
  const events = yield* PubSub.unbounded<EngineEvent>()
  const containers = new Map<string, ContainerSummary>()
  const world = {
    containers,
    down: false,
    /** Whether a cut stream of events is what a subscriber gets. */
    deaf: false,
    listings: 0,
    reads: new Map<string, number>(),
    asked: undefined as LabelFilter | undefined,
    add: (id: string, status: ContainerSummary["status"] = "running") =>
      Effect.andThen(
        Effect.sync(() => {
          containers.set(id, { id, name: `name of ${id}`, image: "", labels: {}, status, createdAtMillis: 0 })
        }),
        tell("start", id)
      ),
    remove: (id: string) =>
      Effect.andThen(
        Effect.sync(() => containers.delete(id)),
        tell("destroy", id)
      )
  }
  const tell = (action: string, actorId: string) =>
    PubSub.publish(events, {
      atMillis: 0,
      timeNano: "0",
      type: "container",
      action,
      detail: undefined,
      actorId,
      attributes: {}
    })
  const upOr = <A>(answer: () => Effect.Effect<A, EngineUnavailable | TargetGone>) =>
    Effect.suspend(() => (world.down ? Effect.fail(unavailable) : answer()))
  const engine = Layer.mock(Engine)({
    endpoint: { kind: "explicit", address: "unix:///nowhere" },
    listContainers: (labels) =>
      Effect.suspend(() => {
        world.asked = labels
        world.listings++
        return world.down ? Effect.fail(unavailable) : Effect.succeed([...containers.values()])
      }),
    events: () => (world.deaf ? Stream.fail(unavailable) : Stream.fromPubSub(events))
  })
  const source = Layer.succeed(
    ContainerSource,
    ContainerSource.of({
      read: (target) =>
        upOr(() => {
          const { containerId } = target
          world.reads.set(containerId, (world.reads.get(containerId) ?? 0) + 1)
          if (!containers.has(containerId)) return Effect.fail(new TargetGone(target))
          return Effect.map(Clock.currentTimeMillis, (now) => readingAt(now / 1000 - 1000, 0.25))
        })
    })
  )
  const monitor = Layer.provideMerge(Monitors.layer, Layer.mergeAll(source, Memory.layer))
  return { world, layer: Layer.mergeAll(engine, monitor, SampleFile.layerMemory({ flushEvery: "1 hour" })) }
})

type World = Effect.Success<typeof makeWorld>["world"]

const inWorld = <A, E>(
  use: (world: World) => Effect.Effect<A, E, Engine | Monitors.Monitor | Journal | SampleStore | Scope.Scope>
) => Effect.flatMap(makeWorld, ({ layer, world }) => Effect.scoped(use(world)).pipe(Effect.provide(layer)))

/** Lets every fiber run that can: none of the test's fibers takes as many turns before it waits for the clock. */
const settled = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

const advance = (duration: Duration.Input) =>
  Effect.andThen(settled, Effect.andThen(TestClock.adjust(duration), settled))

const collect = () => {
  const items: Array<SeriesItem> = []
  return { items, onItem: (item: SeriesItem) => Effect.sync(() => void items.push(item)) }
}

const idOf = (item: SeriesItem) => (item._tag === "Sampled" ? item.sample.id : item.target.containerId)

describe("watchAll", () => {
  it.effect("watches what runs, takes in what starts and lets go of what is removed", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* world.add("a")
        yield* world.add("stopped", "exited")
        const { items, onItem } = collect()
        const fleet = yield* watchAll({ labels: { team: "x" }, refreshEvery: "1 hour", onItem })
        const ids = Effect.map(fleet.targets, (targets) => targets.map(({ containerId }) => containerId))
        assert.deepStrictEqual(world.asked, { team: "x" })
        assert.deepStrictEqual(yield* ids, ["a"])
        yield* advance(0)
        yield* world.add("b")
        yield* advance("2 seconds")
        assert.deepStrictEqual(yield* ids, ["a", "b"])
        yield* world.remove("a")
        yield* advance("1 second")
        assert.deepStrictEqual(yield* ids, ["b"])
        const [readsOfA, readsOfB] = [world.reads.get("a"), world.reads.get("b") ?? 0]
        yield* advance("10 seconds")
        assert.deepStrictEqual([world.reads.get("a"), world.reads.get("b")], [readsOfA, readsOfB + 10])
        assert.strictEqual(items.findLast((item) => idOf(item) === "a")?._tag, "Lost")
        const recorded = family.read(yield* Journal, containerStream("a"))
        assert.strictEqual((yield* Stream.runCollect(recorded))[0]?.payload._tag, "SamplerTargetLost")
      })
    )
  )

  it.effect("finds both without any event, at its next listing", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.deaf = true
        yield* world.add("a")
        const fleet = yield* watchAll({ refreshEvery: "5 seconds", interval: "1 hour" })
        yield* world.add("b")
        yield* world.remove("a")
        yield* advance("5 seconds")
        yield* advance("1 second")
        assert.deepStrictEqual(yield* fleet.targets, [{ containerId: "b", name: "name of b" }])
      })
    )
  )

  it.effect("keeps everybody's place while the engine is down, and goes on with all of them", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* world.add("a")
        yield* world.add("b")
        const { items, onItem } = collect()
        const fleet = yield* watchAll({ refreshEvery: "1 second", onItem })
        yield* advance("3 seconds")
        world.down = true
        yield* advance("10 seconds")
        assert.strictEqual((yield* fleet.targets).length, 2)
        assert.strictEqual((yield* Effect.flip(fleet.refresh))._tag, "EngineUnavailable")
        world.down = false
        yield* world.add("c")
        yield* advance("2 seconds")
        yield* advance("2 seconds")
        for (const id of ["a", "b", "c"])
          assert.strictEqual(items.findLast((item) => idOf(item) === id)?._tag, "Sampled", id)
        const missed = items.filter((item) => item._tag === "Missed" && idOf(item) === "a").length
        assert.isAtLeast(missed, 9)
      })
    )
  )

  it.effect("fails when the engine cannot be listed at the start", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        world.down = true
        assert.strictEqual((yield* Effect.flip(watchAll()))._tag, "EngineUnavailable")
      })
    )
  )

  it.effect("changes the interval of all, of one, and of those to come", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* world.add("a")
        yield* world.add("b")
        const fleet = yield* watchAll({ interval: "1 second", refreshEvery: "1 hour" })
        const a = { containerId: "a", name: "a" }
        const during = Effect.fnUntraced(function* (duration: Duration.Input) {
          const count = () => ["a", "b", "c"].map((id) => world.reads.get(id) ?? 0)
          const before = count()
          yield* advance(duration)
          return count().map((reads, index) => reads - (before[index] ?? 0))
        })
        yield* advance(0)
        assert.deepStrictEqual(yield* during("10 seconds"), [10, 10, 0])
        yield* fleet.setInterval("5 seconds", a)
        assert.deepStrictEqual(yield* during("10 seconds"), [2, 10, 0])
        yield* fleet.setInterval("2 seconds")
        assert.deepStrictEqual(yield* during("10 seconds"), [2, 5, 0])
        yield* world.add("c")
        yield* during("1 second")
        assert.deepStrictEqual(yield* during("20 seconds"), [4, 10, 10])
        for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
          assert.strictEqual((yield* Effect.flip(fleet.setInterval(wrong)))._tag, "InvalidInterval")
      })
    )
  )

  it.effect("holds nothing of a thousand containers that came and went", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const fleet = yield* watchAll({ refreshEvery: "1 hour", interval: "1 hour" })
        for (let turn = 0; turn < 10; turn++) {
          const ids = Array.from({ length: 100 }, (_, index) => `${turn}-${index}`)
          yield* Effect.forEach(ids, (id) => world.add(id), { discard: true })
          yield* fleet.refresh
          yield* settled
          const [target] = yield* fleet.targets
          if (target !== undefined) yield* fleet.setInterval("30 minutes", target)
          assert.strictEqual((yield* fleet.targets).length, 100)
          yield* Effect.forEach(ids, world.remove, { discard: true })
          yield* fleet.refresh
          yield* settled
          assert.deepStrictEqual(yield* fleet.targets, [])
        }
        const reads = [...world.reads.values()].reduce((sum, count) => sum + count, 0)
        assert.strictEqual(reads, 2000, "one while it lived, one that found it gone")
        yield* advance("5 hours")
        assert.strictEqual(
          [...world.reads.values()].reduce((sum, count) => sum + count, 0),
          reads
        )
        assert.isUndefined(yield* fleet.series("0-0"))
      })
    )
  )

  it.effect("lists a bounded number of times, however many events there are", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* watchAll({ refreshEvery: "1 hour", interval: "1 hour" })
        yield* advance(0)
        const before = world.listings
        for (let index = 0; index < 100; index++) {
          yield* world.add(`c${index}`)
          yield* advance("10 millis")
        }
        assert.isAtMost(world.listings - before, 5)
        yield* advance("1 second")
        assert.strictEqual(world.reads.size, 100)
      })
    )
  )

  it.effect("goes on for all when what is done with an item breaks", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* world.add("a")
        yield* world.add("b")
        yield* watchAll({ refreshEvery: "1 hour", onItem: () => Effect.die("a receiver's own bug") })
        yield* advance(0)
        yield* advance("3 seconds")
        assert.deepStrictEqual([world.reads.get("a"), world.reads.get("b")], [4, 4])
      })
    )
  )

  it.effect.each([
    [{ interval: 0 }, "InvalidInterval"],
    [{ refreshEvery: -1 }, "InvalidInterval"],
    [{ capacity: 0 }, "InvalidCapacity"]
  ] as const)("refuses %o, also where there is nothing to watch yet", ([options, tag]) =>
    inWorld(() =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(watchAll(options)))._tag, tag)
      })
    )
  )

  it.effect("starts nothing with metrics disabled", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        yield* world.add("a")
        const error = yield* Effect.flip(watchAll().pipe(Effect.provide(Monitors.layerDisabled)))
        assert.strictEqual(error._tag, "MetricsDisabled")
      })
    )
  )
})

describe("recordItem", () => {
  it.effect("puts samples, gaps and the end of a container into the store", () =>
    inWorld((world) =>
      Effect.gen(function* () {
        const store = yield* SampleStore
        yield* world.add("a")
        const onItem = (item: SeriesItem) => Effect.provideService(recordItem(item), SampleStore, store)
        yield* watchAll({ refreshEvery: "1 hour", onItem })
        yield* advance("1 second")
        world.down = true
        yield* advance("1 second")
        world.down = false
        yield* world.remove("a")
        yield* advance("1 second")
        const points = yield* store.points({ id: "a", metric: "cpuCores" })
        assert.deepStrictEqual(
          points.map((point) => (point._tag === "Measured" ? point.value : `${point._tag} ${point.reason}`)),
          ["Absent no-previous-reading", 0.25, "Missed EngineUnavailable", "Missed TargetGone"]
        )
      })
    )
  )
})
