/**
 * The journal: an append-only, totally ordered record of typed facts, and the only source of truth of a run.
 * Append with an expected version and a command id; read, or subscribe from any past position without gap or duplicate.
 * Refuses: editing or deleting events, appending to a closed stream, one command id for two contents.
 */
import type { Effect, Stream } from "effect"
import { Context, Schema } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { CommitLog } from "./CommitLog.ts"
import type { Documents } from "./Documents.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

const streamNamePattern = /^[a-z][a-z0-9-]{0,63}\/[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/

/** Name of a stream, `"<category>/<id>"`, e.g. `sandbox/sbx_ab12`. The category selects the family that types its events. */
export const StreamName = Schema.String.pipe(
  Schema.check(Schema.isPattern(streamNamePattern, { expected: 'a stream name "<category>/<id>"' })),
  Schema.brand("@sbx/journal/StreamName")
)
export type StreamName = typeof StreamName.Type

/** Builds a stream name; a malformed category or id is a defect, so decode outside input with {@link StreamName} first. */
export const streamName = (category: string, id: string): StreamName => StreamName.make(`${category}/${id}`)

/** The part of a stream name before the first slash. */
export const categoryOf = (name: StreamName): string => name.slice(0, name.indexOf("/"))

/** Place of an event in the whole journal: contiguous, 1-based, in commit order. `0` is before the first event. */
export const Position = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))
export type Position = typeof Position.Type

/** Key that makes an append safe to repeat, unique within its stream for ever, at most 200 characters. */
export const CommandId = Schema.String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(200)))
export type CommandId = typeof CommandId.Type

// ---------------------------------------------------------------------------------------------------------------------
// Events
// ---------------------------------------------------------------------------------------------------------------------

/** An event as handed to {@link Journal}: persisted tag, version of its schema (1-based) and JSON payload. */
export interface EncodedEvent {
  readonly type: string
  readonly schemaVersion: number
  readonly payload: Schema.Json
}

/** Schema of a stored event with its JSON payload; one line of `events --json`. */
export const RecordedJson = Schema.Struct({
  position: Position,
  stream: StreamName,
  /** Place in the stream: contiguous, 1-based. */
  version: Schema.Int,
  type: Schema.String,
  schemaVersion: Schema.Int,
  payload: Schema.Json,
  /** `"<journal id>:<position>"`: unique across journals without a stored column. */
  eventId: Schema.String,
  commandId: Schema.optionalKey(CommandId),
  /** Position of the event that led to this one. */
  causation: Schema.optionalKey(Position),
  /** Free key that ties the events of one activity together. */
  correlation: Schema.optionalKey(Schema.String),
  /** Wall clock of the writer when the batch was formed, in milliseconds since 1970. Order comes from `position` only. */
  recordedAtMillis: Schema.Int,
  /** Which opening of the journal wrote it, 1-based. */
  epoch: Schema.Int,
  /** Present on the event that closed its stream. */
  closes: Schema.optionalKey(Schema.Literal(true))
})

/** A stored event; `P` is its payload: JSON here, a typed event when it comes from an event family. */
export interface Recorded<P = Schema.Json> extends Omit<typeof RecordedJson.Type, "payload"> {
  readonly payload: P
}

/** Type of the event that {@link Journal.close} appends; it belongs to the journal, not to a family. */
export const closedType = "journal.StreamClosed"

// ---------------------------------------------------------------------------------------------------------------------
// Requests and answers
// ---------------------------------------------------------------------------------------------------------------------

/** What the caller believes about the stream: absent, at an exact version, present, or nothing. */
export const Expected = Schema.TaggedUnion({
  NoStream: {},
  Exact: { version: Schema.Int },
  StreamExists: {},
  Any: {}
})
export type Expected = typeof Expected.Type
/** The stream has no event yet. */
export const noStream: Expected = { _tag: "NoStream" }
/** The stream's last version is `version`; `0` means the same as {@link noStream}. */
export const exact = (version: number): Expected => ({ _tag: "Exact", version })
/** The stream has at least one event. */
export const streamExists: Expected = { _tag: "StreamExists" }
/** No check. Two writers may then interleave. */
export const any: Expected = { _tag: "Any" }

export interface AppendOptions {
  readonly expected: Expected
  /** Makes a repeat with the same events answer as the first did (`deduplicated: true`). */
  readonly commandId?: CommandId | undefined
  /** Position of the event that led to these. */
  readonly causation?: Position | undefined
  readonly correlation?: string | undefined
  /** Closes the stream in the same commit: a decider's terminal event sets it. */
  readonly closes?: boolean | undefined
}

/** One of several appends that are written together. */
export interface AppendItem {
  readonly stream: StreamName
  readonly events: NonEmptyReadonlyArray<EncodedEvent>
  readonly options: AppendOptions
}

