/**
 * A family ties one stream category to one typed union of events: persisted type = the event's `_tag`, and only the
 * newest version of each type is ever written. Older versions are lifted by upcasts; what this program does not know
 * yet is carried as {@link UnknownEvent}. Refuses a known type whose payload does not fit (`EventUndecodable`).
 */
import { Effect, Result, Schema, Stream } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import type {
  AppendError,
  Appended,
  AppendOptions,
  Delivery,
  EncodedEvent,
  Filter,
  From,
  Journal,
  JournalUnavailable,
  Position,
  Recorded,
  StreamName
} from "./Journal.ts"
import { categoryOf, start, streamName } from "./Journal.ts"

/** An event of a newer program or another family: folds ignore it, streams carry it, nothing is lost. */
export interface UnknownEvent {
  readonly _tag: "UnknownEvent"
  readonly category: string
  readonly type: string
  readonly schemaVersion: number
  readonly payload: Schema.Json
}

/** A payload as stored: the event's encoded fields without `_tag`. */
export type Fields = Readonly<Record<string, Schema.Json>>

/** Lifts the payload of one version to the next, purely; throwing makes the event undecodable. */
export type Upcast = (payload: Fields) => Fields

/** An upcast from a codec: `Encoded` is the older payload, `Type` the newer one as stored. */
export const upcastWith = (codec: Schema.ConstraintCodec<Fields, Fields, never, never>): Upcast =>
  Schema.decodeUnknownSync(codec)

/** A stored event of a known type and version does not fit its schema: the file was edited, or a schema changed without a new version. */
export class EventUndecodable extends Schema.TaggedError<EventUndecodable>()("EventUndecodable", {
  stream: Schema.String,
  position: Schema.Int,
  type: Schema.String,
  schemaVersion: Schema.Int,
  issue: Schema.String
}) {
  override get message() {
    return `Could not decode event ${this.type}@${this.schemaVersion} at position ${this.position} of ${this.stream}: ${this.issue}.\nGive the type a new version with an upcast instead of changing its released schema.`
  }
}

/** The reading half of a family; all that a registry needs. */
export interface EventDecoder<out A> {
  readonly category: string
  /** Known types and the version that is written for each, in the order of the union. */
  readonly versions: ReadonlyMap<string, number>
  readonly decode: (recorded: Recorded) => Effect.Effect<A | UnknownEvent, EventUndecodable>
  /** {@link EventDecoder.decode} without an effect around it. */
  readonly decodeResult: (recorded: Recorded) => Result.Result<A | UnknownEvent, EventUndecodable>
}

type Service = Journal["Service"]
type Typed<A> = Stream.Stream<Recorded<A | UnknownEvent>, JournalUnavailable | EventUndecodable>

export interface EventFamily<in out A extends { readonly _tag: string }> extends EventDecoder<A> {
  /** Name of the stream with this id in the family's category. */
  readonly stream: (id: string) => StreamName
  /** Encodes with the newest version. An event that breaks its own schema is a defect. */
  readonly encode: (event: A) => EncodedEvent
  /** Appends typed events; a stream of another category is a defect. */
  readonly append: (
    journal: Service,
    stream: StreamName,
    events: NonEmptyReadonlyArray<A>,
    options: AppendOptions
  ) => Effect.Effect<Appended, AppendError>
  /** One stream from its first event (or `fromVersion`) to its last. */
  readonly read: (
    journal: Service,
    stream: StreamName,
    range?: { readonly fromVersion?: number | undefined; readonly toVersion?: number | undefined }
  ) => Typed<A>
  /** All events of the category, from `from` (default: the start) on, without gap or duplicate; never ends by itself. */
  readonly events: (journal: Service, options?: LiveOptions<A>) => Typed<A>
  /** Like {@link events}, with `CaughtUp` and `Progress` for consumers that keep a checkpoint. */
  readonly subscribe: (
    journal: Service,
    options?: LiveOptions<A>
  ) => Stream.Stream<Delivery<A | UnknownEvent>, JournalUnavailable | EventUndecodable>
  /** All events of the category up to the present head; ends. */
  readonly replay: (
    journal: Service,
    options?: {
      readonly after?: Position | undefined
      readonly stream?: StreamName | undefined
      readonly types?: ReadonlyArray<A["_tag"]> | undefined
    }
  ) => Typed<A>
}

