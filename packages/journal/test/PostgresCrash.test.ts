/** A killed server, and commits whose answer never comes. A kill -9 does not test a power cut: the page cache survives it. */
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Postgres from "@sbx/journal/Postgres"
import { event, stream } from "./laws.ts"
import { awaitRow, freshPlace, OwnServer, run, sessions } from "./postgresServer.ts"

type Service = Journal.Journal["Service"]

/** Opens a journal for the test's time. */
const open = (options: Postgres.WriterOptions) =>
  Effect.map(Layer.build(Layer.fresh(Postgres.layer(options))), (context) => Context.get(context, Journal.Journal))

/** Appends from 20 fibers, repeats what failed with the same command id, and notes what was acknowledged and told. */
const appendAlways = (journal: Service, perFiber: number, acknowledged: Map<string, number>, reasons: Set<string>) =>
  Effect.forEach(
    Array.from({ length: 20 * perFiber }, (_, n) => n),
    (n) => {
      const commandId = `c${n}`
      return journal.append(stream(`s${n % 7}`), [event(n), event(-n)], { expected: Journal.any, commandId }).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => reasons.add(error._tag === "JournalUnavailable" ? error.reason : error._tag))
        ),
        Effect.retry(Schedule.spaced("20 millis")),
        Effect.tap(({ first }) => Effect.sync(() => acknowledged.set(commandId, first)))
      )
    },
    { concurrency: 20, discard: true }
  )

layer(OwnServer.layer, { excludeTestServices: true, timeout: "60 seconds" })("a killed PostgreSQL server", (it) => {
  it.effect(
    "has lost no acknowledged append when it is back, and its subscribers go on, unless their patience ended",
    () =>
      Effect.gen(function* () {
        const server = yield* OwnServer
        const journal = yield* open({ url: server.url })
        const total = 20 * 20
        const impatient = yield* open({ url: server.url, patience: "300 millis" })
        const giving = yield* Effect.forkChild(
          Effect.flip(Stream.runDrain(impatient.subscribe({ from: Journal.start })))
        )
        const subscriber = yield* journal.subscribe({ from: Journal.start }).pipe(
          Stream.filter((delivery) => delivery._tag === "Event"),
          Stream.map(({ event: { position } }) => position),
          Stream.take(2 * total),
          Stream.runCollect,
          Effect.forkChild
        )
        const acknowledged = new Map<string, number>()
        const reasons = new Set<string>()
        const writing = yield* Effect.forkChild(appendAlways(journal, 20, acknowledged, reasons))
        for (const share of [0.3, 0.6]) {
          yield* journal.awaitPosition(Math.floor(share * 2 * total))
          yield* server.kill
          const refused = yield* Effect.flip(journal.append(stream("now"), [event(1)], { expected: Journal.noStream }))
          assert.strictEqual(refused._tag === "JournalUnavailable" && refused.reason, "Unreachable")
          assert.strictEqual((yield* Effect.flip(open({ url: server.url })))._tag, "JournalUnavailable")
          const given = yield* Fiber.join(giving)
          assert.strictEqual(given.reason, "Unreachable")
          assert.include(given.message, "Start the server")
          const known = [...acknowledged]
          yield* server.start
          const kept = yield* Stream.runCollect(journal.readAll())
          for (const [commandId, first] of known) assert.strictEqual(kept[first - 1]?.commandId, commandId)
        }
        yield* Fiber.join(writing)
        const seen = yield* Fiber.join(subscriber)
        assert.deepStrictEqual(
          seen,
          Array.from({ length: 2 * total }, (_, n) => n + 1)
        )
        assert.isTrue(
          reasons.has("Unreachable") && [...reasons].every((r) => r === "Unreachable" || r === "CommitFailed")
        )
        assert.strictEqual(yield* journal.head, 2 * total, "what was repeated is there once")
        assert.deepStrictEqual((yield* Postgres.verify({ url: server.url })).problems, [])
      })
  )

  it.effect("is given up when it does not answer, and new sessions are tried", () =>
    Effect.gen(function* () {
      const { url } = yield* OwnServer
      const journal = yield* open({ url, schema: "frozen", answerWithin: "500 millis" })
      const append = (n: number) => journal.append(stream("a"), [event(n)], { expected: Journal.exact(n) })
      yield* append(0)
      // Every session of this journal there is; those that are opened later answer.
      const sessionsOfIt = yield* run(url, "SELECT pid FROM pg_stat_activity WHERE application_name = '@sbx/journal'")
      const pids = sessionsOfIt.map(({ pid }) => Number(pid))
      assert.isAtLeast(pids.length, 3)
      const tell = (signal: NodeJS.Signals) => Effect.sync(() => pids.forEach((pid) => process.kill(pid, signal)))
      yield* Effect.acquireRelease(tell("SIGSTOP"), () => tell("SIGCONT"))
      const [error, head] = yield* Effect.all([Effect.flip(append(1)), journal.head], { concurrency: 2 })
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "Unreachable")
      assert.include(error.message, "did not answer within 500ms")
      assert.strictEqual(head, 1, "reads are patient")
      assert.strictEqual((yield* append(1)).last, 2)
    })
  )

  it.effect("leaves a commit open that waited for a standby: it was written, and a repeat says so", () =>
    Effect.gen(function* () {
      const { url } = yield* OwnServer
      const journal = yield* open({ url, schema: "waiting" })
      yield* run(url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
      yield* run(url, "SELECT pg_reload_conf()")
      let last = 0
      const append = (n: number) =>
        journal.append(stream("a"), [event(n)], { expected: Journal.any, commandId: `c${n}` })
      // The setting reaches the server's processes in its own time: one of these appends is the first to wait.
      const appending = yield* Effect.forkChild(Effect.flip(Effect.forever(Effect.suspend(() => append(++last)))))
      const waiting = yield* awaitRow(url, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
      yield* run(url, `SELECT pg_terminate_backend(${Number(waiting?.["pid"])})`)
      const error = yield* Fiber.join(appending)
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "CommitFailed")
      yield* run(url, "ALTER SYSTEM RESET synchronous_standby_names")
      yield* run(url, "SELECT pg_reload_conf()")
      assert.deepStrictEqual(yield* append(last), { first: last, last, version: last, deduplicated: true })
    })
  )
})