/** Where an append lies: positions of its first and last event, and the stream's version after it. */
export interface Appended {
  readonly first: Position
  readonly last: Position
  readonly version: number
  /** True when an earlier append with this command id gave the answer and nothing was written. */
  readonly deduplicated: boolean
}

/** Which events to deliver; given fields are joined by "and", an empty filter takes all. */
export interface Filter {
  readonly stream?: StreamName | undefined
  readonly category?: string | undefined
  readonly types?: ReadonlyArray<string> | undefined
}

/** Where a subscription starts: before the first event, after a position, or after the present head. */
export type From =
  | { readonly _tag: "Start" }
  | { readonly _tag: "After"; readonly position: Position }
  | { readonly _tag: "Now" }
export const start: From = { _tag: "Start" }
export const after = (position: Position): From => ({ _tag: "After", position })
export const now: From = { _tag: "Now" }

/**
 * What a subscription delivers. `CaughtUp`: all events up to `position`, then the head, were delivered; comes once per
 * catching up, so at least once. `Progress`: all up to `position` were looked at and the filter left out the last of
 * them, so a checkpoint may move there.
 */
export type Delivery<P = Schema.Json> =
  | { readonly _tag: "Event"; readonly event: Recorded<P> }
  | { readonly _tag: "CaughtUp"; readonly position: Position }
  | { readonly _tag: "Progress"; readonly position: Position }

