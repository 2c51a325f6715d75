/** Projections in a file: killed at any moment, opened without them, taken over by a newer fold version. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Result, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Projection from "@sbx/journal/Projection"
import * as Sqlite from "@sbx/journal/Sqlite"
import { accounts, balances, expectedBalances, move } from "./accounts.ts"
import { startChild, temporaryDirectory } from "./child.ts"

type Service = Journal.Journal["Service"]

const use = <A, E>(layer: Layer.Layer<Journal.Journal, E>, program: (journal: Service) => Effect.Effect<A, unknown>) =>
  Journal.Journal.pipe(Effect.flatMap(program), Effect.provide(Layer.fresh(layer)))

const freshPath = Effect.map(temporaryDirectory, (directory) => `${directory}/j.sqlite`)

/** The rows, and what the events up to the projection's own checkpoint come to. */
const compare = Effect.fnUntraced(function* (journal: Service, projection: ReturnType<typeof balances>) {
  const position = yield* Projection.position(journal, projection)
  const events = yield* Stream.runCollect(accounts.replay(journal))
  const rows = yield* Stream.runCollect(Projection.all(journal, projection))
  const due = expectedBalances(
    events.filter((e) => e.position <= position),
    projection.foldVersion
  )
  assert.deepStrictEqual(
    rows.map(([key, row]) => [key, row]),
    due
  )
  return position
})

describe("projections in a file", () => {
  it.live(
    "have folded each event exactly once, wherever kill -9 meets their writer, in 3 rounds on one file",
    () =>
      Effect.gen(function* () {
        const path = yield* freshPath
        for (let round = 1; round <= 3; round++) {
          const acks = yield* Random.nextIntBetween(200, 1500)
          const child = yield* startChild("projectWriter.ts", [path])
          yield* child.line(acks)
          yield* child.kill("SIGKILL")
          assert.strictEqual((yield* child.exit).signal, "SIGKILL")
          yield* use(Sqlite.layerReader({ path }), (journal) =>
            Effect.gen(function* () {
              const head = yield* journal.head
              assert.isAtLeast(head, acks)
              assert.strictEqual(yield* compare(journal, balances(1, "inline")), head, "inline: never behind")
              assert.isAbove(yield* compare(journal, balances(1)), 0)
            })
          )
        }
      }),
    60_000
  )

  it.live("catch up when they are registered late, and fail an append that would leave a hole in them", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      const inline = [balances(1)]
      yield* use(Sqlite.layer({ path }), (journal) => move(journal, "a", 1))
      yield* use(Sqlite.layerWith({ path, inline }), (journal) => move(journal, "a", 2))
      yield* use(Sqlite.layer({ path }), (journal) => move(journal, "a", 4))
      yield* use(Sqlite.layerWith({ path, inline }), (journal) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* compare(journal, balances(1)), 3)
          // Another owner of the checkpoint sets it back: what a writer without the projection does to it.
          yield* journal.documents.transact([], () => {
            const stale = { collection: "projection", key: "balances@1", value: `{"position":2,"owner":9}` }
            return Result.succeed({ answer: undefined, writes: [stale] })
          })
          const refused = yield* Effect.flip(move(journal, "a", 8))
          assert.include(refused.message, "its inline projection balances@1 stands at 2 and the head is 3")
          assert.strictEqual(yield* journal.head, 3)
        })
      )
    })
  )

  it.live("refuse to open inline under a program whose fold version was replaced", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* use(Sqlite.layerWith({ path, inline: [balances(2)] }), (journal) => move(journal, "a", 1))
      const error = yield* Effect.flip(use(Sqlite.layerWith({ path, inline: [balances(1)] }), () => Effect.void))
      assert.deepStrictEqual(
        error,
        new Projection.ProjectionTaken({ projection: "balances", foldVersion: 1, by: "NewerFoldVersion" })
      )
    })
  )

  it.live("tell a row that no longer fits, and refuse to be run by a reader", () =>
    Effect.gen(function* () {
      const path = yield* freshPath
      yield* use(Sqlite.layerWith({ path, inline: [balances(1)] }), (journal) =>
        Effect.gen(function* () {
          yield* move(journal, "a", 1)
          const broken = { collection: "projection:balances@1", key: "a", value: `{"balance":"much"}` }
          yield* journal.documents.transact([], () => Result.succeed({ answer: undefined, writes: [broken] }))
          const error = yield* Effect.flip(Projection.get(journal, balances(1), "a"))
          assert.strictEqual(error._tag, "RowUndecodable")
          assert.include(error.message, "row a of projection balances")
        })
      )
      const refused = yield* Effect.flip(
        use(Sqlite.layerReader({ path }), (journal) => Projection.run(journal, balances(1)))
      )
      assert.include(String(refused), "it was opened by a reader")
    })
  )
})
