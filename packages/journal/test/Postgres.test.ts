import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Redacted, Result, Scope, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import * as Postgres from "@sbx/journal/Postgres"
import { journalContract } from "./contract.ts"
import { event, stream } from "./laws.ts"
import { awaitRow, fresh, freshPlace, freshSchema, run, serverUrl, sessions } from "./postgresServer.ts"

journalContract("Postgres", fresh, { runs: 3 })

const a = stream("a")
type Service = Journal.Journal["Service"]

/** Opens the journal for the time of `use`. */
const withJournal = <A, E, R>(options: Postgres.WriterOptions, use: (journal: Service) => Effect.Effect<A, E, R>) =>
  Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Postgres.layer(options))))

const withReader = <A, E, R>(options: Postgres.ReaderOptions, use: (journal: Service) => Effect.Effect<A, E, R>) =>
  Journal.Journal.pipe(Effect.flatMap(use), Effect.provide(Layer.fresh(Postgres.layerReader(options))))

/** Why a journal does not open. */
const refusal = (options: Postgres.WriterOptions) => Effect.flip(withJournal(options, () => Effect.void))
const readerRefusal = (options: Postgres.ReaderOptions) => Effect.flip(withReader(options, () => Effect.void))

const reasonOf = (error: { readonly _tag: string; readonly reason?: unknown }) => error.reason ?? error._tag

/** A role that may log in and nothing else, dropped with the scope. */
const freshRole = Effect.fnUntraced(function* (url: Redacted.Redacted, settings = "") {
  const role = yield* freshSchema(url)
  yield* Effect.acquireRelease(run(url, `CREATE ROLE ${role} LOGIN ${settings}`), () => run(url, `DROP ROLE ${role}`))
  return role
})