export interface StreamInfo {
  readonly name: StreamName
  readonly version: number
  readonly status: "open" | "closed"
  /** Position of its last event. */
  readonly position: Position
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

const describeExpected = Expected.match({
  NoStream: () => "no stream",
  Exact: ({ version }) => `version ${version}`,
  StreamExists: () => "an existing stream",
  Any: () => "anything"
})

/** The stream is not where the caller believed it to be; somebody else appended. Nothing was written. */
export class VersionConflict extends Schema.TaggedError<VersionConflict>()("VersionConflict", {
  stream: StreamName,
  expected: Expected,
  /** The stream's version now; `0` is no stream. */
  actual: Schema.Int
}) {
  override get message() {
    return `Could not append to ${this.stream}: expected ${describeExpected(this.expected)}, found version ${this.actual}.\nRead the stream again, decide anew, and append with that version.`
  }
}

/** The stream was closed; its events stay readable. Nothing was written. */
export class StreamClosed extends Schema.TaggedError<StreamClosed>()("StreamClosed", {
  stream: StreamName,
  version: Schema.Int
}) {
  override get message() {
    return `Could not append to ${this.stream}: it was closed at version ${this.version}.\nOpen a stream with a new id.`
  }
}

/** The command id was used in this stream for other events. Nothing was written. */
export class CommandReused extends Schema.TaggedError<CommandReused>()("CommandReused", {
  stream: StreamName,
  commandId: Schema.String,
  /** Position of the first event that the id stands for. */
  first: Position
}) {
  override get message() {
    return `Could not append to ${this.stream}: command id ${this.commandId} already stands for other events, from position ${this.first}.\nGive every command its own id, and repeat a command only with the same events.`
  }
}

/**
 * Why the journal does not answer. `CommitFailed`: the outcome is unknown, and a repeat with the same command id
 * resolves it. In all other cases nothing was written.
 */
export const UnavailableReason = Schema.Literals([
  "Closed",
  "NotFound",
  "ReadOnly",
  "DiskFull",
  "NotAJournal",
  "Corrupt",
  "Archived",
  "CommitFailed",
  "Unreachable",
  "AccessDenied",
  "Failed"
])
export type UnavailableReason = typeof UnavailableReason.Type

const remedies: Record<UnavailableReason, string> = {
  Closed: "Keep the journal's scope open until its last user has ended.",
  NotFound: "Check the path, or the names of the database and its schema, and create what is missing.",
  ReadOnly: "Write through the process that owns the journal, or make the path writable.",
  DiskFull: "Free disk space and repeat; nothing of the refused append was written.",
  NotAJournal: "Give the path of a journal file, or a schema that holds a journal or nothing.",
  Corrupt: "Run verify on the file and go back to a copy of it.",
  Archived: "Read the segment file; archived events stay part of the journal's chain, but are no longer served.",
  CommitFailed: "Repeat with the same command id: it tells whether the events were written.",
  Unreachable: "Start the server or check the way to it, then repeat with the same command id; nothing was written.",
  AccessDenied:
    "Check user, password and permissions: a writer creates its schema or owns it, a reader may select from it.",
  Failed: "See the detail; repeat with the same command id once its cause is gone."
}

/** The storage under the journal refused. */
export class JournalUnavailable extends Schema.TaggedError<JournalUnavailable>()("JournalUnavailable", {
  /** What was attempted, an infinitive phrase: `open`, `append to`, `read`. */
  operation: Schema.String,
  reason: UnavailableReason,
  detail: Schema.String,
  path: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const object = this.path === undefined ? "the journal" : `the journal ${this.path}`
    return `Could not ${this.operation} ${object}: ${this.detail}.\n${remedies[this.reason]}`
  }
}

/** The process that opened the journal last, by its own account. */
export const Holder = Schema.Struct({ host: Schema.String, pid: Schema.Int, startedAtMillis: Schema.Int })

/** Another writer, in this process or another, holds the journal. */
export class JournalLocked extends Schema.TaggedError<JournalLocked>()("JournalLocked", {
  path: Schema.String,
  /** Absent while the holder has not written its name yet. */
  holder: Schema.optionalKey(Holder)
}) {
  override get message() {
    const who = this.holder === undefined ? "another writer" : `process ${this.holder.pid} on ${this.holder.host}`
    return `Could not open the journal ${this.path}: ${who} is writing it.\nRead it with layerReader, or end that process first.`
  }
}

/** The file or schema was written by a newer program; nothing in it was touched. */
export class JournalFormatUnsupported extends Schema.TaggedError<JournalFormatUnsupported>()(
  "JournalFormatUnsupported",
  { path: Schema.String, found: Schema.Int, supported: Schema.Int }
) {
  override get message() {
    return `Could not open the journal ${this.path}: its format is ${this.found}, this program knows up to ${this.supported}.\nUse the version of the program that wrote it, or a later one.`
  }
}

export type AppendError = VersionConflict | StreamClosed | CommandReused | JournalUnavailable

// ---------------------------------------------------------------------------------------------------------------------
// Service
// ---------------------------------------------------------------------------------------------------------------------

export class Journal extends Context.Service<
  Journal,
  {
    /** Identity of this journal, kept over reopening: `jrn_` and 16 characters. */
    readonly id: string
    /** Which opening of the journal this is, 1-based; for a reader, the newest one when it opened. */
    readonly epoch: number
    /**
     * Appends all events or none, durable when it succeeds. A command id is looked up first, then the stream's status,
     * then its version. Interrupting the caller does not withdraw the append.
     */
    readonly append: (
      stream: StreamName,
      events: NonEmptyReadonlyArray<EncodedEvent>,
      options: AppendOptions
    ) => Effect.Effect<Appended, AppendError>
    /**
     * Appends to several streams, all or nothing, in the order given; the error names the stream that refused. One item
     * a stream, and a command id for all items or for none (else a defect): a repeat of the same items answers as the
     * first did, and a command id that stood for other items is refused as reused.
     */
    readonly appendAll: (
      items: NonEmptyReadonlyArray<AppendItem>
    ) => Effect.Effect<ReadonlyArray<Appended>, AppendError>
    /** Closes the stream with an event {@link closedType}; closing again answers `deduplicated: true`. Fails on a stream without events. */
    readonly close: (stream: StreamName) => Effect.Effect<Appended, VersionConflict | JournalUnavailable>
    /** What an append with this command id was answered, if there was one; it says `deduplicated: true`. */
    readonly answered: (
      stream: StreamName,
      commandId: CommandId
    ) => Effect.Effect<Appended | undefined, JournalUnavailable>
    /** The commits themselves; use them through `Transfer`. */
    readonly log: CommitLog
    /** Derived state beside the events; use it through `Projection` and `Decider`. */
    readonly documents: Documents
    /** The stream's events in order, both bounds inclusive, up to its version at each page; a missing stream is empty. */
    readonly read: (
      stream: StreamName,
      range?: { readonly fromVersion?: number | undefined; readonly toVersion?: number | undefined }
    ) => Stream.Stream<Recorded, JournalUnavailable>
    /** Events of all streams after `after` up to `to` (default: the head when it starts). Finite; never holds a transaction. */
    readonly readAll: (range?: {
      readonly after?: Position | undefined
      readonly to?: Position | undefined
      readonly filter?: Filter | undefined
    }) => Stream.Stream<Recorded, JournalUnavailable>
    /** Past, then live events: each matching event once, in order, however slow the consumer. Never ends by itself. */
    readonly subscribe: (options: {
      readonly from: From
      readonly filter?: Filter | undefined
    }) => Stream.Stream<Delivery, JournalUnavailable>
    /** Position of the last committed event, `0` when empty. */
    readonly head: Effect.Effect<Position, JournalUnavailable>
    /** Completes once the head has reached `position`: read what another fiber or process wrote. */
    readonly awaitPosition: (position: Position) => Effect.Effect<void, JournalUnavailable>
    /** Streams by name; `open: true` gives those not closed, which is what a recovery has to look at. */
    readonly streams: (filter?: {
      readonly category?: string | undefined
      readonly open?: boolean | undefined
    }) => Effect.Effect<ReadonlyArray<StreamInfo>, JournalUnavailable>
  }
>()("@sbx/journal/Journal") {}
