/**
 * What the monitor puts on record: snapshots taken, containers lost, alerts and their delivery. Raw samples are not events.
 * Stream `resource/<container id>` for one container, `resource/snapshots` for snapshots, `resource/alert/…` for an alert.
 */
import * as EventFamily from "@sbx/journal/EventFamily"
import * as Schema from "effect/Schema"
import { alertCases, alertStreamId } from "./AlertEvent.ts"

const Metrics = Schema.Record(Schema.String, Schema.Finite)

export const ResourceEvent = Schema.TaggedUnion({
  /** A snapshot was taken; metrics that could not be measured are not listed. */
  SnapshotTaken: {
    snapshotId: Schema.String,
    label: Schema.String,
    atMillis: Schema.Finite,
    subjects: Schema.Array(
      Schema.Struct({
        subject: Schema.Literals(["container", "host", "runner"]),
        id: Schema.String,
        name: Schema.String,
        metrics: Metrics
      })
    )
  },
  /** A container that was being sampled does not exist any more; its series ended. */
  SamplerTargetLost: {
    containerId: Schema.String,
    name: Schema.String,
    /** When it was last sampled, milliseconds since 1970 by the engine's clock; absent when it never was. */
    lastSampleAtMillis: Schema.optionalKey(Schema.Finite)
  },
  ...alertCases
})
export type ResourceEvent = typeof ResourceEvent.Type

export const family: EventFamily.EventFamily<ResourceEvent> = EventFamily.make({
  category: "resource",
  union: ResourceEvent
})

/** The stream of one container's resource events. */
export const containerStream = (containerId: string) => family.stream(containerId)

/** The stream of snapshots. */
export const snapshotStream = family.stream("snapshots")

/** The stream that an event belongs in. */
export const streamOf = (event: ResourceEvent) => {
  switch (event._tag) {
    case "SnapshotTaken":
      return snapshotStream
    case "SamplerTargetLost":
      return containerStream(event.containerId)
    case "AlertDeliveryStalled":
    case "AlertDeliveryRecovered":
      return family.stream(`receiver/${event.receiver}`)
    default:
      return family.stream(alertStreamId(event))
  }
}
