/**
 * The facts of alerts, part of the category `resource`. One rule on one container is one alert with a stream of its own,
 * `resource/alert/<rule>/<container id>`; each of its episodes is fired once and resolved once. Pending is not on record.
 */
import * as Schema from "effect/Schema"

/** How much an alert matters. */
export const Severity = Schema.Literals(["info", "warning", "critical"])
export type Severity = typeof Severity.Type

/** `>`: a value equal to the threshold does not breach. `>=` (≥): it does. */
export const Comparison = Schema.Literals([">", ">="])
export type Comparison = typeof Comparison.Type

/** `recovered`: measured beyond the resolve threshold. `target-lost`: the container was removed; nothing more can be measured. */
export const ResolveReason = Schema.Literals(["recovered", "target-lost"])
export type ResolveReason = typeof ResolveReason.Type

/** What every event of an alert says. `episode` counts from 1 within the alert. */
const episode = {
  rule: Schema.String,
  containerId: Schema.String,
  name: Schema.String,
  episode: Schema.Int,
  /** When it was decided, milliseconds since 1970 by the deciding process's clock. */
  atMillis: Schema.Finite
}

/** Cases of `ResourceEvent`. */
export const alertCases = {
  AlertFired: {
    ...episode,
    severity: Severity,
    metric: Schema.String,
    comparison: Comparison,
    threshold: Schema.Finite,
    /** The measured value that fired it, in the metric's unit. */
    value: Schema.Finite,
    /** How long it was seen to breach before, milliseconds; gaps in the measurement are not counted. */
    heldMillis: Schema.Finite
  },
  /** Who has taken it up, and what they say about it. It stays firing. */
  AlertAcknowledged: { ...episode, by: Schema.String, note: Schema.String },
  AlertResolved: {
    ...episode,
    reason: ResolveReason,
    /** The measured value that resolved it; absent when the target was lost. */
    value: Schema.optionalKey(Schema.Finite)
  },
  /** A receiver has failed several times in a row on one notice. It goes on trying; other receivers are not held up. */
  AlertDeliveryStalled: {
    receiver: Schema.String,
    /** Journal position of the event that could not be delivered. */
    position: Schema.Int,
    attempts: Schema.Int,
    detail: Schema.String,
    atMillis: Schema.Finite
  },
  /** A stalled receiver took the notice after all. */
  AlertDeliveryRecovered: {
    receiver: Schema.String,
    position: Schema.Int,
    attempts: Schema.Int,
    atMillis: Schema.Finite
  }
}

const cases = {
  AlertFired: alertCases.AlertFired,
  AlertAcknowledged: alertCases.AlertAcknowledged,
  AlertResolved: alertCases.AlertResolved
}

/** What happens to an alert. */
export const AlertEvent = Schema.TaggedUnion(cases)
export type AlertEvent = typeof AlertEvent.Type

/** Tags of {@link AlertEvent}. */
export const alertTypes = ["AlertFired", "AlertAcknowledged", "AlertResolved"] as const satisfies ReadonlyArray<
  AlertEvent["_tag"]
>

/** Whether an event belongs to the life of an alert. */
export const isAlertEvent = <A extends { readonly _tag: string }>(event: A): event is A & AlertEvent =>
  alertTypes.some((tag) => tag === event._tag)

/** One rule on one container. */
export interface AlertKey {
  readonly rule: string
  readonly containerId: string
}

/** Id of the alert's stream within the category. */
export const alertStreamId = ({ rule, containerId }: AlertKey): string => `alert/${rule}/${containerId}`
