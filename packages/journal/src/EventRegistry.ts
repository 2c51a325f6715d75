/**
 * Several families read as one: decodes any event of the journal into the union of their events, by category and
 * `type@version`. Refuses two families of one category, which would make a type ambiguous.
 */
import type { Stream } from "effect"
import { Effect, Result } from "effect"
import type { EventDecoder, EventUndecodable, UnknownEvent } from "./EventFamily.ts"
import { eventsOnly, typedDeliveries, typedEvents, unknownEvent } from "./EventFamily.ts"
import type { Delivery, Filter, From, Journal, JournalUnavailable, Position, Recorded } from "./Journal.ts"
import { categoryOf, start } from "./Journal.ts"

type ReadError = JournalUnavailable | EventUndecodable

export interface EventRegistry<out A> {
  /** Every known type as `category`, `type` and the version that is written, in the order given. */
  readonly known: ReadonlyArray<{ readonly category: string; readonly type: string; readonly schemaVersion: number }>
  readonly decode: (recorded: Recorded) => Effect.Effect<A | UnknownEvent, EventUndecodable>
  readonly decodeResult: (recorded: Recorded) => Result.Result<A | UnknownEvent, EventUndecodable>
  /** Typed deliveries from `from` (default: the start) on; never ends by itself. */
  readonly subscribe: (
    journal: Journal["Service"],
    options?: { readonly from?: From | undefined; readonly filter?: Filter | undefined }
  ) => Stream.Stream<Delivery<A | UnknownEvent>, ReadError>
  /** The events of {@link EventRegistry.subscribe} alone. */
  readonly events: (
    journal: Journal["Service"],
    options?: { readonly from?: From | undefined; readonly filter?: Filter | undefined }
  ) => Stream.Stream<Recorded<A | UnknownEvent>, ReadError>
  /** Typed events up to the present head; ends. */
  readonly replay: (
    journal: Journal["Service"],
    range?: {
      readonly after?: Position | undefined
      readonly to?: Position | undefined
      readonly filter?: Filter | undefined
    }
  ) => Stream.Stream<Recorded<A | UnknownEvent>, ReadError>
}

/** Merges families; two of one category are a defect. */
export const make = <As extends ReadonlyArray<unknown>>(
  ...families: { readonly [K in keyof As]: EventDecoder<As[K]> }
): EventRegistry<As[number]> => merge<As[number]>(families)

const merge = <A>(families: ReadonlyArray<EventDecoder<A>>): EventRegistry<A> => {
  const byCategory = new Map(families.map((family) => [family.category, family] as const))
  if (byCategory.size < families.length) throw new Error("two event families of one category")
  const decodeResult: EventRegistry<A>["decodeResult"] = (recorded) =>
    byCategory.get(categoryOf(recorded.stream))?.decodeResult(recorded) ?? Result.succeed(unknownEvent(recorded))
  const subscribe: EventRegistry<A>["subscribe"] = (journal, options) =>
    typedDeliveries(journal.subscribe({ from: options?.from ?? start, filter: options?.filter }), decodeResult)
  return {
    decodeResult,
    decode: (recorded) => Effect.fromResult(decodeResult(recorded)),
    subscribe,
    known: families.flatMap(({ category, versions }) =>
      [...versions].map(([type, schemaVersion]) => ({ category, type, schemaVersion }))
    ),
    events: (journal, options) => eventsOnly(subscribe(journal, options)),
    replay: (journal, range) => typedEvents(journal.readAll(range), decodeResult)
  }
}
