/** Storage in arrays and maps: same answers as a file, durable as long as the process. */
import { Effect } from "effect"
import type { StreamInfo, StreamName } from "../Journal.ts"
import { categoryOf } from "../Journal.ts"
import { journalClosed } from "./hub.ts"
import { isEmpty } from "./draft.ts"
import type { Batch, CommandRow, CommitRow, Lookup, Row, Storage } from "./storage.ts"

interface Tables {
  readonly rows: Array<Row>
  readonly byStream: Map<StreamName, Array<Row>>
  readonly streams: Map<StreamName, StreamInfo>
  readonly commands: Map<StreamName, Map<string, CommandRow>>
  readonly commits: Array<CommitRow>
  readonly documents: Map<string, Map<string, string>>
  closed: boolean
}

/** A storage that refuses everything once its scope has closed, as a file does. */
export const makeMemoryStorage = (id: string, createdAtMillis = 0) =>
  Effect.map(Effect.acquireRelease(Effect.sync(emptyTables), close), (tables): Storage => {
    const reading = <A>(read: () => A) =>
      Effect.suspend(() => (tables.closed ? journalClosed("read") : Effect.sync(read)))
    return {
      id,
      createdAtMillis,
      epoch: 1,
      head: reading(() => tables.rows.length),
      scan: (after, to) => reading(() => tables.rows.slice(after, to)),
      readStream: (name, from, limit) =>
        reading(() => (tables.byStream.get(name) ?? []).slice(from - 1, from - 1 + limit)),
      streams: (category, status) =>
        reading(() =>
          [...tables.streams.values()]
            .filter((s) => category === undefined || categoryOf(s.name) === category)
            .filter((s) => status === undefined || s.status === status)
        ),
      commands: (keys) =>
        reading(() => keys.flatMap(({ stream, commandId }) => tables.commands.get(stream)?.get(commandId) ?? [])),
      commits: (afterId, limit) => reading(() => tables.commits.slice(afterId, afterId + limit)),
      document: (collection, key) => reading(() => tables.documents.get(collection)?.get(key)),
      documents: (collection, afterKey, limit) => reading(() => listDocuments(tables, collection, afterKey, limit)),
      // Needs no `needs`: everything is at hand.
      commit: (_needs, decide) =>
        Effect.suspend(() =>
          tables.closed ? journalClosed("append to") : Effect.sync(() => write(tables, decide(lookup(tables))))
        )
    }
  })

const emptyTables = (): Tables => ({
  rows: [],
  byStream: new Map(),
  streams: new Map(),
  commands: new Map(),
  commits: [],
  documents: new Map(),
  closed: false
})

const close = (tables: Tables) =>
  Effect.sync(() => {
    tables.closed = true
  })

const lookup = (tables: Tables): Lookup => ({
  head: tables.rows.length,
  commit: { id: tables.commits.length, hash: tables.commits.at(-1)?.hash },
  stream: (name) => tables.streams.get(name),
  command: (name, id) => tables.commands.get(name)?.get(id),
  document: (collection, key) => tables.documents.get(collection)?.get(key)
})

const listDocuments = (tables: Tables, collection: string, afterKey: string, limit: number) => {
  const after = Buffer.from(afterKey)
  return [...(tables.documents.get(collection) ?? [])]
    .map(([key, value]) => ({ collection, key, value, bytes: Buffer.from(key) }))
    .filter(({ bytes }) => bytes.compare(after) > 0)
    .toSorted((left, right) => left.bytes.compare(right.bytes))
    .slice(0, limit)
    .map(({ bytes: _, ...row }) => row)
}

const write = (tables: Tables, batch: Batch): void => {
  if (isEmpty(batch)) return
  for (const row of batch.rows) {
    tables.rows.push(row)
    const rows = tables.byStream.get(row.stream) ?? []
    rows.push(row)
    tables.byStream.set(row.stream, rows)
  }
  for (const info of batch.streams) tables.streams.set(info.name, info)
  for (const row of batch.commands) {
    const commands = tables.commands.get(row.stream) ?? new Map<string, CommandRow>()
    commands.set(row.commandId, row)
    tables.commands.set(row.stream, commands)
  }
  if (batch.commit !== undefined) tables.commits.push(batch.commit)
  writeDocuments(tables, batch)
}

const writeDocuments = ({ documents }: Tables, batch: Batch): void => {
  for (const { collection, limit } of batch.clear) {
    const kept = documents.get(collection)
    for (const key of [...(kept?.keys() ?? [])].slice(0, limit)) kept?.delete(key)
  }
  for (const { collection, key, value } of batch.documents) {
    const kept = documents.get(collection) ?? new Map<string, string>()
    if (value === undefined) kept.delete(key)
    else kept.set(key, value)
    documents.set(collection, kept)
  }
}
