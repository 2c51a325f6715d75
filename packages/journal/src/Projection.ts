/**
 * A projection folds events into rows: each event names the keys that it touches, `evolve` gives each row its next
 * state. Rows and checkpoint are written in one transaction, so every event takes effect on them exactly once.
 * Inline (see a layer's `inline`): in the append's own transaction. Async: {@link run} follows the journal.
 */
import { Effect, Result, Schema, Stream } from "effect"
import type { EventDecoder, EventUndecodable, UnknownEvent } from "./EventFamily.ts"
import type { Filter, Journal, JournalUnavailable, Position, Recorded, StreamName } from "./Journal.ts"
import { after } from "./Journal.ts"
import type { Advance } from "./internal/checkpoint.ts"
import { advance, claim, clearOthers, liveVersion, ProjectionTaken, rowsOf, standing } from "./internal/checkpoint.ts"

type Service = Journal["Service"]

/** Rows as text, folded over a run of events; `writes` gives what has changed. */
export interface Session {
  readonly apply: (recorded: Recorded) => Result.Result<void, EventUndecodable>
  readonly writes: () => ReadonlyArray<{ readonly key: string; readonly value: string | undefined }>
}

/** A projection with the type of its rows closed over: what a runner needs. */
export interface AnyProjection {
  readonly name: string
  readonly foldVersion: number
  readonly filter: Filter
  /** Keys of the rows that an event touches; none for one this program does not know. */
  readonly keys: (recorded: Recorded) => Result.Result<ReadonlyArray<string>, EventUndecodable>
  /** `read` is asked for the keys of the events only. */
  readonly begin: (read: (key: string) => string | undefined) => Session
}

export interface Projection<out S> extends AnyProjection {
  readonly decodeRow: (key: string, text: string) => Effect.Effect<S, RowUndecodable>
}

/** A stored row does not fit the projection's schema: the schema was changed without a new fold version. */
export class RowUndecodable extends Schema.TaggedError<RowUndecodable>()("RowUndecodable", {
  projection: Schema.String,
  key: Schema.String,
  issue: Schema.String
}) {
  override get message() {
    return `Could not decode row ${this.key} of projection ${this.projection}: ${this.issue}.\nGive the projection a new fold version; it is then rebuilt from the events.`
  }
}

export { ProjectionTaken }

/** The rows of this fold version are not there to be read: still being built, or given up for another version. */
export class ProjectionNotReady extends Schema.TaggedError<ProjectionNotReady>()("ProjectionNotReady", {
  projection: Schema.String,
  foldVersion: Schema.Int,
  /** The fold version whose rows are served, if any. */
  live: Schema.optionalKey(Schema.Int)
}) {
  override get message() {
    const fact = this.live === undefined ? "it was never caught up" : `fold version ${this.live} is the one served`
    return `Could not read projection ${this.projection}@${this.foldVersion}: ${fact}.\nRun it until it has caught up, or read with the program of the version served.`
  }
}

const namePattern = /^[a-z][a-z0-9-]{0,63}$/

/**
 * Builds a projection of a family or a registry. `keys` and `evolve` are pure; `evolve` gives `undefined` to delete the
 * row. Raise `foldVersion` with every change of `keys`, `evolve` or `state`. A malformed name or version is a defect.
 */
export const make = <A, S>(options: {
  readonly name: string
  readonly foldVersion: number
  readonly family: Pick<EventDecoder<A>, "decodeResult"> & { readonly category?: string }
  readonly types?: ReadonlyArray<string>
  readonly state: Schema.ConstraintCodec<S, unknown, never, never>
  readonly keys: (event: A, stream: StreamName) => ReadonlyArray<string>
  readonly evolve: (state: S | undefined, event: Recorded<A>, key: string) => S | undefined
}): Projection<S> => {
  const { name, foldVersion, family } = options
  if (!namePattern.test(name)) throw new Error(`a projection is named like "open-cases", not ${name}`)
  if (!Number.isSafeInteger(foldVersion) || foldVersion < 1) throw new Error("a fold version counts from 1")
  const codec = Schema.toCodecJson(options.state)
  const encode = Schema.encodeSync(codec)
  const decodeSync = Schema.decodeUnknownSync(codec)
  const decodeRow = (key: string, text: string): Effect.Effect<S, RowUndecodable> =>
    Effect.try({
      try: () => decodeSync(JSON.parse(text)),
      catch: (cause) => new RowUndecodable({ projection: name, key, issue: String(cause) })
    })
  const known = (recorded: Recorded): Result.Result<Recorded<A> | undefined, EventUndecodable> =>
    Result.map(family.decodeResult(recorded), (payload) => (isUnknown(payload) ? undefined : { ...recorded, payload }))
  const keysOf = (event: Recorded<A> | undefined) =>
    event === undefined ? [] : [...new Set(options.keys(event.payload, event.stream))]
  return {
    name,
    foldVersion,
    filter: { category: family.category, types: options.types },
    decodeRow,
    keys: (recorded) => Result.map(known(recorded), keysOf),
    begin: (read) => {
      const states = new Map<string, S | undefined>()
      const stateOf = (key: string): S | undefined => {
        if (states.has(key)) return states.get(key)
        const text = read(key)
        return text === undefined ? undefined : decodeSync(JSON.parse(text))
      }
      return {
        apply: (recorded) =>
          Result.map(known(recorded), (event) => {
            if (event === undefined) return
            for (const key of keysOf(event)) states.set(key, options.evolve(stateOf(key), event, key))
          }),
        writes: () =>
          [...states].map(([key, state]) => ({
            key,
            value: state === undefined ? undefined : JSON.stringify(encode(state))
          }))
      }
    }
  }
}

