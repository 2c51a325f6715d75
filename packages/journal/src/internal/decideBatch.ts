/**
 * Decides a batch of appends, purely and in order: each request sees the effect of those before it, a refused one
 * leaves no trace. All checks precede all writes, so a conflict fails only its own caller.
 */
import { Result } from "effect"
import type { Appended, Expected, StreamInfo, StreamName } from "../Journal.ts"
import { CommandReused, StreamClosed, VersionConflict } from "../Journal.ts"
import type { Batch, CommandRow, Lookup, Row } from "./storage.ts"

/** One append, with its payloads already turned into text. */
export interface Request {
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

type Outcome = Result.Result<Appended, VersionConflict | StreamClosed | CommandReused>

export interface Decision {
  readonly outcomes: ReadonlyArray<Outcome>
  readonly batch: Batch
}

interface Draft {
  readonly lookup: Lookup
  readonly stamp: { readonly recordedAtMillis: number; readonly epoch: number }
  readonly rows: Array<Row>
  readonly streams: Map<string, StreamInfo>
  readonly commands: Map<string, CommandRow>
}

export const decideBatch = (lookup: Lookup, requests: ReadonlyArray<Request>, stamp: Draft["stamp"]): Decision => {
  const draft: Draft = { lookup, stamp, rows: [], streams: new Map(), commands: new Map() }
  const outcomes = requests.map((request) => decide(draft, request))
  const batch = { rows: draft.rows, streams: [...draft.streams.values()], commands: [...draft.commands.values()] }
  return { outcomes, batch }
}

// A command name cannot contain a space (see StreamName), so the joined key is unambiguous.
const commandKey = (stream: StreamName, id: string) => `${stream} ${id}`

/**
 * The command id comes first: a repeat must get its answer although the version has moved on or the stream was closed
 * by that very command.
 */
const decide = (draft: Draft, request: Request): Outcome => {
  const { stream, command, expected } = request
  if (command !== undefined) {
    const known = draft.commands.get(commandKey(stream, command.id)) ?? draft.lookup.command(stream, command.id)
    if (known !== undefined) return answerAgain(known, command)
  }
  const info = draft.streams.get(stream) ?? draft.lookup.stream(stream)
  const actual = info?.version ?? 0
  if (info?.status === "closed") {
    return request.whenClosed === "refuse"
      ? Result.fail(new StreamClosed({ stream, version: actual }))
      : Result.succeed({ first: info.position, last: info.position, version: actual, deduplicated: true })
  }
  if (!meets(expected, actual)) return Result.fail(new VersionConflict({ stream, expected, actual }))
  return Result.succeed(write(draft, request, actual))
}

/** The first answer again; other content under the same id is a bug of the caller that must not pass unseen. */
const answerAgain = (known: CommandRow, command: { readonly id: string; readonly digest: string }): Outcome =>
  known.digest === command.digest
    ? Result.succeed({ first: known.first, last: known.last, version: known.version, deduplicated: true })
    : Result.fail(new CommandReused({ stream: known.stream, commandId: command.id, first: known.first }))

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

/** Drafts the rows with the positions they will have; only one writer commits, so nobody can take them meanwhile. */
const write = (draft: Draft, request: Request, actual: number): Appended => {
  const { stream, command, causation, correlation } = request
  const first = draft.lookup.head + draft.rows.length + 1
  const count = request.events.length
  for (const [index, event] of request.events.entries()) {
    draft.rows.push({
      ...event,
      ...draft.stamp,
      position: first + index,
      stream,
      version: actual + index + 1,
      commandId: command?.id,
      causation,
      correlation,
      closes: request.closes && index === count - 1
    })
  }
  const last = first + count - 1
  const version = actual + count
  draft.streams.set(stream, { name: stream, version, status: request.closes ? "closed" : "open", position: last })
  if (command !== undefined) {
    const row = { stream, commandId: command.id, digest: command.digest, first, last, version }
    draft.commands.set(commandKey(stream, command.id), row)
  }
  return { first, last, version, deduplicated: false }
}
