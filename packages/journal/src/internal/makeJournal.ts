/** Derives the whole journal from a storage, a hub and a way to submit appends; a reader submits to a refusal. */
import { Effect, Option, Stream } from "effect"
import type { AppendItem, Appended, Filter, JournalUnavailable, Recorded, StreamName } from "../Journal.ts"
import { closedType, Journal, streamExists } from "../Journal.ts"
import type { AnyProjection } from "../Projection.ts"
import type { Append, Refusal } from "./decideAppend.ts"
import { decideAppends, needAppends } from "./decideAppend.ts"
import { makeDocuments } from "./documents.ts"
import { matches, toRecorded, toTexts } from "./envelope.ts"
import type { Hub } from "./hub.ts"
import { foldInline, needInline } from "./inline.ts"
import { storable } from "./storable.ts"
import { appendDigest, requestDigest } from "./commandDigest.ts"
import { makeCommitLog } from "./commitLog.ts"
import type { ReadStorage, Storage } from "./storage.ts"
import { awaitPosition, subscribe } from "./subscription.ts"
import type { Submit } from "./writer.ts"

export interface Parts {
  readonly storage: ReadStorage | Storage
  readonly hub: Hub
  readonly pageSize: number
  readonly submit: Submit
  /** Folded in every append's transaction; each stands at the head already. */
  readonly inline?: ReadonlyArray<AnyProjection>
}

export const makeJournal = ({ storage, hub, pageSize, submit, inline = [] }: Parts): Journal["Service"] => {
  const appending = submitAppends(storage.id, submit, inline)
  return Journal.of({
    id: storage.id,
    epoch: storage.epoch,
    head: storage.head,
    // Without spans of their own: see the writer's.
    append: (stream, events, options) =>
      Effect.suspend(() => Effect.flatMap(appending([toAppend({ stream, events, options })]), only)),
    appendAll: (items) => Effect.suspend(() => appending(toAppends(items))),
    close: Effect.fn("Journal.close")((stream) => submitClose(appending, stream)),
    answered: Effect.fn("Journal.answered")((stream, commandId) => answered(storage, stream, commandId)),
    documents: makeDocuments(storage, submit),
    log: makeCommitLog(storage, hub),
    read: (stream, range) =>
      readStream(storage, pageSize, stream, range?.fromVersion ?? 1, range?.toVersion ?? Infinity),
    readAll: (range) => readAll(storage, pageSize, range?.after ?? 0, range?.to, range?.filter),
    subscribe: (options) => subscribe(storage, hub, pageSize, options),
    awaitPosition: Effect.fn("Journal.awaitPosition")((position) => awaitPosition(storage, hub, position)),
    streams: Effect.fn("Journal.streams")((filter) =>
      storage.streams(filter?.category, filter?.open === undefined ? undefined : filter.open ? "open" : "closed")
    )
  })
}

type Appending = (
  appends: ReadonlyArray<Append>
) => Effect.Effect<ReadonlyArray<Appended>, Refusal | JournalUnavailable>

const submitAppends = (journalId: string, submit: Submit, inline: ReadonlyArray<AnyProjection>): Appending => {
  const project = foldInline(journalId, inline)
  return (appends) =>
    submit({
      need: (needs) => {
        needAppends(needs, appends)
        if (inline.length > 0) needInline(journalId, inline, appends, needs)
      },
      decide: (draft) => decideAppends(draft, appends, project)
    })
}

const answered = (storage: ReadStorage, stream: StreamName, commandId: string) =>
  Effect.map(storage.commands([{ stream, commandId }]), ([known]): Appended | undefined =>
    known === undefined
      ? undefined
      : { first: known.first, last: known.last, version: known.version, deduplicated: true }
  )

const only = <A>(answers: ReadonlyArray<A>): Effect.Effect<A> => {
  const [answer] = answers
  return answer === undefined ? Effect.die(new Error("an append without an answer")) : Effect.succeed(answer)
}

const toAppend = ({ stream, events: encoded, options }: AppendItem): Append => {
  const { commandId, expected, causation, correlation, closes = false } = options
  const events = toTexts(encoded)
  if (causation !== undefined && !Number.isSafeInteger(causation)) throw new Error("a causation is a position")
  if (correlation !== undefined) storable("the correlation", correlation)
  const command =
    commandId === undefined
      ? undefined
      : { id: storable("the command id", commandId), digest: appendDigest(events, closes) }
  return { stream, events, expected, command, causation, correlation, closes, whenClosed: "refuse" }
}

/** A command id of several appends stands for all of them: only the whole request is a repeat. */
const toAppends = (items: ReadonlyArray<AppendItem>): ReadonlyArray<Append> => {
  if (items.length === 0 || new Set(items.map((item) => item.stream)).size < items.length) {
    throw new Error("appendAll takes one append a stream, and at least one")
  }
  const appends = items.map(toAppend)
  const commands = appends.flatMap((append) => append.command ?? [])
  if (commands.length > 0 && commands.length < appends.length) {
    throw new Error("appendAll takes a command id for every append or for none")
  }
  if (appends.length === 1) return appends
  const whole = requestDigest(appends.map(({ stream, command }) => ({ stream, digest: command?.digest ?? "" })))
  return appends.map((append) =>
    append.command === undefined ? append : { ...append, command: { id: append.command.id, digest: whole } }
  )
}

const submitClose = (appending: Appending, stream: StreamName) =>
  appending([
    {
      stream,
      events: [{ type: closedType, schemaVersion: 1, payload: "{}" }],
      expected: streamExists,
      command: undefined,
      causation: undefined,
      correlation: undefined,
      closes: true,
      whenClosed: "answer"
    }
  ]).pipe(
    Effect.flatMap(only),
    Effect.catchTag(["StreamClosed", "CommandReused"], (impossible) => Effect.die(impossible))
  )

const readStream = (
  storage: ReadStorage,
  pageSize: number,
  stream: StreamName,
  fromVersion: number,
  toVersion: number
): Stream.Stream<Recorded, JournalUnavailable> =>
  Stream.paginate(
    fromVersion,
    Effect.fnUntraced(function* (from) {
      const limit = Math.min(pageSize, toVersion - from + 1)
      const rows = limit < 1 ? [] : yield* storage.readStream(stream, from, limit)
      const last = rows.at(-1)?.version
      const more = last !== undefined && rows.length === limit && last < toVersion
      return [yield* toRecorded(storage.id, rows), more ? Option.some(last + 1) : Option.none()] as const
    })
  )

const readAll = (
  storage: ReadStorage,
  pageSize: number,
  after: number,
  to: number | undefined,
  filter: Filter | undefined
): Stream.Stream<Recorded, JournalUnavailable> =>
  Stream.unwrap(
    Effect.map(storage.head, (head) => {
      const end = Math.min(head, to ?? head)
      return Stream.paginate(
        after,
        Effect.fnUntraced(function* (last: number) {
          const upTo = Math.min(last + pageSize, end)
          const rows = upTo > last ? yield* storage.scan(last, upTo) : []
          const kept = rows.filter((row) => matches(filter, row))
          return [yield* toRecorded(storage.id, kept), upTo < end ? Option.some(upTo) : Option.none()] as const
        })
      )
    })
  )
