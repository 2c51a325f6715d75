/** Adapter (@effect/sql-pg): opens a journal in a PostgreSQL schema for writing or reading. */
import type { Duration } from "effect"
import { Clock, Effect, Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { JournalUnavailable } from "../Journal.ts"
import { journalClosed } from "./hub.ts"
import { makeJournalId } from "./journalId.ts"
import type { Database, Queries, Reach, WriterDatabase } from "./postgresDatabase.ts"
import { impatient, inTransaction, locate, openDatabase, openWriterDatabase } from "./postgresDatabase.ts"
import { unavailable } from "./postgresError.ts"
import type { Opened } from "./postgresReads.ts"
import { integer, readStorage } from "./postgresReads.ts"
import type { Meta, NewerFormat } from "./postgresTables.ts"
import { createTables, readMeta } from "./postgresTables.ts"
import { runCommit, statements } from "./postgresWrites.ts"
import { thisProcess } from "./sqliteFile.ts"
import type { ReadStorage, Storage } from "./storage.ts"

/** Where a journal is, and how to get there. */
export interface Place {
  readonly connection: Reach
  readonly schema: string
  /** How long a read waits for a server that went away. */
  readonly patience: Duration.Input
  /** Who a new journal is; absent: a fresh identity. */
  readonly identity: Meta | undefined
}

type Opening<A> = Effect.Effect<A | NewerFormat, JournalUnavailable, Scope.Scope>

/** Opens or creates the schema and starts a new epoch. */
export const openWriter = (place: Place): Opening<{ readonly database: Database; readonly storage: Storage }> =>
  opening(
    place,
    openWriterDatabase,
    startWriter(place.identity),
    ({ database, epoch }) => endWriter(database, epoch),
    (opened) => {
      const sql = statements(opened.database.schema)
      const storage: Storage = {
        ...readStorage(opened),
        commit: (needs, decide) =>
          Effect.suspend(() =>
            opened.closed ? journalClosed("append to") : runCommit(opened.database, sql, needs, decide)
          )
      }
      return { database: opened.database, storage }
    }
  )

/** Opens what is there; a schema without a journal is not taken for an empty one. */
export const openReader = (place: Place): Opening<{ readonly database: Database; readonly storage: ReadStorage }> =>
  opening(
    place,
    openDatabase,
    startReader,
    () => Effect.void,
    (opened) => ({
      database: opened.database,
      storage: readStorage(opened)
    })
  )

/** Opens what is there for looking at it as a whole. */
export const openForVerifying = (place: Place): Opening<{ readonly database: Database; readonly meta: Meta }> =>
  opening(
    place,
    openDatabase,
    startReader,
    () => Effect.void,
    ({ database, meta }) => ({ database, meta })
  )

type Open<D extends Database> = (options: Reach, name: string) => Effect.Effect<D, SqlError, Scope.Scope>

type Start<D extends Database> = (database: D) => Effect.Effect<Started | NewerFormat, SqlError | JournalUnavailable>

interface Started {
  readonly meta: Meta
  readonly epoch: number
}

const opening = Effect.fnUntraced(function* <A, D extends Database>(
  { connection, schema, patience }: Place,
  open: Open<D>,
  start: Start<D>,
  end: (opened: Opened<D>) => Effect.Effect<void>,
  make: (opened: Opened<D>) => A
): Effect.fn.Return<A | NewerFormat, JournalUnavailable, Scope.Scope> {
  const refused = unavailable("open", locate(connection, schema))
  const toRefusal = (error: SqlError | JournalUnavailable) => (error._tag === "SqlError" ? refused(error) : error)
  const database = yield* Effect.mapError(open(connection, schema), refused)
  const started = yield* Effect.mapError(start(database), toRefusal)
  if ("found" in started) return started
  return make(
    yield* Effect.acquireRelease(
      Effect.sync((): Opened<D> => ({ database, patience, ...started, closed: false })),
      (opened) =>
        Effect.andThen(
          end(opened),
          Effect.sync(() => {
            opened.closed = true
          })
        )
    )
  )
})

/** One transaction: two processes that create the same journal at once wait for each other, then both find it. */
const startWriter =
  (identity: Meta | undefined): Start<WriterDatabase> =>
  (database) =>
    inTransaction(
      database.writer,
      database.answerWithin,
      Effect.fnUntraced(function* (connection) {
        const now = yield* Clock.currentTimeMillis
        const self = identity ?? { id: yield* makeJournalId, createdAtMillis: now }
        yield* connection.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [
          `@sbx/journal ${database.name}`
        ])
        const known = yield* readMeta(connection, database.name, database.path)
        if (known !== undefined && "found" in known) {
          yield* connection.query("ROLLBACK")
          return known
        }
        const meta = known ?? (yield* createTables(connection, database.name, self))
        const epoch = yield* startEpoch(connection, database.schema, now)
        yield* connection.query("COMMIT")
        return { meta, epoch }
      })
    )

/** Every opening is named in the events it writes: they can be told from another writer's, and from imported ones. */
const startEpoch = (connection: Queries, schema: string, now: number) => {
  const { host, pid, bootId } = thisProcess()
  const insert = `INSERT INTO ${schema}.writers VALUES (
      1 + greatest((SELECT max(epoch) FROM ${schema}.writers), (SELECT max(epoch) FROM ${schema}.commits), 0),
      $1, $2, $3, $4)
    RETURNING epoch`
  return Effect.map(connection.query(insert, [host, integer(pid), bootId, integer(now)]), ({ rows }) =>
    Number(rows[0]?.["epoch"])
  )
}

/** A server that is gone must not keep the scope from closing; an epoch without an end reads as a crash. */
const endWriter = ({ schema, writer }: WriterDatabase, epoch: number) =>
  Effect.gen(function* () {
    const now = integer(yield* Clock.currentTimeMillis)
    const end = `UPDATE ${schema}.writers SET ended_at = $1 WHERE epoch = $2`
    yield* writer.use((connection) => connection.query(end, [now, integer(epoch)]))
  }).pipe(Effect.interruptible, Effect.timeout("2 seconds"), Effect.ignore)

const startReader: Start<Database> = ({ answerWithin, name, path, pool, schema }) =>
  pool.use(
    Effect.fnUntraced(function* (session) {
      const connection = impatient(session, answerWithin)
      const meta = yield* readMeta(connection, name, path)
      if (meta === undefined) {
        const detail = "there is no journal in this schema"
        return yield* new JournalUnavailable({ operation: "open", reason: "NotFound", detail, path })
      }
      if ("found" in meta) return meta
      const newest = `SELECT coalesce(max(epoch), 0) AS epoch FROM ${schema}.writers`
      const [row] = (yield* connection.query(newest)).rows
      return { meta, epoch: Number(row?.["epoch"]) }
    })
  )