const isUnknown = <A>(event: A | UnknownEvent): event is UnknownEvent =>
  typeof event === "object" && event !== null && "_tag" in event && event._tag === "UnknownEvent"

/**
 * Follows the journal from the projection's checkpoint, for ever: a batch of events, its rows and the new checkpoint
 * are one transaction. A new fold version is built beside the one that is served and takes its place when it has
 * caught up; then the old rows are deleted in slices. Fails when another runner claims the projection.
 */
export const run = (
  journal: Service,
  projection: AnyProjection
): Effect.Effect<never, ProjectionTaken | EventUndecodable | JournalUnavailable> =>
  Effect.gen(function* () {
    const advanceTo = yield* claiming(journal, projection)
    const deliveries = journal.subscribe({ from: after(advanceTo.from), filter: projection.filter })
    yield* Stream.runForEachArray(deliveries, (batch) =>
      advanceTo.next({
        events: batch.flatMap((d) => (d._tag === "Event" ? [d.event] : [])),
        to: batch.reduce((last, d) => Math.max(last, d._tag === "Event" ? d.event.position : d.position), 0),
        caughtUp: batch.some((d) => d._tag === "CaughtUp")
      })
    )
    return yield* Effect.die(new Error("a subscription ended"))
  })

/** Brings a projection up to the present head and serves it; what a layer does with its `inline` ones when it opens. */
export const catchUp = Effect.fnUntraced(function* (
  journal: Service,
  projection: AnyProjection
): Effect.fn.Return<void, ProjectionTaken | EventUndecodable | JournalUnavailable> {
  const advanceTo = yield* claiming(journal, projection)
  const head = yield* journal.head
  const events = journal.readAll({ after: advanceTo.from, to: head, filter: projection.filter })
  yield* Stream.runForEachArray(events, (batch) =>
    advanceTo.next({ events: batch, to: batch.at(-1)?.position ?? 0, caughtUp: false })
  )
  yield* advanceTo.next({ events: [], to: head, caughtUp: true })
})

/** Claims the projection; `next` advances it from where it stands, and clears what a switch has left behind. */
const claiming = Effect.fnUntraced(function* ({ documents }: Service, projection: AnyProjection) {
  const claimed = yield* claim(documents, projection)
  let { checkpoint } = claimed
  // A runner that was killed right after its switch has left this undone.
  if (claimed.served) yield* clearOthers(documents, projection)
  const next = Effect.fnUntraced(function* (step: Advance) {
    const advanced = yield* advance(documents, projection, checkpoint, step)
    checkpoint = advanced.checkpoint
    if (advanced.switched) yield* clearOthers(documents, projection)
  })
  return { from: checkpoint.position, next }
})

/** One row; `undefined` when there is none. */
export const get = Effect.fnUntraced(function* <S>(
  journal: Service,
  projection: Projection<S>,
  key: string
): Effect.fn.Return<S | undefined, ProjectionNotReady | RowUndecodable | JournalUnavailable> {
  const text = yield* journal.documents.get({ collection: rowsOf(projection), key })
  // Asked after the row: rows are deleted only after another version is served.
  yield* assertLive(journal, projection)
  return text === undefined ? undefined : yield* projection.decodeRow(key, text)
})

/** All rows in the order of their keys; what is folded meanwhile may or may not be among them. */
export const all = <S>(
  journal: Service,
  projection: Projection<S>
): Stream.Stream<readonly [key: string, state: S], ProjectionNotReady | RowUndecodable | JournalUnavailable> =>
  Stream.mapEffect(journal.documents.list(rowsOf(projection)), ({ key, value }) =>
    Effect.map(projection.decodeRow(key, value), (state) => [key, state] as const)
  ).pipe(Stream.concat(Stream.fromEffectDrain(assertLive(journal, projection))))

/** How far the projection has come; `0` before its first event. */
export const position = (journal: Service, projection: AnyProjection): Effect.Effect<Position, JournalUnavailable> =>
  Effect.map(standing(journal.documents, projection), (checkpoint) => checkpoint.position)

const assertLive = Effect.fnUntraced(function* (journal: Service, { name, foldVersion }: AnyProjection) {
  const live = yield* liveVersion(journal.documents, name)
  if (live === foldVersion) return
  return yield* new ProjectionNotReady({ projection: name, foldVersion, ...(live === undefined ? {} : { live }) })
})
