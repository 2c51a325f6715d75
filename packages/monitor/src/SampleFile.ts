/**
 * The sample store in one SQLite file, written in batches and bounded by age and by size; it is there again after a restart. A file that
 * refuses for a while costs the oldest samples that wait for it, never the sampling. Refuses foreign, damaged and newer files.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { bucketize } from "./internal/bucketing.ts"
import type { Cursor, SampleFile, Selection } from "./internal/sampleFile.ts"
import { openSampleFile } from "./internal/sampleFile.ts"
import { unavailable } from "./internal/sampleTables.ts"
import type { InvalidInterval } from "./Series.ts"
import { validInterval } from "./Series.ts"
import type { ItemQuery, PointQuery, StoredItem, StoredPoint } from "./SampleStore.ts"
import { InvalidQuery, InvalidRetention, SampleStore, SampleStoreUnavailable } from "./SampleStore.ts"

export interface Retention {
  /** Since it was written, by this host's clock. Default 7 days. */
  readonly maxAge?: Duration.Input
  /** Of the file and its write-ahead log together; at least 1,000,000. A container's sample takes about 500. Default 256,000,000. */
  readonly maxBytes?: number
  /** Between two writes: what a killed process loses at most. Default 1 second. */
  readonly flushEvery?: Duration.Input
}

export interface FileOptions extends Retention {
  /** Its directory must exist; `<path>-wal` and `<path>-shm` lie beside it while it is open. */
  readonly path: string
}

type OpenError = SampleStoreUnavailable | InvalidRetention | InvalidInterval

/** Opens or creates the file. Several processes may write it; each bounds it by its own retention. */
export const layer = (options: FileOptions): Layer.Layer<SampleStore, OpenError> =>
  Layer.effect(SampleStore, make(options.path, options))

/** The same in memory, gone with the layer: for tests, and for programs that want no file. */
export const layerMemory = (options?: Retention): Layer.Layer<SampleStore, OpenError> =>
  Layer.effect(SampleStore, make(":memory:", options ?? {}))

/** Items that wait for the file at most; a hundred containers at 1 Hz fill it in 100 s. */
const waitingCapacity = 10_000
/** Written in one transaction. */
const batchSize = 250

interface Store {
  readonly path: string
  readonly file: SampleFile
  readonly maxAgeMillis: number
  readonly waiting: Array<StoredItem>
  written: number
  dropped: number
  failure: SampleStoreUnavailable | undefined
}

const make = Effect.fnUntraced(function* (
  path: string,
  options: Retention
): Effect.fn.Return<SampleStore["Service"], OpenError, Scope.Scope> {
  const maxAgeMillis = yield* validAge(options.maxAge ?? "7 days")
  const { maxBytes = 256_000_000 } = options
  if (!(Number.isFinite(maxBytes) && maxBytes >= 1_000_000))
    return yield* new InvalidRetention({ detail: `${maxBytes} bytes are too few; 1000000 is the least` })
  const flushEvery = yield* validInterval(options.flushEvery ?? "1 second")
  const file = yield* Effect.acquireRelease(
    attempt("open", path, () => openSampleFile(path, maxBytes)),
    (opened) => Effect.sync(() => opened.close())
  )
  const store: Store = { path, file, maxAgeMillis, waiting: [], written: 0, dropped: 0, failure: undefined }
  const flush = flushed(store)
  yield* flush
  yield* Effect.addFinalizer(() =>
    flush.pipe(Effect.catch((error) => Effect.logWarning(`${store.waiting.length} samples are lost.`, error.message)))
  )
  yield* Effect.forkScoped(Effect.sleep(flushEvery).pipe(Effect.andThen(reported(store, flush)), Effect.forever))
  return SampleStore.of({ record: (item) => recorded(store, item), flush, ...reads(store, flush) })
})

const validAge = (input: Duration.Input): Effect.Effect<number, InvalidRetention> =>
  validInterval(input).pipe(
    Effect.mapBoth({
      onFailure: ({ given }) => new InvalidRetention({ detail: `an age is finite and above zero, found ${given}` }),
      onSuccess: Duration.toMillis
    })
  )

const attempt = <A>(
  operation: SampleStoreUnavailable["operation"],
  path: string,
  work: () => A
): Effect.Effect<A, SampleStoreUnavailable> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (cause) {
      const error = unavailable(operation, path, cause)
      return error === undefined ? Effect.die(cause) : Effect.fail(error)
    }
  })

/** Work on a store that is still open. */
const use = <A>(store: Store, operation: "read" | "write", work: (file: SampleFile) => A) => {
  const { file, path } = store
  return Effect.suspend(() =>
    file.isOpen()
      ? attempt(operation, path, () => work(file))
      : Effect.fail(new SampleStoreUnavailable({ operation, reason: "Closed", detail: "it was closed", path }))
  )
}

