/**
 * Runs a pure decider on the streams of one family: load the state (from a snapshot, if there is one), decide, append
 * exactly where the state was read, and decide anew when somebody else was faster. No clock, random or I/O in the
 * decider: time and ids come in the command.
 */
import { Effect, Option, Result, Schedule, Schema, Stream } from "effect"
import type { EventFamily, EventUndecodable, UnknownEvent } from "./EventFamily.ts"
import type { AppendError, Appended, AppendOptions, Journal, JournalUnavailable, StreamName } from "./Journal.ts"
import { CommandReused, exact, VersionConflict } from "./Journal.ts"

type Service = Journal["Service"]

export interface Decider<in out A extends { readonly _tag: string }, in out S, in C, out R> {
  readonly family: EventFamily<A>
  readonly initial: S
  /** Total: events of a newer program never reach it. */
  readonly evolve: (state: S, event: A) => S
  /** The events that the command leads to, none if there is nothing to do, or a rejection. */
  readonly decide: (command: C, state: S) => Result.Result<ReadonlyArray<A>, R>
  /** A terminal state closes the stream in the same commit. */
  readonly isTerminal?: (state: S) => boolean
  readonly snapshot?: Snapshot<S>
}

/** Where and how often the folded state is kept, so that long streams load fast. */
export interface Snapshot<in out S> {
  readonly name: string
  /** Raise it with every change of `evolve` or `state`: older snapshots are then discarded. */
  readonly foldVersion: number
  readonly state: Schema.ConstraintCodec<S, unknown, never, never>
  /** Events after which the next snapshot is kept. */
  readonly every: number
}

/** The state of a stream, and its version; 0 and the initial state when there is no such stream. */
export interface Loaded<out S> {
  readonly state: S
  readonly version: number
}

/** What a command led to; `appended` is absent when the decision was to do nothing. */
export interface Handled<out S> extends Loaded<S> {
  readonly appended?: Appended
}

/** Ten tries over about a second: more means that the stream is a bottleneck, which retrying only hides. */
const retries = Schedule.exponential("2 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 9 }))

/** Folds the stream `id` of the decider's family; unknown events are left out. */
export const load = Effect.fn("Decider.load")(function* <A extends { readonly _tag: string }, S, C, R>(
  journal: Service,
  decider: Decider<A, S, C, R>,
  id: string
): Effect.fn.Return<Loaded<S>, JournalUnavailable | EventUndecodable> {
  const stream = decider.family.stream(id)
  const kept = yield* readSnapshot(journal, decider.snapshot, stream)
  let { state, version } = kept ?? { state: decider.initial, version: 0 }
  const events = decider.family.read(journal, stream, { fromVersion: version + 1 })
  yield* Stream.runForEachArray(events, (page) =>
    Effect.sync(() => {
      for (const event of page) {
        if (isKnown(decider, event.payload)) state = decider.evolve(state, event.payload)
        version = event.version
      }
    })
  )
  return { state, version }
})

const isKnown = <A extends { readonly _tag: string }>(
  { family }: { readonly family: EventFamily<A> },
  event: A | UnknownEvent
): event is A => family.versions.has(event._tag)

/**
 * Decides the command on the stream `id` and appends what follows, at most ten times over when others append in
 * between. With a `commandId` a repeat writes nothing and answers as the first time, whatever the state is by then;
 * a rejection is not remembered. The id alone tells a repeat: give every command its own.
 */
export const handle = Effect.fn("Decider.handle")(function* <A extends { readonly _tag: string }, S, C, R>(
  journal: Service,
  decider: Decider<A, S, C, R>,
  id: string,
  command: C,
  options?: Pick<AppendOptions, "commandId" | "causation" | "correlation">
): Effect.fn.Return<Handled<S>, R | AppendError | EventUndecodable> {
  return yield* Effect.retry(attempt(journal, decider, id, command, options ?? {}), {
    schedule: retries,
    // A command id used meanwhile, on a state that we had not seen, is found by the next look.
    while: (error) => error instanceof VersionConflict || error instanceof CommandReused
  })
})

const attempt = Effect.fnUntraced(function* <A extends { readonly _tag: string }, S, C, R>(
  journal: Service,
  decider: Decider<A, S, C, R>,
  id: string,
  command: C,
  options: Pick<AppendOptions, "commandId" | "causation" | "correlation">
): Effect.fn.Return<Handled<S>, R | AppendError | EventUndecodable> {
  const stream = decider.family.stream(id)
  const loaded = yield* load(journal, decider, id)
  // Asked after loading: an append that came in between then meets `exact`, not a decision on a state that knows it.
  const known = options.commandId === undefined ? undefined : yield* journal.answered(stream, options.commandId)
  if (known !== undefined) return { ...(yield* load(journal, decider, id)), appended: known }
  const events = yield* Effect.fromResult(decider.decide(command, loaded.state))
  const [first, ...rest] = events
  if (first === undefined) return loaded
  const state = events.reduce((folded, event) => decider.evolve(folded, event), loaded.state)
  const closes = decider.isTerminal?.(state) ?? false
  const appended = yield* decider.family.append(journal, stream, [first, ...rest], {
    ...options,
    expected: exact(loaded.version),
    closes
  })
  const now = { state, version: appended.version }
  yield* keepSnapshot(journal, decider.snapshot, stream, loaded.version, now)
  return { ...now, appended }
})

const Kept = Schema.fromJsonString(Schema.Struct({ foldVersion: Schema.Int, version: Schema.Int, state: Schema.Json }))
const decodeKept = Schema.decodeEffect(Kept)

const keyOf = <S>({ name }: Snapshot<S>, stream: StreamName) => ({ collection: `snapshot:${name}`, key: stream })

/** A snapshot of another fold version, or one that does not fit the schema, is as good as none. */
const readSnapshot = Effect.fnUntraced(function* <S>(
  journal: Service,
  snapshot: Snapshot<S> | undefined,
  stream: StreamName
): Effect.fn.Return<Loaded<S> | undefined, JournalUnavailable> {
  if (snapshot === undefined) return undefined
  const text = yield* journal.documents.get(keyOf(snapshot, stream))
  if (text === undefined) return undefined
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(snapshot.state))
  const loaded = Effect.flatMap(decodeKept(text), (kept) =>
    Effect.map(decode(kept.state), (state) => ({ ...kept, state }))
  )
  const kept = yield* Effect.option(loaded)
  return Option.getOrUndefined(Option.filter(kept, ({ foldVersion }) => foldVersion === snapshot.foldVersion))
})

/** Kept whenever the stream passes a multiple of `every`; failing to keep one costs time later, nothing else. */
const keepSnapshot = <S>(
  journal: Service,
  snapshot: Snapshot<S> | undefined,
  stream: StreamName,
  before: number,
  { state, version }: Loaded<S>
): Effect.Effect<void> => {
  if (snapshot === undefined || Math.floor(before / snapshot.every) === Math.floor(version / snapshot.every)) {
    return Effect.void
  }
  const json = Schema.encodeUnknownSync(Schema.toCodecJson(snapshot.state))(state)
  const value = JSON.stringify({ foldVersion: snapshot.foldVersion, version, state: json })
  const writes = [{ ...keyOf(snapshot, stream), value }]
  return Effect.ignore(journal.documents.transact([], () => Result.succeed({ answer: undefined, writes })))
}