describe("Postgres.layer", () => {
  it.live("keeps id, events and command ids over reopening, under a new epoch", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      const write = (n: number) =>
        withJournal(place, (journal) =>
          Effect.map(journal.append(a, [event(n)], { expected: Journal.exact(n), commandId: `c${n}` }), (appended) => ({
            id: journal.id,
            epoch: journal.epoch,
            ...appended
          }))
        )
      const first = yield* write(0)
      const second = yield* write(1)
      assert.match(first.id, /^jrn_[0-9a-z]{16}$/)
      assert.deepStrictEqual(second, { id: first.id, epoch: 2, first: 2, last: 2, version: 2, deduplicated: false })
      assert.deepStrictEqual(yield* write(0), { ...first, epoch: 3, deduplicated: true })
      const ended = yield* run(place.url, `SELECT 1 FROM ${place.schema}.writers WHERE ended_at IS NOT NULL`)
      assert.strictEqual(ended.length, 3)
    })
  )

  it.live("lets writers that open a new journal at once find the same one, each under its own epoch", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      const open = withJournal(place, (journal) => Effect.succeed({ id: journal.id, epoch: journal.epoch }))
      const opened = yield* Effect.all(
        Array.from({ length: 6 }, () => open),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(opened.map(({ id }) => id)).size, 1)
      assert.deepStrictEqual(
        opened.map(({ epoch }) => epoch).toSorted((one, other) => one - other),
        [1, 2, 3, 4, 5, 6]
      )
    })
  )

  it.live("takes the identity that a new journal is given", () =>
    Effect.gen(function* () {
      const identity = { id: "jrn_given", createdAtMillis: 7 }
      const found = yield* withJournal({ ...(yield* freshPlace), identity }, ({ id, log }) =>
        Effect.succeed({ id, createdAtMillis: log.createdAtMillis })
      )
      assert.deepStrictEqual(found, identity)
    })
  )

  it.live("refuses a journal of a newer format and leaves it as it is", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      yield* withJournal(place, () => Effect.void)
      yield* run(place.url, `ALTER TABLE ${place.schema}.meta DROP COLUMN genesis`)
      yield* run(place.url, `UPDATE ${place.schema}.meta SET format = 9`)
      for (const error of [yield* refusal(place), yield* readerRefusal(place)]) {
        assert.instanceOf(error, Journal.JournalFormatUnsupported)
        assert.include(error.message, "its format is 9")
        assert.include(error.message, place.schema)
      }
      assert.strictEqual((yield* run(place.url, `SELECT epoch FROM ${place.schema}.writers`)).length, 1)
    })
  )

  it.live("refuses a schema of another program, and a reader one without a journal", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      assert.strictEqual(reasonOf(yield* readerRefusal(place)), "NotFound")
      yield* run(place.url, `CREATE SCHEMA ${place.schema}`)
      assert.strictEqual(reasonOf(yield* readerRefusal(place)), "NotFound")
      yield* run(place.url, `CREATE TABLE ${place.schema}.theirs (n int)`)
      assert.strictEqual(reasonOf(yield* refusal(place)), "NotAJournal")
      yield* run(place.url, `CREATE TABLE ${place.schema}.meta (n int)`)
      assert.strictEqual(reasonOf(yield* refusal(place)), "NotAJournal")
      yield* run(place.url, `INSERT INTO ${place.schema}.meta VALUES (1)`)
      assert.strictEqual(reasonOf(yield* refusal(place)), "NotAJournal")
    })
  )

  it.live("tells an absent server, a wrong database, a refused user and missing permissions apart", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      const stranger = yield* freshRole(place.url)
      const readOnly = yield* freshRole(place.url)
      yield* run(place.url, `ALTER ROLE ${readOnly} SUPERUSER`)
      yield* run(place.url, `ALTER ROLE ${readOnly} SET default_transaction_read_only = on`)
      const expected = [
        [{ ...place, path: "/nowhere/.s.PGSQL.5432" }, "Unreachable"],
        [{ ...place, url: Redacted.make("nonsense") }, "Unreachable"],
        [{ ...place, database: "missing" }, "NotFound"],
        [{ ...place, username: "missing" }, "AccessDenied"],
        [{ ...place, username: stranger }, "AccessDenied"],
        [{ ...place, username: readOnly }, "ReadOnly"]
      ] as const
      for (const [options, reason] of expected) assert.strictEqual(reasonOf(yield* refusal(options)), reason)
      const secret = { schema: "s", url: Redacted.make("postgresql://me:hidden@localhost:1/db?host=/nowhere") }
      const { message } = yield* refusal(secret)
      assert.include(message, "Could not open the journal /nowhere/db#s: ")
      assert.notInclude(message, "hidden")
    })
  )

  it.live("dies of a malformed schema name", () =>
    Effect.gen(function* () {
      const url = yield* serverUrl
      const exit = yield* Effect.exit(refusal({ url, schema: 'x"; DROP' }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.live("tells DiskFull when the server says so, writes nothing, and goes on once there is space", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      const { schema, url } = place
      yield* withJournal(place, (journal) =>
        Effect.gen(function* () {
          yield* journal.append(a, [event(1)], { expected: Journal.noStream })
          // The server's own error for a full disk, raised where extending the table would raise it.
          yield* run(
            url,
            `CREATE FUNCTION ${schema}.full() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`
          )
          yield* run(
            url,
            `CREATE TRIGGER full_disk BEFORE INSERT ON ${schema}.events EXECUTE FUNCTION ${schema}.full()`
          )
          const append = journal.append(a, [event(2)], { expected: Journal.exact(1), commandId: "c" })
          assert.strictEqual(reasonOf(yield* Effect.flip(append)), "DiskFull")
          assert.strictEqual(yield* journal.head, 1)
          yield* run(url, `DROP TRIGGER full_disk ON ${schema}.events`)
          assert.deepStrictEqual(yield* append, { first: 2, last: 2, version: 2, deduplicated: false })
        })
      )
    })
  )

  it.live("appends while every session for reads waits in the server", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      const { schema, url } = place
      yield* withJournal(place, (journal) => journal.append(a, [event(1)], { expected: Journal.any }))
      const role = yield* freshRole(url)
      // Whoever but the superuser reads an event waits for a lock that the test holds; adding events needs none.
      for (const statement of [
        `GRANT USAGE ON SCHEMA ${schema} TO ${role}`,
        `GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role}`,
        `CREATE FUNCTION ${schema}.stall() RETURNS boolean LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock_shared(hashtext('${schema}')); RETURN true; END $$`,
        `ALTER TABLE ${schema}.events ENABLE ROW LEVEL SECURITY`,
        `CREATE POLICY adding ON ${schema}.events FOR INSERT WITH CHECK (true)`,
        `CREATE POLICY reading ON ${schema}.events FOR SELECT USING (${schema}.stall())`
      ]) {
        yield* run(url, statement)
      }
      const reads = yield* withJournal({ ...place, username: role, maxConnections: 4 }, (journal) =>
        Effect.scoped(
          Effect.gen(function* () {
            const holder = yield* Effect.flatMap(sessions(url), (pool) => pool.reserve)
            yield* holder.query(`SELECT pg_advisory_lock(hashtext('${schema}'))`)
            const reading = yield* Effect.forkChild(
              Effect.all(
                Array.from({ length: 8 }, () => Stream.runCollect(journal.read(a))),
                { concurrency: "unbounded" }
              )
            )
            yield* awaitRow(
              url,
              `SELECT 1 FROM pg_stat_activity WHERE usename = '${role}' AND wait_event = 'advisory' HAVING count(*) >= 2`
            )
            const appended = yield* journal.append(a, [event(2)], { expected: Journal.exact(1) })
            assert.strictEqual(appended.last, 2)
            yield* holder.query(`SELECT pg_advisory_unlock(hashtext('${schema}'))`)
            return yield* Fiber.join(reading)
          })
        )
      )
      assert.isTrue(reads.every((events) => events[0]?.position === 1))
      yield* run(url, `DROP OWNED BY ${role}`)
    })
  )

  it.live("creates its tables in a schema that is there, without the right to create one", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      const role = yield* freshRole(place.url)
      yield* run(place.url, `CREATE SCHEMA ${place.schema} AUTHORIZATION ${role}`)
      const append = (journal: Service) => journal.append(a, [event(1)], { expected: Journal.noStream })
      assert.strictEqual((yield* withJournal({ ...place, username: role }, append)).last, 1)
      yield* run(place.url, `DROP OWNED BY ${role} CASCADE`)
    })
  )

  it.live("answers every append and ends every subscription when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const layer = Postgres.layer(yield* freshPlace)
      const journal = Context.get(yield* Layer.buildWithScope(layer, scope), Journal.Journal)
      const subscriber = yield* Effect.forkChild(
        Effect.flip(Stream.runDrain(journal.subscribe({ from: Journal.start }))),
        { startImmediately: true }
      )
      const appends = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 2000 }, (_, n) => n),
          (n) => Effect.exit(journal.append(stream(`s${n}`), [event(n)], { expected: Journal.any })),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* journal.awaitPosition(1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(appends)).length, 2000)
      assert.strictEqual((yield* Fiber.join(subscriber)).reason, "Closed")
      const late = journal.append(stream("late"), [event(1)], { expected: Journal.any })
      for (const error of [yield* Effect.flip(late), yield* Effect.flip(journal.head)]) {
        assert.strictEqual(reasonOf(error), "Closed")
      }
    })
  )

  it.live("lets a document with a key that cannot be stored fail alone", () =>
    withFreshJournal((journal) =>
      Effect.gen(function* () {
        const put = (key: string, read: boolean) =>
          Effect.exit(
            journal.documents.transact(read ? [{ collection: "c", key }] : [], (get) => {
              if (read) get({ collection: "c", key })
              return Result.succeed({ answer: key, writes: [{ collection: "c", key, value: "1" }] })
            })
          )
        const exits = yield* Effect.all([put("nul\0", true), put("half\ud800", false), put("fine", true)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(exits.map(Exit.isSuccess), [false, false, true])
      })
    )
  )
})

