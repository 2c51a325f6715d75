/** Storage in arrays and maps: same answers as a file. The tables live as long as whoever holds them. */
import { Effect, Scope } from "effect"
import type { JournalUnavailable, StreamInfo, StreamName } from "../Journal.ts"
import { categoryOf } from "../Journal.ts"
import { journalClosed } from "./hub.ts"
import { isEmpty } from "./draft.ts"
import type { Batch, CommandRow, CommitRow, Lookup, Row, Storage } from "./storage.ts"

export interface Tables {
  readonly rows: Array<Row>
  readonly byStream: Map<StreamName, Array<Row>>
  readonly streams: Map<StreamName, StreamInfo>
  readonly commands: Map<StreamName, Map<string, CommandRow>>
  readonly commits: Array<CommitRow>
  readonly documents: Map<string, Map<string, string>>
}

export interface Opening {
  readonly id: string
  readonly createdAtMillis: number
  readonly epoch: number
  /** Asked for anew at each use. */
  readonly tables: () => Tables
  readonly commit: (decide: (lookup: Lookup) => Batch) => Effect.Effect<void, JournalUnavailable>
}

/** A storage over tables of its own, empty and unbreakable. */
export const makeMemoryStorage = (id: string, createdAtMillis = 0): Effect.Effect<Storage, never, Scope.Scope> =>
  Effect.suspend(() => {
    const tables = emptyTables()
    return openMemoryStorage({
      id,
      createdAtMillis,
      epoch: 1,
      tables: () => tables,
      commit: (decide) => Effect.sync(() => write(tables, decide(lookup(tables))))
    })
  })

/** A storage that refuses everything once its scope has closed, as a file does. */
export const openMemoryStorage = (opening: Opening): Effect.Effect<Storage, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => ({ closed: false })),
      close
    ),
    (state): Storage => {
      const { id, createdAtMillis, epoch } = opening
      const reading = <A>(read: (tables: Tables) => A) =>
        Effect.suspend(() => (state.closed ? journalClosed("read") : Effect.sync(() => read(opening.tables()))))
      return {
        id,
        createdAtMillis,
        epoch,
        head: reading((tables) => tables.rows.length),
        scan: (after, to) => reading((tables) => tables.rows.slice(after, to)),
        readStream: (name, from, limit) =>
          reading((tables) => (tables.byStream.get(name) ?? []).slice(from - 1, from - 1 + limit)),
        streams: (category, status) =>
          reading((tables) =>
            [...tables.streams.values()]
              .filter((s) => category === undefined || categoryOf(s.name) === category)
              .filter((s) => status === undefined || s.status === status)
          ),
        commands: (keys) =>
          reading((tables) =>
            keys.flatMap(({ stream, commandId }) => tables.commands.get(stream)?.get(commandId) ?? [])
          ),
        commits: (afterId, limit) => reading((tables) => tables.commits.slice(afterId, afterId + limit)),
        document: (collection, key) => reading((tables) => tables.documents.get(collection)?.get(key)),
        documents: (collection, afterKey, limit) =>
          reading((tables) => listDocuments(tables, collection, afterKey, limit)),
        // Needs no `needs`: everything is at hand.
        commit: (_needs, decide) =>
          Effect.suspend(() => (state.closed ? journalClosed("append to") : opening.commit(decide)))
      }
    }
  )

export const emptyTables = (): Tables => ({
  rows: [],
  byStream: new Map(),
  streams: new Map(),
  commands: new Map(),
  commits: [],
  documents: new Map()
})

const close = (state: { closed: boolean }) =>
  Effect.sync(() => {
    state.closed = true
  })

export const lookup = (tables: Tables): Lookup => ({
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
    .map(({ collection: of, key, value }) => ({ collection: of, key, value }))
}

export const write = (tables: Tables, batch: Batch): void => {
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
