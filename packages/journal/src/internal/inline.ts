/** Inline projections: folds the rows of an append in the append's own transaction, and moves their checkpoints with it. */
import { Result } from "effect"
import type { StreamName } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"
import type { AnyProjection } from "../Projection.ts"
import { checkpointKey, readCheckpoint, rowsOf, writeCheckpoint } from "./checkpoint.ts"
import type { Append } from "./decideAppend.ts"
import type { Draft, NeedsDraft } from "./draft.ts"
import { findDocument, nextPosition } from "./draft.ts"
import { matches, toRecordedUnsafe } from "./envelope.ts"
import type { DocumentWrite, Row } from "./storage.ts"

/** The keys of an event do not depend on where it will lie, so they are known before the transaction. */
const unplaced = (stream: StreamName, event: Append["events"][number]): Row => ({
  ...event,
  stream,
  position: 0,
  version: 0,
  commandId: undefined,
  causation: undefined,
  correlation: undefined,
  closes: false,
  recordedAtMillis: 0,
  epoch: 0
})

export const needInline = (
  journalId: string,
  inline: ReadonlyArray<AnyProjection>,
  appends: ReadonlyArray<Append>,
  needs: NeedsDraft
): void => {
  for (const projection of inline) {
    needs.documents.push(checkpointKey(projection))
    const collection = rowsOf(projection)
    for (const { stream, events } of appends) {
      for (const event of events) {
        if (!matches(projection.filter, { stream, type: event.type })) continue
        const keys = projection.keys(toRecordedUnsafe(journalId, unplaced(stream, event)))
        // The fold meets the same event and throws: there it fails its own append only.
        if (Result.isFailure(keys)) continue
        for (const key of keys.success) needs.documents.push({ collection, key })
      }
    }
  }
}

const behind = ({ name, foldVersion }: AnyProjection, position: number, head: number) => {
  const detail = `its inline projection ${name}@${foldVersion} stands at ${position} and the head is ${head}: somebody appends without it`
  return new JournalUnavailable({ operation: "append to", reason: "Failed", detail })
}

/** Throws on an event that a projection cannot decode or fold: a defect of the append's caller. */
export const foldInline =
  (journalId: string, inline: ReadonlyArray<AnyProjection>) =>
  (draft: Draft, rows: ReadonlyArray<Row>): Result.Result<ReadonlyArray<DocumentWrite>, JournalUnavailable> => {
    if (inline.length === 0 || rows.length === 0) return Result.succeed([])
    const before = nextPosition(draft) - 1
    const writes: Array<DocumentWrite> = []
    const read = ({ collection, key }: { readonly collection: string; readonly key: string }) =>
      findDocument(draft, collection, key)
    for (const projection of inline) {
      const checkpoint = readCheckpoint(read, projection)
      if (checkpoint.position !== before) return Result.fail(behind(projection, checkpoint.position, before))
      const collection = rowsOf(projection)
      const session = projection.begin((key) => read({ collection, key }))
      for (const row of rows) {
        if (!matches(projection.filter, row)) continue
        const applied = session.apply(toRecordedUnsafe(journalId, row))
        if (Result.isFailure(applied)) throw applied.failure
      }
      for (const { key, value } of session.writes()) writes.push({ collection, key, value })
      writes.push(writeCheckpoint(projection, { ...checkpoint, position: before + rows.length }))
    }
    return Result.succeed(writes)
  }
