/**
 * Catch-up and live delivery: pages from the storage up to the head, then batches from the hub; whatever the hub drops
 * shows as a gap in the positions and is read from the storage. Level-triggered: nobody waits while the head is ahead.
 */
import { Effect, Option, PubSub, Stream } from "effect"
import type { Delivery, Filter, From, JournalUnavailable, Position, Recorded } from "../Journal.ts"
import { matches, toRecorded } from "./envelope.ts"
import type { Announcement, Hub } from "./hub.ts"
import { journalClosed } from "./hub.ts"
import type { ReadStorage } from "./storage.ts"

interface State {
  /** Last position looked at, never the head. */
  readonly last: number
  readonly live: boolean
}

type Step = Effect.Effect<readonly [ReadonlyArray<Delivery>, Option.Option<State>], JournalUnavailable>

interface Source {
  readonly storage: ReadStorage
  readonly inbox: PubSub.Subscription<Announcement>
  readonly filter: Filter | undefined
  readonly pageSize: number
}

export const subscribe = (
  storage: ReadStorage,
  hub: Hub,
  pageSize: number,
  options: { readonly from: From; readonly filter?: Filter | undefined }
): Stream.Stream<Delivery, JournalUnavailable> =>
  Stream.unwrap(
    Effect.gen(function* () {
      // The inbox opens before the first look at the head: a commit in between is in one of the two.
      const source = { storage, inbox: yield* PubSub.subscribe(hub), filter: options.filter, pageSize }
      const last = yield* startPosition(storage, options.from)
      return Stream.paginate<State, Delivery, JournalUnavailable>({ last, live: false }, (state) =>
        state.live ? stepLive(source, state.last) : stepPage(source, state.last)
      )
    })
  )

const startPosition = (storage: ReadStorage, from: From): Effect.Effect<number, JournalUnavailable> => {
  switch (from._tag) {
    case "Start":
      return Effect.succeed(0)
    case "After":
      return Effect.succeed(from.position)
    case "Now":
      return storage.head
  }
}

const next = (deliveries: ReadonlyArray<Delivery>, state: State) => [deliveries, Option.some(state)] as const

/**
 * One page from the storage. The head is read before the page, so a page that reaches it has caught up with that head;
 * what comes later is found by the next look.
 */
const stepPage = Effect.fnUntraced(function* (
  { storage, filter, pageSize }: Source,
  last: number
): Effect.fn.Return<Effect.Success<Step>, JournalUnavailable> {
  const head = yield* storage.head
  const to = Math.max(last, Math.min(last + pageSize, head))
  const rows = to > last ? yield* storage.scan(last, to) : []
  const events = yield* toRecorded(
    storage.id,
    rows.filter((row) => matches(filter, row))
  )
  if (to < head) return next(deliver(events, to, last), { last: to, live: false })
  return next([...events.map(asEvent), { _tag: "CaughtUp", position: head }], { last: to, live: true })
})

/**
 * Takes what the hub has; when it has nothing, compares with the head before waiting, because what was dropped or was
 * written by another process is never announced again.
 */
const stepLive = Effect.fnUntraced(function* (
  source: Source,
  last: number
): Effect.fn.Return<Effect.Success<Step>, JournalUnavailable> {
  let inbox: ReadonlyArray<Announcement> = yield* PubSub.takeUpTo(source.inbox, Number.MAX_SAFE_INTEGER)
  if (inbox.length === 0) {
    if ((yield* source.storage.head) > last) return next([], { last, live: false })
    inbox = [yield* PubSub.take(source.inbox)]
  }
  const fresh: Array<Recorded> = []
  let seen = last
  let gap = false
  // Batches already read from pages lie below `seen`; one above `seen + 1` shows that the hub dropped some.
  for (const announcement of inbox) {
    if (announcement._tag === "Closed") return yield* journalClosed("read")
    if (announcement._tag === "Wake" || announcement.last <= seen) continue
    gap = announcement.first > seen + 1
    if (gap) break
    fresh.push(...announcement.events().filter((e) => e.position > seen && matches(source.filter, e)))
    seen = announcement.last
  }
  return next(deliver(fresh, seen, last), { last: seen, live: !gap })
})

const asEvent = (event: Recorded): Delivery => ({ _tag: "Event", event })

/** The events, and how far the look went when the filter left out its end. */
const deliver = (events: ReadonlyArray<Recorded>, scanned: Position, before: Position): ReadonlyArray<Delivery> => {
  const delivered = events.at(-1)?.position ?? before
  const deliveries = events.map(asEvent)
  return delivered < scanned ? [...deliveries, { _tag: "Progress", position: scanned }] : deliveries
}

/** Completes once the head reaches `position`, woken by the hub, judged by the storage. */
export const awaitPosition = (storage: ReadStorage, hub: Hub, position: Position) =>
  Effect.scoped(
    Effect.gen(function* () {
      const inbox = yield* PubSub.subscribe(hub)
      while ((yield* storage.head) < position) {
        const announcement = yield* PubSub.take(inbox)
        if (announcement._tag === "Closed") return yield* journalClosed("read")
      }
    })
  )