const withFreshJournal = <A, E, R>(use: (journal: Service) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(freshPlace, (place) => withJournal(place, use))

describe("Postgres.layerReader", () => {
  it.live("follows other writers, needs SELECT only, and refuses to append", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      yield* withJournal(place, (journal) =>
        Effect.gen(function* () {
          const role = yield* freshRole(place.url)
          yield* run(place.url, `GRANT USAGE ON SCHEMA ${place.schema} TO ${role}`)
          yield* run(place.url, `GRANT SELECT ON ALL TABLES IN SCHEMA ${place.schema} TO ${role}`)
          yield* withReader({ ...place, username: role }, (reader) =>
            Effect.gen(function* () {
              assert.deepStrictEqual([reader.id, reader.epoch], [journal.id, journal.epoch])
              const following = yield* reader.subscribe({ from: Journal.start }).pipe(
                Stream.takeUntil((d) => d._tag === "Event" && d.event.position === 3),
                Stream.runCollect,
                Effect.forkChild
              )
              for (const n of [1, 2, 3]) yield* journal.append(a, [event(n)], { expected: Journal.any })
              yield* reader.awaitPosition(3)
              const events = (yield* Fiber.join(following)).flatMap((d) => (d._tag === "Event" ? [d.event] : []))
              assert.deepStrictEqual(events, yield* Stream.runCollect(journal.readAll()))
              const append = reader.append(a, [event(4)], { expected: Journal.any })
              assert.strictEqual(reasonOf(yield* Effect.flip(append)), "ReadOnly")
            })
          )
          yield* run(place.url, `DROP OWNED BY ${role}`)
        })
      )
    })
  )

  it.live("fails Corrupt on a payload that is no longer JSON", () =>
    Effect.gen(function* () {
      const place = yield* freshPlace
      yield* withJournal(place, (journal) => journal.append(a, [event(1)], { expected: Journal.any }))
      yield* run(place.url, `UPDATE ${place.schema}.events SET payload = '{'`)
      const error = yield* withReader(place, (reader) => Effect.flip(Stream.runDrain(reader.readAll())))
      assert.strictEqual(error.reason, "Corrupt")
    })
  )
})
