import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import * as EventFamily from "@sbx/journal/EventFamily"
import * as EventRegistry from "@sbx/journal/EventRegistry"
import * as Journal from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import golden from "./fixtures/golden/test-family.json" with { type: "json" }

const Counting = Schema.TaggedUnion({
  Counted: { n: Schema.Finite, unit: Schema.Literals(["piece", "box"]) },
  Renamed: { to: Schema.String, from: Schema.optionalKey(Schema.String) }
})

// Version 1 kept `n` as text, version 2 had no unit.
const CountedV1 = Schema.Struct({ n: Schema.FiniteFromString })
const counting = EventFamily.make({
  category: "counting",
  union: Counting,
  upcasts: { Counted: [EventFamily.upcastWith(CountedV1), (payload) => ({ ...payload, unit: "piece" })] }
})

const Moving = Schema.Union([
  Schema.TaggedStruct("Moved", { at: Schema.DateTimeUtc, size: Schema.BigInt }),
  // Not 0: JSON has no negative zero.
  Schema.TaggedStruct("Renamed", { id: Schema.Int.pipe(Schema.check(Schema.isGreaterThan(0))) })
]).pipe(Schema.toTaggedUnion("_tag"))
const moving = EventFamily.make({ category: "moving", union: Moving })

const one = counting.stream("one")
const recorded = (event: Partial<Journal.Recorded>): Journal.Recorded => ({
  position: 4,
  stream: one,
  version: 2,
  type: "Counted",
  schemaVersion: 3,
  payload: {},
  eventId: "jrn_x:4",
  recordedAtMillis: 0,
  epoch: 1,
  ...event
})