const recorded = (store: Store, item: StoredItem) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    store.waiting.push(timed(item, now))
    if (store.waiting.length <= waitingCapacity) return
    store.waiting.shift()
    store.dropped++
  })

/** A sample without a time of its own cannot be found by it; that there was one is kept. */
const timed = (item: StoredItem, nowMillis: number): StoredItem => {
  const { atMillis, id, name, subject } = item._tag === "Sampled" ? item.sample : item
  if (Number.isFinite(atMillis)) return item
  const reason = item._tag === "Missed" ? item.reason : "not-a-number"
  return { _tag: "Missed", subject, id, name, atMillis: nowMillis, reason }
}

/** Batch by batch, each pruned after, so that the file never grows beyond its bound meanwhile. */
const flushed = (store: Store): Effect.Effect<void, SampleStoreUnavailable> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    do {
      yield* use(store, "write", (file) => {
        const batch = store.waiting.slice(0, batchSize)
        if (batch.length > 0) file.write(batch, now)
        store.waiting.splice(0, batch.length)
        store.written += batch.length
        file.prune(now - store.maxAgeMillis)
      })
    } while (store.waiting.length > 0)
    store.failure = undefined
  }).pipe(Effect.tapError((error) => Effect.sync(() => void (store.failure = error))))

/** Says once that the file refuses, and once that it takes samples again. */
const reported = (store: Store, flush: Effect.Effect<void, SampleStoreUnavailable>) =>
  Effect.suspend(() => {
    const failedBefore = store.failure !== undefined
    return Effect.matchEffect(flush, {
      onFailure: (error) => (failedBefore ? Effect.void : Effect.logWarning(error.message)),
      onSuccess: () =>
        failedBefore
          ? Effect.logInfo(`The sample store ${store.path} takes samples again; ${store.dropped} were given up.`)
          : Effect.void
    })
  })

/** What waits is written first, where the file takes it; where it does not, what it holds is still readable. */
const reads = (store: Store, flush: Effect.Effect<void, SampleStoreUnavailable>) => {
  const settle = Effect.ignore(flush)
  const read = <A>(work: (file: SampleFile) => A) => Effect.andThen(settle, use(store, "read", work))
  const points = (query: PointQuery) =>
    Effect.flatMap(select(query), (selection) => read((file) => [...file.points(selection, query.metric)]))
  return {
    status: use(store, "read", (file) => ({
      waiting: store.waiting.length,
      written: store.written,
      dropped: store.dropped,
      failure: store.failure,
      bytes: file.bytes()
    })),
    subjects: read((file) => file.subjects()),
    items: (query: ItemQuery) => pages(store, settle, query),
    points,
    buckets: Effect.fnUntraced(function* (query: PointQuery & { readonly count: number }) {
      const { count } = query
      if (!Number.isSafeInteger(count) || count < 1 || count > 100_000)
        return yield* new InvalidQuery({ detail: `${count} is no number of buckets; take 1 to 100000` })
      return inBuckets(yield* points(query), query)
    })
  }
}

const select = ({ fromMillis, id, subject, toMillis }: ItemQuery): Effect.Effect<Selection, InvalidQuery> => {
  const from = fromMillis ?? Number.NEGATIVE_INFINITY
  const to = toMillis ?? Number.POSITIVE_INFINITY
  return from <= to
    ? Effect.succeed({ subject: subject ?? "container", key: id, fromMillis: from, toMillis: to })
    : Effect.fail(new InvalidQuery({ detail: `there is no time from ${from} to ${to}` }))
}

const pages = (store: Store, settle: Effect.Effect<void>, query: ItemQuery) =>
  Stream.unwrap(
    Effect.map(Effect.tap(select(query), settle), (selection) =>
      Stream.paginate(Option.none<Cursor>(), (after) =>
        Effect.map(
          use(store, "read", (file) => file.page(selection, Option.getOrUndefined(after))),
          ({ items, next }) => [items, next === undefined ? Option.none() : Option.some(Option.some(next))] as const
        )
      )
    )
  )

const inBuckets = (points: ReadonlyArray<StoredPoint>, query: PointQuery & { readonly count: number }) => {
  // Slices of an endless range would have no length.
  const finite = (millis: number | undefined) => (Number.isFinite(millis) ? millis : undefined)
  const fromMillis = finite(query.fromMillis) ?? points[0]?.atMillis
  const toMillis = finite(query.toMillis) ?? points.at(-1)?.atMillis
  return points.length === 0 || fromMillis === undefined || toMillis === undefined
    ? []
    : bucketize(points, { fromMillis, toMillis, count: query.count })
}
