/**
 * Raw samples beside the event journal: kept for a bounded time in a bounded space, found by subject, metric and time. What could not
 * be measured is kept as its reason, so that absent and not sampled differ. Layers: `@sbx/monitor/SampleFile`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Sample } from "./Sample.ts"

const StoreReason = Schema.Literals([
  "NotFound",
  "ReadOnly",
  "NotASampleStore",
  "NewerFormat",
  "Corrupt",
  "DiskFull",
  "Busy",
  "Closed",
  "Failed"
])
export type StoreReason = typeof StoreReason.Type

const remedies: Record<StoreReason, string> = {
  NotFound: "Make its directory first.",
  ReadOnly: "Choose a path that this process may write.",
  NotASampleStore: "It was left as it is; choose another path.",
  NewerFormat: "Use the version of the program that wrote it, or a later one.",
  Corrupt: "Move the file away; a new one is made in its place.",
  DiskFull: "Free space; what is still in memory is written then.",
  Busy: "Another process is writing it; it is tried again.",
  Closed: "Use the store within its scope.",
  Failed: "See the detail."
}

/** The file under the store refused, or is not one of ours. */
export class SampleStoreUnavailable extends Schema.TaggedError<SampleStoreUnavailable>()("SampleStoreUnavailable", {
  /** `open`, `write` or `read`. */
  operation: Schema.Literals(["open", "write", "read"]),
  reason: StoreReason,
  detail: Schema.String,
  path: Schema.String
}) {
  override get message() {
    return `Could not ${this.operation} the sample store ${this.path}: ${this.detail}.\n${remedies[this.reason]}`
  }
}

/** A bound that bounds nothing, or leaves no room for a sample. */
export class InvalidRetention extends Schema.TaggedError<InvalidRetention>()("InvalidRetention", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not keep samples: ${this.detail}.`
  }
}

/** A range or a number of buckets that has no meaning. */
export class InvalidQuery extends Schema.TaggedError<InvalidQuery>()("InvalidQuery", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not look up samples: ${this.detail}.`
  }
}

/** What is kept: a sample, or that one was due and could not be taken. Times are milliseconds since 1970. */
export type StoredItem =
  | { readonly _tag: "Sampled"; readonly sample: Sample<string> }
  | {
      readonly _tag: "Missed"
      readonly subject: Sample<string>["subject"]
      readonly id: string
      readonly name: string
      readonly atMillis: number
      /** Tag of the error, e.g. `TargetNotRunning`, `EngineUnavailable`, `TargetGone`. */
      readonly reason: string
    }

/** One metric at one time. Where nothing was due there is no point at all. */
export type StoredPoint =
  | { readonly _tag: "Measured"; readonly atMillis: number; readonly value: number }
  /** Sampled, without a value for this metric; `reason` is an {@link Absence} of the sample. */
  | { readonly _tag: "Absent"; readonly atMillis: number; readonly reason: string }
  /** Due, and nothing could be sampled. */
  | { readonly _tag: "Missed"; readonly atMillis: number; readonly reason: string }

/** A slice of time. All counts zero: nothing was due in it. */
export interface Bucket {
  /** From, included, to the next bucket's from; the last one includes the end of the range. */
  readonly fromMillis: number
  readonly toMillis: number
  readonly measured: number
  readonly absent: number
  readonly missed: number
  /** Of the measured values; `undefined` without any. */
  readonly min: number | undefined
  readonly avg: number | undefined
  readonly max: number | undefined
}

export interface StoredSubject {
  readonly subject: Sample<string>["subject"]
  readonly id: string
  /** The last one that it had. */
  readonly name: string
  /** Items that are still kept, and the times of the earliest and the latest. */
  readonly items: number
  readonly fromMillis: number
  readonly toMillis: number
}

export interface Range {
  /** Included. Default: the first that is kept. */
  readonly fromMillis?: number
  /** Included. Default: the last that is kept. */
  readonly toMillis?: number
}

export interface ItemQuery extends Range {
  /** Default `container`. */
  readonly subject?: Sample<string>["subject"]
  /** Container id, host name or process id. */
  readonly id: string
}

export interface PointQuery extends ItemQuery {
  readonly metric: string
}

export interface StoreStatus {
  /** Taken and not yet written. */
  readonly waiting: number
  readonly written: number
  /** Given up because they waited too long for a file that refuses. */
  readonly dropped: number
  /** Why the last write failed; `undefined` when it did not. */
  readonly failure: SampleStoreUnavailable | undefined
  /** Of the database in use, without its write-ahead log. */
  readonly bytes: number
}

export class SampleStore extends Context.Service<
  SampleStore,
  {
    /** Takes an item; written with others at the next flush. Never waits and never fails: see `status` and `flush`. */
    readonly record: (item: StoredItem) => Effect.Effect<void>
    /** Writes what waits and forgets what is too old or too much. What could not be written goes on waiting. */
    readonly flush: Effect.Effect<void, SampleStoreUnavailable>
    readonly status: Effect.Effect<StoreStatus, SampleStoreUnavailable>
    /** Everything of which items are kept, by subject and id. */
    readonly subjects: Effect.Effect<ReadonlyArray<StoredSubject>, SampleStoreUnavailable>
    /** Whole items in the order of time, read in pages. */
    readonly items: (query: ItemQuery) => Stream.Stream<StoredItem, SampleStoreUnavailable | InvalidQuery>
    /** One metric in the order of time. */
    readonly points: (
      query: PointQuery
    ) => Effect.Effect<ReadonlyArray<StoredPoint>, SampleStoreUnavailable | InvalidQuery>
    /** The same in so many slices of equal length over the range; none where nothing is kept. */
    readonly buckets: (
      query: PointQuery & { readonly count: number }
    ) => Effect.Effect<ReadonlyArray<Bucket>, SampleStoreUnavailable | InvalidQuery>
  }
>()("@sbx/monitor/SampleStore") {}
