/** Adapter (node:sqlite): takes the events of closed streams out of the tables, after a segment file holds them. */
import { DatabaseSync } from "node:sqlite"
import type { Archived, ArchiveOptions } from "../Archive.ts"
import type { StreamName } from "../Journal.ts"
import { segmentName, segmentPath, writeSegment } from "./segmentFile.ts"
import { cellsOf, eventColumns, inArrays, toRow } from "./sqliteReads.ts"
import type { NewerFormat } from "./sqliteStorage.ts"
import { configure } from "./sqliteStorage.ts"
import { formatVersion, migrate, notAJournal, readMeta } from "./sqliteTables.ts"
import type { Row } from "./storage.ts"

/** Bounds one transaction and the WAL that it makes. */
const slice = 5000

/** The caller holds the ownership. */
export const archiveFile = (options: ArchiveOptions, now: number): Archived | NewerFormat => {
  const { path } = options
  const db = new DatabaseSync(path)
  try {
    const meta = readMeta(db, path)
    if (meta === undefined) throw notAJournal(path)
    if (meta.format > formatVersion) return { found: meta.format, supported: formatVersion }
    configure(db)
    migrate(db, meta)
    choose(db, options)
    const archived = writeChosen(db, path, now)
    deleteArchived(db)
    return archived
  } finally {
    db.close()
  }
}

/** Closed streams that are not archived yet, in a table of this connection's own. */
const choose = (db: DatabaseSync, { streams, closedByMillis }: ArchiveOptions): void => {
  db.exec("CREATE TEMP TABLE chosen (stream_id INTEGER PRIMARY KEY)")
  db.prepare(
    `INSERT INTO chosen SELECT id FROM streams
     WHERE status = 'closed' AND closed_at <= ?1 AND id NOT IN (SELECT stream_id FROM archived)
       AND (?2 IS NULL OR name IN (SELECT value FROM json_each(?2)))`
  ).run(closedByMillis ?? Number.MAX_SAFE_INTEGER, streams === undefined ? null : JSON.stringify(streams))
}

const writeChosen = (db: DatabaseSync, path: string, now: number): Archived => {
  const streams = Number(db.prepare("SELECT count(*) AS n FROM chosen").get()?.["n"])
  if (streams === 0) return { streams: 0, events: 0 }
  const id = 1 + Number(db.prepare("SELECT coalesce(max(id), 0) AS id FROM segments").get()?.["id"])
  const name = segmentName(path, id)
  const segment = segmentPath(path, name)
  // A file of this name that no row tells of is left from a call that was killed; it is written anew.
  const { sha256, events } = writeSegment(segment, chosenRows(db))
  db.exec("BEGIN IMMEDIATE")
  db.prepare("INSERT INTO segments VALUES (?, ?, ?, ?, ?)").run(id, name, sha256, events, now)
  db.prepare("INSERT INTO archived SELECT stream_id, ? FROM chosen").run(id)
  db.exec("COMMIT")
  return { streams, events, segment }
}

function* chosenRows(db: DatabaseSync): Iterable<Row> {
  const select = db.prepare(
    `SELECT ${eventColumns}, s.name FROM events e JOIN streams s ON s.id = e.stream_id
     WHERE e.stream_id IN (SELECT stream_id FROM chosen) ORDER BY e.position`
  )
  for (const cells of inArrays(select).iterate()) yield toNamedRow(cells)
}

/** The name comes last. */
const toNamedRow = (columns: unknown): Row => {
  const [cells = []] = cellsOf([columns])
  return toRow(cells, cells.at(-1) as StreamName)
}

/** What segments hold and the tables still have, be it from a call that was killed. */
const deleteArchived = (db: DatabaseSync): void => {
  const remove = db.prepare(
    `DELETE FROM events WHERE position IN (
       SELECT e.position FROM archived a JOIN events e ON e.stream_id = a.stream_id LIMIT ?)`
  )
  while (Number(remove.run(slice).changes) > 0) continue
}