export interface LiveOptions<A extends { readonly _tag: string }> {
  readonly from?: From | undefined
  readonly stream?: StreamName | undefined
  readonly types?: ReadonlyArray<A["_tag"]> | undefined
}

/** A union that knows its cases: `Schema.TaggedUnion({...})`, or any union through `Schema.toTaggedUnion("_tag")`. */
export type TaggedEvents = Schema.ConstraintCodec<{ readonly _tag: string }, unknown, never, never> & {
  readonly cases: Readonly<Record<string, Schema.Constraint>>
}

/**
 * Builds a family. `upcasts[tag][n - 1]` lifts version `n` to `n + 1`, so the newest version of a type is the number of
 * its upcasts plus one. A type is never renamed or removed; an optional field may be added without a new version.
 */
export const make = <const U extends TaggedEvents>(options: {
  readonly category: string
  readonly union: U
  readonly upcasts?: { readonly [T in U["Type"]["_tag"]]?: ReadonlyArray<Upcast> }
}): EventFamily<U["Type"]> => {
  type A = U["Type"]
  const { category } = options
  const upcasts = new Map<string, ReadonlyArray<Upcast> | undefined>(Object.entries(options.upcasts ?? {}))
  const versions = new Map(
    Object.keys(options.union.cases).map((tag) => [tag, (upcasts.get(tag)?.length ?? 0) + 1] as const)
  )
  const codec = Schema.toCodecJson(options.union)
  const encode = makeEncode<A>(Schema.encodeSync(codec), versions)
  const decodeResult = makeDecode<A>(category, Schema.decodeUnknownResult(codec), versions, upcasts)
  const filterOf = (o?: {
    readonly stream?: StreamName | undefined
    readonly types?: ReadonlyArray<string> | undefined
  }): Filter => ({
    category,
    stream: o?.stream,
    types: o?.types
  })
  const subscribe: EventFamily<A>["subscribe"] = (journal, o) =>
    typedDeliveries(journal.subscribe({ from: o?.from ?? start, filter: filterOf(o) }), decodeResult)
  return {
    category,
    versions,
    encode,
    decodeResult,
    decode: (recorded) => Effect.fromResult(decodeResult(recorded)),
    subscribe,
    stream: (id) => streamName(category, id),
    append: (journal, stream, events, o) =>
      categoryOf(stream) === category
        ? Effect.suspend(() => journal.append(stream, Arr.map(events, encode), o))
        : Effect.die(new Error(`stream ${stream} is not in category ${category}`)),
    read: (journal, stream, range) => typedEvents(journal.read(stream, range), decodeResult),
    events: (journal, o) => eventsOnly(subscribe(journal, o)),
    replay: (journal, o) => typedEvents(journal.readAll({ after: o?.after, filter: filterOf(o) }), decodeResult)
  }
}

type DecodeResult<A> = EventDecoder<A>["decodeResult"]

/**
 * Decodes page by page, which is several times faster than one effect an event. What comes before an undecodable event
 * is delivered first.
 */
const decodePages = <In, Out, E>(
  stream: Stream.Stream<In, E>,
  decode: (item: In) => Result.Result<Out, EventUndecodable>
): Stream.Stream<Out, E | EventUndecodable> =>
  Stream.flatMap(Stream.chunks(stream), (page): Stream.Stream<Out, EventUndecodable> => {
    const decoded: Array<Out> = []
    for (const item of page) {
      const result = decode(item)
      if (Result.isFailure(result)) return Stream.concat(Stream.fromArray(decoded), Stream.fail(result.failure))
      decoded.push(result.success)
    }
    return Stream.fromArray(decoded)
  })