describe("a session of PostgreSQL that ends during COMMIT", () => {
  it.live("leaves the outcome open: it was not written, and a repeat writes it once", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* freshPlace
      const journal = yield* open({ url, schema })
      // A deferred trigger runs inside the COMMIT: there it waits for a lock that the test holds.
      yield* run(
        url,
        `CREATE FUNCTION ${schema}.stall() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('${schema}')); RETURN NULL; END $$`
      )
      yield* run(
        url,
        `CREATE CONSTRAINT TRIGGER stall AFTER INSERT ON ${schema}.commits DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION ${schema}.stall()`
      )
      const append = journal.append(stream("a"), [event(1)], { expected: Journal.noStream, commandId: "c" })
      const error = yield* Effect.scoped(
        Effect.gen(function* () {
          const holder = yield* Effect.flatMap(sessions(url), (pool) => pool.reserve)
          yield* holder.query(`SELECT pg_advisory_lock(hashtext('${schema}'))`)
          const appending = yield* Effect.forkChild(Effect.flip(append))
          const mine = `SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND query = 'COMMIT'`
          const waiting = yield* awaitRow(url, mine)
          yield* run(url, `SELECT pg_terminate_backend(${Number(waiting?.["pid"])})`)
          return yield* Fiber.join(appending)
        })
      )
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "CommitFailed")
      assert.include(error.message, "Repeat with the same command id")
      assert.strictEqual(yield* journal.head, 0)
      assert.deepStrictEqual(yield* append, { first: 1, last: 1, version: 1, deduplicated: false })
      assert.isTrue((yield* append).deduplicated)
    })
  )
})
