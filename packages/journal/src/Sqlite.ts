/**
 * The journal in one SQLite file: `layer` writes it, one process at a time, every acknowledged append durable;
 * `layerReader` follows it from any other process. Refuses a second writer, a newer format, a path it cannot write.
 */
import { Duration, Effect, Layer, PubSub } from "effect"
import type { EventUndecodable } from "./EventFamily.ts"
import { Holder, Journal, JournalFormatUnsupported, JournalLocked, JournalUnavailable } from "./Journal.ts"
import type { AnyProjection, ProjectionTaken } from "./Projection.ts"
import type { Hub, Tuning } from "./internal/hub.ts"
import { defaults, makeHub } from "./internal/hub.ts"
import { makeJournal } from "./internal/makeJournal.ts"
import { openInline } from "./internal/openInline.ts"
import { isOwned, takeOwnership } from "./internal/ownership.ts"
import { checkReadable, checkWritable } from "./internal/sqliteFile.ts"
import type { Reader } from "./internal/sqliteStorage.ts"
import { openReader, openWriter, readHolder } from "./internal/sqliteStorage.ts"
import { makeWriter } from "./internal/writer.ts"

export { Holder, JournalFormatUnsupported, JournalLocked }

export interface WriterOptions {
  /** Path of the journal file. Its directory must exist; `<path>.lock`, `-wal` and `-shm` lie beside it. */
  readonly path: string
  /** Sizes of subscriptions; the defaults suit every use but tests. */
  readonly tuning?: Partial<Tuning>
  /** Who a new file is, instead of a fresh identity: to import an export as the journal that it was. */
  readonly identity?: { readonly id: string; readonly createdAtMillis: number }
}

/**
 * Opens or creates the file for writing and starts a new epoch. Takes an OS lock that the kernel frees with the
 * process. On closing, appends already accepted are still written.
 */
export const layer = (
  options: WriterOptions
): Layer.Layer<Journal, JournalLocked | JournalFormatUnsupported | JournalUnavailable> =>
  Layer.effect(Journal, Effect.map(openParts(options), makeJournal))

export interface InlineOptions extends WriterOptions {
  /** Projections that are folded in every append's transaction; brought up to the head before the layer is ready. */
  readonly inline: ReadonlyArray<AnyProjection>
}

/** Like {@link layer}, with inline projections; refuses one whose newer fold version is already served. */
export const layerWith = (
  options: InlineOptions
): Layer.Layer<
  Journal,
  JournalLocked | JournalFormatUnsupported | JournalUnavailable | ProjectionTaken | EventUndecodable
> =>
  Layer.effect(
    Journal,
    Effect.flatMap(openParts(options), (parts) => openInline(parts, options.inline))
  )

const openParts = Effect.fnUntraced(function* ({ path, tuning, identity }: WriterOptions) {
  const { hubCapacity, pageSize } = { ...defaults, ...tuning }
  yield* checkWritable(path)
  if (!(yield* takeOwnership(path))) return yield* new JournalLocked({ path, ...(yield* readHolder(path)) })
  const storage = yield* openWriter(path, identity)
  if ("found" in storage) return yield* new JournalFormatUnsupported({ path, ...storage })
  const hub = yield* makeHub(hubCapacity)
  const submit = yield* makeWriter(storage, hub)
  return { storage, hub, pageSize, submit }
})

export interface ReaderOptions {
  /** Path of an existing journal file. */
  readonly path: string
  /** How often the file is asked for foreign commits; one question takes 2 µs. Default 25 ms. */
  readonly pollEvery?: Duration.Input
}

/** Reads and follows a journal that this or another process may be writing. Appending and closing fail `ReadOnly`. */
export const layerReader = (
  options: ReaderOptions
): Layer.Layer<Journal, JournalFormatUnsupported | JournalUnavailable> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const { path } = options
      yield* checkReadable(path)
      const reader = yield* openReader(path)
      if ("found" in reader) return yield* new JournalFormatUnsupported({ path, ...reader })
      const hub = yield* makeHub(defaults.hubCapacity)
      yield* Effect.forkScoped(watch(reader, hub, options.pollEvery ?? Duration.millis(25)))
      const refusal = new JournalUnavailable({
        operation: "append to",
        reason: "ReadOnly",
        detail: "it was opened by a reader",
        path
      })
      return makeJournal({
        storage: reader.storage,
        hub,
        pageSize: defaults.pageSize,
        submit: () => Effect.fail(refusal)
      })
    })
  )

/** Wakes subscribers when another process has committed; a failing look is told by their own next read. */
const watch = (reader: Reader, hub: Hub, every: Duration.Input) => {
  let known: number | undefined
  return Effect.flatMap(Effect.option(reader.version), (version) => {
    const seen = version._tag === "Some" ? version.value : undefined
    const changed = seen !== known || seen === undefined
    known = seen
    return changed ? PubSub.publish(hub, { _tag: "Wake" }) : Effect.void
  }).pipe(Effect.andThen(Effect.sleep(every)), Effect.forever)
}

/** Whether a writer of this journal is alive, by its lock. A hint: only opening {@link layer} settles it. */
export const isLocked = (path: string): Effect.Effect<boolean, JournalUnavailable> => isOwned(path)