/** Puts the decoded event into the stored envelope. */
const typed = <A>(
  decode: DecodeResult<A>,
  recorded: Recorded
): Result.Result<Recorded<A | UnknownEvent>, EventUndecodable> =>
  Result.map(decode(recorded), (payload) => ({ ...recorded, payload }))

/** Stored events with their payloads decoded. */
export const typedEvents = <A, E>(events: Stream.Stream<Recorded, E>, decode: DecodeResult<A>) =>
  decodePages(events, (recorded) => typed(decode, recorded))

/** Deliveries with the payloads of their events decoded. */
export const typedDeliveries = <A, E>(deliveries: Stream.Stream<Delivery, E>, decode: DecodeResult<A>) =>
  decodePages(deliveries, (delivery): Result.Result<Delivery<A | UnknownEvent>, EventUndecodable> =>
    delivery._tag === "Event" ? Result.map(typed(decode, delivery.event), asEvent) : Result.succeed(delivery)
  )

/** A delivery of one event. */
const asEvent = <P>(event: Recorded<P>): Delivery<P> => ({ _tag: "Event", event })

/** The events among deliveries. */
export const eventsOnly = <P, E>(deliveries: Stream.Stream<Delivery<P>, E>): Stream.Stream<Recorded<P>, E> =>
  deliveries.pipe(
    Stream.filter((delivery) => delivery._tag === "Event"),
    Stream.map((delivery) => delivery.event)
  )

/** Carries an event that no schema is known for. */
export const unknownEvent = (recorded: Recorded): UnknownEvent => ({
  _tag: "UnknownEvent",
  category: categoryOf(recorded.stream),
  type: recorded.type,
  schemaVersion: recorded.schemaVersion,
  payload: recorded.payload
})

const isObject = (json: unknown): json is Fields => typeof json === "object" && json !== null && !Array.isArray(json)

/** The tag is the row's type and is not kept twice. */
const makeEncode =
  <A extends { readonly _tag: string }>(toJson: (event: A) => unknown, versions: ReadonlyMap<string, number>) =>
  (event: A): EncodedEvent => {
    const json = toJson(event)
    const schemaVersion = versions.get(event._tag)
    if (!isObject(json) || schemaVersion === undefined)
      throw new Error(`event ${event._tag} does not encode to an object`)
    const { _tag: _, ...payload } = json
    return { type: event._tag, schemaVersion, payload }
  }

/** Unknown is decided by category, type and version alone; only what is known may be undecodable. */
const makeDecode =
  <A>(
    category: string,
    fromJson: (json: unknown) => Result.Result<A, Schema.SchemaError>,
    versions: ReadonlyMap<string, number>,
    upcasts: ReadonlyMap<string, ReadonlyArray<Upcast> | undefined>
  ): DecodeResult<A> =>
  (recorded) => {
    const newest = versions.get(recorded.type)
    const known = newest !== undefined && recorded.schemaVersion >= 1 && recorded.schemaVersion <= newest
    if (!known || categoryOf(recorded.stream) !== category) return Result.succeed(unknownEvent(recorded))
    const { position, stream, type, schemaVersion } = recorded
    const undecodable = (issue: string) =>
      Result.fail(new EventUndecodable({ stream, position, type, schemaVersion, issue }))
    let json: Fields
    try {
      json = lift(recorded, schemaVersion === newest ? [] : (upcasts.get(type)?.slice(schemaVersion - 1) ?? []))
    } catch (cause) {
      return undecodable(String(cause))
    }
    const decoded = fromJson(json)
    return Result.isSuccess(decoded) ? Result.succeed(decoded.success) : undecodable(decoded.failure.message)
  }

/** The newest version's JSON of a stored event, its tag put back. */
const lift = (recorded: Recorded, chain: ReadonlyArray<Upcast>): Fields => {
  if (!isObject(recorded.payload)) throw new Error("the payload is not an object")
  const payload = chain.reduce((fields, upcast) => upcast(fields), recorded.payload)
  return Object.assign({}, payload, { _tag: recorded.type })
}