describe("EventFamily", () => {
  it.effect.each(golden)("decodes the released event $type@$schemaVersion", ({ type, schemaVersion, payload, event }) =>
    Effect.gen(function* () {
      assert.deepStrictEqual<unknown>(yield* counting.decode(recorded({ type, schemaVersion, payload })), event)
    })
  )

  it.effect("has a golden event for every version that may be on disk", () =>
    Effect.sync(() => {
      const released = new Set(golden.map((g) => `${g.type}@${g.schemaVersion}`))
      for (const [type, newest] of counting.versions) {
        for (let version = 1; version <= newest; version++) assert.isTrue(released.has(`${type}@${version}`))
      }
    })
  )

  it.effect("writes only the newest version, without the tag in the payload", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(
        [...counting.versions],
        [
          ["Counted", 3],
          ["Renamed", 1]
        ]
      )
      assert.deepStrictEqual(counting.encode({ _tag: "Counted", n: 1, unit: "box" }), {
        type: "Counted",
        schemaVersion: 3,
        payload: { n: 1, unit: "box" }
      })
    })
  )

  it.effect.prop("gives back every event that it encodes", { event: Moving }, ({ event }) =>
    Effect.gen(function* () {
      const { type, schemaVersion, payload } = moving.encode(event)
      const json = Schema.fromJsonString(Schema.Json)
      const stored = yield* Schema.decodeEffect(json)(yield* Schema.encodeEffect(json)(payload))
      const stream = moving.stream("m")
      assert.deepStrictEqual(yield* moving.decode(recorded({ stream, type, schemaVersion, payload: stored })), event)
    })
  )

  it.effect("carries an unknown type, a newer version and a foreign category", () =>
    Effect.gen(function* () {
      const foreign = Journal.streamName("other", "x")
      for (const event of [{ type: "Invented" }, { schemaVersion: 4 }, { stream: foreign }, { schemaVersion: 0 }]) {
        const input = recorded({ payload: { k: 1 }, ...event })
        assert.deepStrictEqual<unknown>(yield* counting.decode(input), {
          _tag: "UnknownEvent",
          category: Journal.categoryOf(input.stream),
          type: input.type,
          schemaVersion: input.schemaVersion,
          payload: { k: 1 }
        })
      }
    })
  )

  it.effect("fails typed on a known event that does not fit, be it by schema, by upcast or by shape", () =>
    Effect.gen(function* () {
      const cases = [
        { schemaVersion: 3, payload: { n: "seven", unit: "box" }, fact: /number/ },
        { schemaVersion: 1, payload: { n: "seven" }, fact: /n/ },
        { schemaVersion: 2, payload: [1], fact: /not an object/ }
      ]
      for (const { fact, ...event } of cases) {
        const error = yield* Effect.flip(counting.decode(recorded(event)))
        assert.strictEqual(error._tag, "EventUndecodable")
        assert.deepStrictEqual([error.position, error.type, error.schemaVersion], [4, "Counted", event.schemaVersion])
        assert.match(error.issue, fact)
        assert.include(error.message, `Counted@${event.schemaVersion} at position 4`)
      }
    })
  )

  it.effect("appends, reads and replays typed events", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.Journal
      const events = [
        { _tag: "Counted", n: 1, unit: "box" },
        { _tag: "Renamed", to: "b" }
      ] as const
      yield* counting.append(journal, one, events, { expected: Journal.noStream })
      yield* moving.append(journal, moving.stream("m"), [{ _tag: "Renamed", id: 3 }], { expected: Journal.noStream })
      const read = yield* Stream.runCollect(counting.read(journal, one))
      assert.deepStrictEqual(
        read.map((e) => e.payload),
        [...events]
      )
      assert.deepStrictEqual(
        read.map((e) => e.position),
        [1, 2]
      )
      const replayed = yield* Stream.runCollect(counting.replay(journal, { types: ["Renamed"] }))
      assert.deepStrictEqual(
        replayed.map((e) => e.payload),
        [events[1]]
      )
      const wrong = counting.append(journal, moving.stream("m"), events, { expected: Journal.any })
      assert.include(String(yield* Effect.exit(wrong)), "not in category counting")
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("streams typed events from the past into the present, and goes on over unknown ones", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.Journal
      const count = (n: number) =>
        counting.append(journal, one, [{ _tag: "Counted", n, unit: "box" }], { expected: Journal.any })
      yield* count(1)
      const live = yield* counting.events(journal).pipe(Stream.take(3), Stream.runCollect, Effect.forkChild)
      yield* journal.append(one, [{ type: "Invented", schemaVersion: 1, payload: 5 }], { expected: Journal.any })
      yield* count(2)
      const seen = (yield* Fiber.join(live)).map((e) => (e.payload._tag === "Counted" ? e.payload.n : e.payload._tag))
      assert.deepStrictEqual(seen, [1, "UnknownEvent", 2])
      const marks = counting.subscribe(journal, { from: Journal.after(2), types: ["Renamed"] })
      const [mark] = yield* Stream.runCollect(Stream.take(marks, 1))
      assert.deepStrictEqual(mark, { _tag: "CaughtUp", position: 3 })
    }).pipe(Effect.provide(Memory.layer))
  )
})

describe("EventRegistry", () => {
  const both = EventRegistry.make(counting, moving)

  it.effect("decodes each event by its category, also where two families share a type", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.Journal
      yield* counting.append(journal, one, [{ _tag: "Renamed", to: "b" }], { expected: Journal.any })
      yield* moving.append(journal, moving.stream("m"), [{ _tag: "Renamed", id: 3 }], { expected: Journal.any })
      const stranger = Journal.streamName("stranger", "s")
      yield* journal.append(stranger, [{ type: "Renamed", schemaVersion: 1, payload: 1 }], { expected: Journal.any })
      const payloads = (yield* Stream.runCollect(both.replay(journal))).map((e) => e.payload)
      assert.deepStrictEqual<unknown>(payloads.slice(0, 2), [
        { _tag: "Renamed", to: "b" },
        { _tag: "Renamed", id: 3 }
      ])
      assert.strictEqual(payloads[2]?._tag, "UnknownEvent")
      const live = yield* Stream.runCollect(Stream.take(both.events(journal), 3))
      assert.deepStrictEqual(
        live.map((e) => e.payload),
        payloads
      )
      assert.deepStrictEqual(
        both.known.map((k) => `${k.category}/${k.type}@${k.schemaVersion}`),
        ["counting/Counted@3", "counting/Renamed@1", "moving/Moved@1", "moving/Renamed@1"]
      )
    }).pipe(Effect.provide(Memory.layer))
  )

  it.effect("refuses two families of one category", () =>
    Effect.sync(() => assert.throws(() => EventRegistry.make(counting, counting), /one category/))
  )
})
