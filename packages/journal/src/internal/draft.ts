/**
 * A batch in the making: what the requests of one transaction have decided so far. Later requests see the effect of
 * earlier ones; reads go to the draft first, then to the committed state.
 */
import type { StreamInfo, StreamName } from "../Journal.ts"
import { commitHash, genesisHash } from "./hashChain.ts"
import { storable } from "./storable.ts"
import type { Batch, CommandKey, CommandRow, DocumentKey, DocumentWrite, Lookup, Needs, Row } from "./storage.ts"

export interface Stamp {
  readonly recordedAtMillis: number
  readonly epoch: number
}

export interface Draft {
  readonly lookup: Lookup
  readonly stamp: Stamp
  readonly rows: Array<Row>
  readonly streams: Map<string, StreamInfo>
  readonly commands: Map<string, CommandRow>
  readonly documents: Map<string, DocumentWrite>
  readonly clear: Map<string, { readonly collection: string; readonly limit: number }>
}

/** {@link Needs} in the making. */
export interface NeedsDraft extends Needs {
  readonly streams: Array<StreamName>
  readonly commands: Array<CommandKey>
  readonly documents: Array<DocumentKey>
}

export const emptyNeeds = (): NeedsDraft => ({ streams: [], commands: [], documents: [] })

export const makeDraft = (lookup: Lookup, stamp: Stamp): Draft => ({
  lookup,
  stamp,
  rows: [],
  streams: new Map(),
  commands: new Map(),
  documents: new Map(),
  clear: new Map()
})

// Neither a stream name nor a collection contains a space, so a joined key is unambiguous.
const joined = (left: string, right: string) => `${left} ${right}`

/** Position that the next row of the draft gets; only one transaction decides at a time, so nobody can take it meanwhile. */
export const nextPosition = (draft: Draft): number => draft.lookup.head + draft.rows.length + 1

export const findStream = (draft: Draft, name: StreamName): StreamInfo | undefined =>
  draft.streams.get(name) ?? draft.lookup.stream(name)

export const findCommand = (draft: Draft, stream: StreamName, id: string): CommandRow | undefined =>
  draft.commands.get(joined(stream, id)) ?? draft.lookup.command(stream, id)

export const putCommand = (draft: Draft, row: CommandRow): void => {
  draft.commands.set(joined(row.stream, row.commandId), row)
}

export const findDocument = (draft: Draft, collection: string, key: string): string | undefined => {
  const drafted = draft.documents.get(joined(collection, storable("the key", key)))
  return drafted === undefined ? draft.lookup.document(collection, key) : drafted.value
}

export const putDocument = (draft: Draft, write: DocumentWrite): void => {
  draft.documents.set(joined(write.collection, write.key), write)
}

/** The batch to write, its commit chained onto the newest one of the journal. */
export const toBatch = (draft: Draft, journal: { readonly id: string; readonly createdAtMillis: number }): Batch => ({
  rows: draft.rows,
  streams: [...draft.streams.values()],
  commands: [...draft.commands.values()],
  commit: toCommit(draft, journal),
  documents: [...draft.documents.values()],
  clear: [...draft.clear.values()]
})

const toCommit = (
  { lookup, rows, stamp }: Draft,
  journal: { readonly id: string; readonly createdAtMillis: number }
): Batch["commit"] => {
  if (rows.length === 0) return undefined
  const previous = lookup.commit.hash ?? genesisHash(journal.id, journal.createdAtMillis)
  const facts = { id: lookup.commit.id + 1, ...stamp }
  const last = lookup.head + rows.length
  return { ...facts, first: lookup.head + 1, last, hash: commitHash(previous, facts, rows) }
}

export const isEmpty = (batch: Batch): boolean =>
  batch.rows.length === 0 && batch.documents.length === 0 && batch.clear.length === 0
