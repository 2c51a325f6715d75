/**
 * The bare loop: what a journal's commits cost with prepared statements alone. It writes the rows of a journal that exists into a
 * new file with the same tables, commit by commit, in the same batch sizes, with a hash over the same content; synchronous FULL.
 */
import { hash } from "node:crypto"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

type Row = Readonly<Record<string, SQLInputValue>>

/** What one transaction writes, as rows of each table. */
interface Commit {
  readonly commit: Row
  readonly events: ReadonlyArray<Row>
  readonly appends: ReadonlyArray<Row>
  /** Heads of the streams that it touches, after it. */
  readonly streams: ReadonlyArray<Row>
}

export interface Recording {
  readonly schema: ReadonlyArray<string>
  readonly commits: ReadonlyArray<Commit>
  readonly events: number
}

type Cells = Readonly<Record<string, unknown>>

const isCell = (value: unknown): value is string | number | Uint8Array | null =>
  value === null || typeof value === "string" || typeof value === "number" || value instanceof Uint8Array

const toCell = (value: unknown): SQLInputValue => {
  if (isCell(value)) return value
  throw new TypeError(`a column holds a ${typeof value}`)
}

const toRow = (cells: Cells): Row =>
  Object.fromEntries(Object.entries(cells).map(([key, value]) => [key, toCell(value)]))

const all = (db: DatabaseSync, sql: string): ReadonlyArray<Row> => db.prepare(sql).all().map(toRow)

const number = (row: Row, column: string): number => Number(row[column])

/** Reads a closed journal into memory, grouped as it was committed. */
export const record = (path: string): Recording => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const schema = all(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    const streams = new Map(all(db, "SELECT * FROM streams").map((row) => [number(row, "id"), row]))
    const events = all(db, "SELECT * FROM events ORDER BY position")
    const appends = all(db, "SELECT * FROM appends ORDER BY last_position")
    let nextEvent = 0
    let nextAppend = 0
    const upTo = (rows: ReadonlyArray<Row>, from: number, column: string, last: number) => {
      let end = from
      for (let row = rows[end]; row !== undefined && number(row, column) <= last; row = rows[++end]) continue
      return end
    }
    const commits = all(db, "SELECT * FROM commits ORDER BY id").map((commit): Commit => {
      const last = number(commit, "last_position")
      const endOfEvents = upTo(events, nextEvent, "position", last)
      const endOfAppends = upTo(appends, nextAppend, "last_position", last)
      const mine = events.slice(nextEvent, endOfEvents)
      const touched = new Map(mine.map((event) => [number(event, "stream_id"), event]))
      const heads = [...touched].map(([id, event]): Row => ({
        ...streams.get(id),
        version: event["version"] ?? null,
        position: event["position"] ?? null
      }))
      const part = { commit, events: mine, appends: appends.slice(nextAppend, endOfAppends), streams: heads }
      nextEvent = endOfEvents
      nextAppend = endOfAppends
      return part
    })
    return {
      schema: schema.flatMap(({ sql }) => (typeof sql === "string" ? [sql] : [])),
      commits,
      events: events.length
    }
  } finally {
    db.close()
  }
}

export interface BareFile {
  /** Writes every commit of the recording; resolves to the milliseconds that it took. */
  readonly write: () => number
  readonly close: () => void
}

const columnsOf = (row: Row): ReadonlyArray<string> => Object.keys(row)

const insert = (table: string, row: Row): string =>
  `INSERT INTO ${table} (${columnsOf(row).join(", ")}) VALUES (${columnsOf(row)
    .map(() => "?")
    .join(", ")})`

/** An empty file with the recording's tables, ready to be written. */
export const open = (path: string, recording: Recording): BareFile => {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
  for (const sql of recording.schema) db.exec(sql)
  const sample = recording.commits[0]
  const [event, append, stream] = [sample?.events[0], sample?.appends[0], sample?.streams[0]]
  if (sample === undefined || event === undefined || append === undefined || stream === undefined) {
    throw new RangeError("the recorded journal is empty")
  }
  const putEvent = db.prepare(insert("events", event))
  const putAppend = db.prepare(insert("appends", append))
  const putCommit = db.prepare(insert("commits", sample.commit))
  const putStream = db.prepare(
    `${insert("streams", stream)} ON CONFLICT (id) DO UPDATE SET version = excluded.version, position = excluded.position`
  )
  const write = () => {
    const start = process.hrtime.bigint()
    let previous = ""
    for (const { commit, events, appends, streams } of recording.commits) {
      db.exec("BEGIN IMMEDIATE")
      for (const row of streams) putStream.run(...Object.values(row))
      for (const row of events) putEvent.run(...Object.values(row))
      for (const row of appends) putAppend.run(...Object.values(row))
      const content = JSON.stringify([previous, commit["id"], events.map((row) => Object.values(row))])
      previous = hash("sha256", content, "hex")
      putCommit.run(...Object.values({ ...commit, hash: previous }))
      db.exec("COMMIT")
    }
    return Number(process.hrtime.bigint() - start) / 1e6
  }
  return { write, close: () => db.close() }
}
