/**
 * The journal in one schema of a PostgreSQL database (14 or later): any number of processes write it by `layer`, each
 * under an epoch of its own, and `layerReader` follows it. Needs the optional peer dependency `@effect/sql-pg`. Refuses
 * a newer format and another program's schema.
 */
import type { Config } from "@effect/sql-pg/PgPool"
import { Duration, Effect, Layer, Schema } from "effect"
import type { EventUndecodable } from "./EventFamily.ts"
import { Journal, JournalFormatUnsupported, JournalUnavailable } from "./Journal.ts"
import type { Tuning } from "./internal/hub.ts"
import { defaults, makeHub } from "./internal/hub.ts"
import { makeJournal } from "./internal/makeJournal.ts"
import { openInline } from "./internal/openInline.ts"
import { locate } from "./internal/postgresDatabase.ts"
import { watch } from "./internal/postgresListener.ts"
import type { Place } from "./internal/postgresStorage.ts"
import { openForVerifying, openReader, openWriter } from "./internal/postgresStorage.ts"
import { verifySchema } from "./internal/postgresVerify.ts"
import { makeWriter } from "./internal/writer.ts"
import type { AnyProjection, ProjectionTaken } from "./Projection.ts"
import type { Verification } from "./Verification.ts"

/** Name of a schema: lower case letters, digits and underscores, at most 48. */
export const SchemaName = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^[a-z_][a-z0-9_]{0,47}$/, { expected: "a lower case schema name" }))
)

export interface ReaderOptions extends Pick<
  Config,
  "url" | "host" | "port" | "path" | "database" | "username" | "password" | "ssl" | "connectTimeout"
> {
  /** Sessions at most, default 10: one for writing, one that listens, the others for reads, of which there is always one. */
  readonly maxConnections?: number
  /** The schema that holds the journal and nothing else. Default `sbx_journal`. A malformed name is a defect. */
  readonly schema?: string
  /** How long reads and subscriptions wait for a server that went away before they fail. Default 30 seconds. */
  readonly patience?: Duration.Input
  /**
   * How long the server may take over one statement before it counts as gone. Default 60 seconds, twice what the server
   * lets a statement wait for another writer.
   */
  readonly answerWithin?: Duration.Input
  /** Sizes of subscriptions; the defaults suit every use but tests. */
  readonly tuning?: Partial<Tuning>
}

export interface WriterOptions extends ReaderOptions {
  /** Who a new journal is, instead of a fresh identity: to import an export as the journal that it was. */
  readonly identity?: { readonly id: string; readonly createdAtMillis: number }
}

const placeOf = (options: WriterOptions) =>
  Effect.sync((): Place => {
    const { schema = "sbx_journal", patience = Duration.seconds(30), identity, ...reach } = options
    const connection = { answerWithin: Duration.seconds(60), ...reach }
    return { connection, schema: SchemaName.make(schema), patience, identity }
  })

const unsupported = ({ connection, schema }: Place, formats: { readonly found: number; readonly supported: number }) =>
  new JournalFormatUnsupported({ path: locate(connection, schema), ...formats })

/**
 * Opens the journal for writing under a new epoch; creates the schema where there is none. Appends fail at once when the
 * server is away; `CommitFailed` when it went away during the COMMIT, which a repeat with the same command id resolves.
 */
export const layer = (options: WriterOptions): Layer.Layer<Journal, JournalFormatUnsupported | JournalUnavailable> =>
  Layer.effect(Journal, Effect.map(openParts(options), makeJournal))

export interface InlineOptions extends WriterOptions {
  /** Projections that are folded in every append's transaction: the same ones in every process that writes. */
  readonly inline: ReadonlyArray<AnyProjection>
}

/** Like {@link layer}, with inline projections; refuses one whose newer fold version is already served. */
export const layerWith = (
  options: InlineOptions
): Layer.Layer<Journal, JournalFormatUnsupported | JournalUnavailable | ProjectionTaken | EventUndecodable> =>
  Layer.effect(
    Journal,
    Effect.flatMap(openParts(options), (parts) => openInline(parts, options.inline))
  )

const openParts = Effect.fnUntraced(function* (options: WriterOptions) {
  const { hubCapacity, pageSize } = { ...defaults, ...options.tuning }
  const place = yield* placeOf(options)
  const opened = yield* openWriter(place)
  if ("found" in opened) return yield* unsupported(place, opened)
  const { database, storage } = opened
  const hub = yield* makeHub(hubCapacity)
  yield* watch(database, storage, hub, storage.epoch)
  const submit = yield* makeWriter(storage, hub)
  return { storage, hub, pageSize, submit }
})

/** Reads and follows the journal, also from a standby. Needs no more than SELECT. Appending and closing fail `ReadOnly`. */
export const layerReader = (
  options: ReaderOptions
): Layer.Layer<Journal, JournalFormatUnsupported | JournalUnavailable> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const { hubCapacity, pageSize } = { ...defaults, ...options.tuning }
      const place = yield* placeOf(options)
      const opened = yield* openReader(place)
      if ("found" in opened) return yield* unsupported(place, opened)
      const { database, storage } = opened
      const hub = yield* makeHub(hubCapacity)
      yield* watch(database, storage, hub, undefined)
      const refusal = new JournalUnavailable({
        operation: "append to",
        reason: "ReadOnly",
        detail: "it was opened by a reader",
        path: database.path
      })
      return makeJournal({ storage, hub, pageSize, submit: () => Effect.fail(refusal) })
    })
  )

/**
 * Checks the journal against its own hash chain, as `Verification.verify` does with a file: in one snapshot, so also
 * while others write. A broken journal is a finding, not an error.
 */
export const verify = (
  options: ReaderOptions
): Effect.Effect<Verification, JournalFormatUnsupported | JournalUnavailable> =>
  Effect.scoped(
    Effect.gen(function* () {
      const place = yield* placeOf(options)
      const opened = yield* openForVerifying(place)
      if ("found" in opened) return yield* unsupported(place, opened)
      return yield* verifySchema(opened.database, opened.meta)
    })
  )
