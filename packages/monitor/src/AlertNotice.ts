/**
 * What a receiver is told: one event of one alert, with an id that stays the same however often it is told. Delivery is at least
 * once, so a receiver that must act once keeps the ids it has seen.
 */
import type { EventUndecodable, UnknownEvent } from "@sbx/journal/EventFamily"
import type { From, JournalUnavailable, Recorded } from "@sbx/journal/Journal"
import { Journal, start } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { AlertEvent, alertTypes, isAlertEvent } from "./AlertEvent.ts"
import type { ResourceEvent } from "./ResourceEvent.ts"
import { family } from "./ResourceEvent.ts"

/** The body of a webhook is this as JSON. */
export const AlertNotice = Schema.Struct({
  /** `<journal id>:<position>`: unique over journals, the same at every attempt and after a restart. For de-duplication. */
  id: Schema.String,
  /** Place in the journal; notices of one journal come in this order. */
  position: Schema.Int,
  event: AlertEvent
})
export type AlertNotice = typeof AlertNotice.Type

const encode = Schema.encodeSync(Schema.toCodecJson(AlertNotice))

/** As it goes over a wire. */
export const toJson = (notice: AlertNotice): Schema.Json => encode(notice)

/** What there is to tell of an event of the category; nothing of those that are no alert's. */
export const fromRecorded = ({
  eventId,
  payload,
  position
}: Recorded<ResourceEvent | UnknownEvent>): Option.Option<AlertNotice> =>
  isAlertEvent(payload) ? Option.some({ id: eventId, position, event: payload }) : Option.none()

/** All notices from a place on (default: the first), then live; for a consumer that keeps its own place. Never ends by itself. */
export const notices = (options?: {
  readonly from?: From
}): Stream.Stream<AlertNotice, JournalUnavailable | EventUndecodable, Journal> =>
  Stream.unwrap(
    Effect.map(Journal, (journal) =>
      family
        .events(journal, { from: options?.from ?? start, types: alertTypes })
        .pipe(Stream.flatMap((recorded) => Stream.fromIterable(Option.toArray(fromRecorded(recorded)))))
    )
  )
