/** Storage in arrays and maps: same answers as a file, durable as long as the process. */
import { Effect } from "effect"
import type { StreamInfo, StreamName } from "../Journal.ts"
import { categoryOf } from "../Journal.ts"
import { journalClosed } from "./hub.ts"
import type { Batch, CommandRow, Lookup, Row, Storage } from "./storage.ts"

interface Tables {
  readonly rows: Array<Row>
  readonly byStream: Map<StreamName, Array<Row>>
  readonly streams: Map<StreamName, StreamInfo>
  readonly commands: Map<StreamName, Map<string, CommandRow>>
  closed: boolean
}

/** A storage that refuses everything once its scope has closed, as a file does. */
export const makeMemoryStorage = (id: string) =>
  Effect.map(Effect.acquireRelease(Effect.sync(emptyTables), close), (tables): Storage => {
    const reading = <A>(read: () => A) =>
      Effect.suspend(() => (tables.closed ? journalClosed("read") : Effect.sync(read)))
    return {
      id,
      epoch: 1,
      digest: (content) => content,
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
      commit: (decide) =>
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
  closed: false
})

const close = (tables: Tables) =>
  Effect.sync(() => {
    tables.closed = true
  })

const lookup = (tables: Tables): Lookup => ({
  head: tables.rows.length,
  stream: (name) => tables.streams.get(name),
  command: (name, id) => tables.commands.get(name)?.get(id)
})

const write = (tables: Tables, batch: Batch): void => {
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
}
