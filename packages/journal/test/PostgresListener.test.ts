/** What wakes a subscriber of another process: the notification, or without it the look that comes every second. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, PubSub, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Postgres from "@sbx/journal/Postgres"
import { makeHub } from "../src/internal/hub.ts"
import { watch } from "../src/internal/postgresListener.ts"
import { openReader } from "../src/internal/postgresStorage.ts"
import { event, stream } from "./laws.ts"
import { freshPlace, run } from "./postgresServer.ts"

const append = (n: number) =>
  Effect.flatMap(Journal.Journal, (journal) => journal.append(stream("a"), [event(n)], { expected: Journal.any }))

/** A fresh journal, and a watch on it whose listening or looking is taken away. */
const watched = Effect.fnUntraced(function* (keep: "listen" | "look", own?: number) {
  const { url, schema } = yield* freshPlace
  const writer = yield* Layer.build(Postgres.layer({ url, schema }))
  const place = {
    connection: { url, answerWithin: "1 minute" },
    schema,
    patience: "1 second",
    identity: undefined
  } as const
  const opened = yield* openReader(place)
  if ("found" in opened) return yield* Effect.die("a newer format")
  const { database, storage } = opened
  const hub = yield* makeHub(16)
  const inbox = yield* PubSub.subscribe(hub)
  const deaf = keep === "listen" ? database : { ...database, name: "nobody" }
  const blind = keep === "look" ? storage : { ...storage, head: Effect.succeed(0) }
  yield* watch(deaf, blind, hub, own)
  // One wake-up after LISTEN, one after the first look, in either order.
  yield* PubSub.take(inbox)
  yield* PubSub.take(inbox)
  return { url, schema, inbox, append: (n: number) => Effect.provide(append(n), writer) }
})

describe("the watch on a PostgreSQL journal", () => {
  it.live("is woken by the notification of a commit", () =>
    Effect.gen(function* () {
      const { append: write, inbox } = yield* watched("listen")
      for (const n of [1, 2]) {
        yield* write(n)
        assert.strictEqual((yield* PubSub.take(inbox))._tag, "Wake")
      }
    })
  )

  it.live("is not woken by the commits of its own epoch, which are announced already", () =>
    Effect.gen(function* () {
      const { append: write, inbox, schema, url } = yield* watched("listen", 1)
      yield* write(1)
      // A later notification of another epoch: what comes first through one session comes first.
      yield* run(url, `NOTIFY ${schema}_head, '2 1'`)
      assert.strictEqual((yield* PubSub.take(inbox))._tag, "Wake")
      assert.isEmpty(yield* PubSub.takeUpTo(inbox, 9))
    })
  )

  it.live("looks by itself when no notification arrives", () =>
    Effect.gen(function* () {
      const { append: write, inbox } = yield* watched("look")
      yield* write(1)
      assert.strictEqual((yield* PubSub.take(inbox))._tag, "Wake")
    })
  )

  it.live("listens again when its session is ended, and looks at what it missed", () =>
    Effect.gen(function* () {
      const { append: write, inbox, schema, url } = yield* watched("listen")
      // The writer's session listens too.
      yield* run(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%${schema}%'`)
      assert.strictEqual((yield* PubSub.take(inbox))._tag, "Wake", "after the new LISTEN")
      yield* write(1)
      assert.strictEqual((yield* PubSub.take(inbox))._tag, "Wake", "by the notification")
    })
  )
})

describe("a subscriber in another process", () => {
  it.live("goes on when the sessions that it listens and reads by are ended", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* freshPlace
      const writer = yield* Layer.build(Postgres.layer({ url, schema, maxConnections: 3 }))
      const reader = yield* Layer.build(Layer.fresh(Postgres.layerReader({ url, schema, maxConnections: 3 })))
      const seen: Array<number> = []
      const following = yield* Effect.flatMap(Journal.Journal, (journal) =>
        journal.subscribe({ from: Journal.start }).pipe(
          Stream.tap((d) => Effect.sync(() => d._tag === "Event" && seen.push(d.event.position))),
          Stream.takeUntil((d) => d._tag === "Event" && d.event.position === 4),
          Stream.runDrain
        )
      ).pipe(Effect.provide(reader), Effect.forkChild)
      for (const n of [1, 2, 3, 4]) {
        yield* Effect.provide(append(n), writer)
        // The writer's last statement was COMMIT, so its own session stays: an append would be told of its end.
        const ours = `application_name = '@sbx/journal' AND query LIKE '%${schema}%'`
        yield* run(
          url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ours} AND pid <> pg_backend_pid()`
        )
      }
      yield* Fiber.join(following)
      assert.deepStrictEqual(seen, [1, 2, 3, 4])
    })
  )
})
