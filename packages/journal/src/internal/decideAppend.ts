/**
 * Decides one request to append, to one stream or to several at once, purely: all checks precede all writes, so a
 * refused request leaves no trace in the draft that it shares with its neighbours.
 */
import { Result } from "effect"
import type { Appended, Expected, StreamInfo, StreamName } from "../Journal.ts"
import { CommandReused, StreamClosed, VersionConflict } from "../Journal.ts"
import type { Draft, NeedsDraft } from "./draft.ts"
import { findCommand, findStream, nextPosition, putCommand, putDocument } from "./draft.ts"
import type { CommandRow, DocumentWrite, Row } from "./storage.ts"

/** Events for one stream, with their payloads already turned into text. */
export interface Append {
  readonly stream: StreamName
  readonly events: ReadonlyArray<{ readonly type: string; readonly schemaVersion: number; readonly payload: string }>
  readonly expected: Expected
  readonly command: { readonly id: string; readonly digest: string } | undefined
  readonly causation: number | undefined
  readonly correlation: string | undefined
  readonly closes: boolean
  /** Whether a closed stream refuses, or answers with its last position (closing twice). */
  readonly whenClosed: "refuse" | "answer"
}

export type Refusal = VersionConflict | StreamClosed | CommandReused

/** What one append would do: answer without writing, or write on top of a version. */
type Plan =
  | { readonly _tag: "Answer"; readonly append: Append; readonly appended: Appended }
  | { readonly _tag: "Write"; readonly append: Append; readonly version: number }

export const needAppends = (needs: NeedsDraft, appends: ReadonlyArray<Append>): void => {
  for (const { stream, command } of appends) {
    needs.streams.push(stream)
    if (command !== undefined) needs.commands.push({ stream, commandId: command.id })
  }
}

/** What a request adds to the draft once nothing can refuse it any more. */
interface Addition {
  readonly rows: Array<Row>
  readonly streams: Array<StreamInfo>
  readonly commands: Array<CommandRow>
}

/** Folds the rows of one request into documents, before they are drafted; what it throws is a defect of the caller. */
export type Project<E> = (draft: Draft, rows: ReadonlyArray<Row>) => Result.Result<ReadonlyArray<DocumentWrite>, E>

/** The streams of one request are distinct: see makeJournal. */
export const decideAppends = <E>(
  draft: Draft,
  appends: ReadonlyArray<Append>,
  project: Project<E>
): Result.Result<ReadonlyArray<Appended>, Refusal | E> => {
  const plans: Array<Plan> = []
  for (const append of appends) {
    const planned = plan(draft, append)
    if (Result.isFailure(planned)) return Result.fail(planned.failure)
    plans.push(planned.success)
  }
  const half = plans.some((p) => p._tag === "Write") ? plans.find((p) => p._tag === "Answer") : undefined
  // A command of this content was written, yet not all of it: the digest covers the whole request, so another did that.
  if (half?._tag === "Answer" && half.append.command !== undefined) return reused(half.append, half.appended.first)
  const addition: Addition = { rows: [], streams: [], commands: [] }
  const answers = plans.map((p) => (p._tag === "Answer" ? p.appended : add(draft, addition, p.append, p.version)))
  const projected = project(draft, addition.rows)
  if (Result.isFailure(projected)) return Result.fail(projected.failure)
  for (const row of addition.rows) draft.rows.push(row)
  for (const info of addition.streams) draft.streams.set(info.name, info)
  for (const row of addition.commands) putCommand(draft, row)
  for (const write of projected.success) putDocument(draft, write)
  return Result.succeed(answers)
}

/**
 * The command id comes first: a repeat must get its answer although the version has moved on or the stream was closed
 * by that very command. Other content under the same id is a bug of the caller that must not pass unseen.
 */
const plan = (draft: Draft, append: Append): Result.Result<Plan, Refusal> => {
  const { stream, command, expected } = append
  const known = command === undefined ? undefined : findCommand(draft, stream, command.id)
  if (command !== undefined && known !== undefined) {
    return known.digest === command.digest
      ? answer(append, known.first, known.last, known.version)
      : reused(append, known.first)
  }
  const info = findStream(draft, stream)
  const version = info?.version ?? 0
  if (info?.status === "closed") {
    return append.whenClosed === "refuse"
      ? Result.fail(new StreamClosed({ stream, version }))
      : answer(append, info.position, info.position, version)
  }
  if (!meets(expected, version)) return Result.fail(new VersionConflict({ stream, expected, actual: version }))
  return Result.succeed({ _tag: "Write", append, version })
}

const answer = (append: Append, first: number, last: number, version: number): Result.Result<Plan, never> =>
  Result.succeed({ _tag: "Answer", append, appended: { first, last, version, deduplicated: true } })

const reused = ({ stream, command }: Append, first: number) =>
  Result.fail(new CommandReused({ stream, commandId: command?.id ?? "", first }))

const meets = (expected: Expected, actual: number): boolean => {
  switch (expected._tag) {
    case "NoStream":
      return actual === 0
    case "Exact":
      return actual === expected.version
    case "StreamExists":
      return actual > 0
    case "Any":
      return true
  }
}

const add = (draft: Draft, addition: Addition, append: Append, actual: number): Appended => {
  const { stream, command, causation, correlation } = append
  const first = nextPosition(draft) + addition.rows.length
  const count = append.events.length
  for (let index = 0; index < count; index++) {
    const event = append.events[index]
    if (event === undefined) continue
    addition.rows.push({
      position: first + index,
      stream,
      version: actual + index + 1,
      type: event.type,
      schemaVersion: event.schemaVersion,
      payload: event.payload,
      commandId: command?.id,
      causation,
      correlation,
      closes: append.closes && index === count - 1,
      recordedAtMillis: draft.stamp.recordedAtMillis,
      epoch: draft.stamp.epoch
    })
  }
  const last = first + count - 1
  const version = actual + count
  addition.streams.push({ name: stream, version, status: append.closes ? "closed" : "open", position: last })
  if (command !== undefined) {
    addition.commands.push({ stream, commandId: command.id, digest: command.digest, first, last, version })
  }
  return { first, last, version, deduplicated: false }
}
