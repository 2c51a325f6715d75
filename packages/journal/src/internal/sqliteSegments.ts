/** Adapter (node:sqlite): the segments of a journal file, read back into a table of the connection's own to verify them. */
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { readSegment, segmentPath } from "./segmentFile.ts"
import { hasTable } from "./sqliteReads.ts"
import type { Row } from "./storage.ts"

/** Archived rows of a range of positions. */
export type ArchivedRows = (after: number, to: number) => ReadonlyArray<Row>

/** Loads every segment and reports what is wrong with it; a read-only connection may have temporary tables. */
export const loadSegments = (db: DatabaseSync, path: string, report: (fact: string) => void): ArchivedRows => {
  const segments = hasTable(db, "segments") ? db.prepare("SELECT file, sha256, events FROM segments").all() : []
  if (segments.length === 0) return () => []
  db.exec("CREATE TEMP TABLE archived_rows (position INTEGER PRIMARY KEY, line TEXT NOT NULL)")
  const insert = db.prepare("INSERT OR IGNORE INTO temp.archived_rows VALUES (?, ?)")
  for (const segment of segments) {
    const file = String(segment["file"])
    const lines = { events: 0, broken: 0 }
    const sha256 = readSegment(segmentPath(path, file), (line) => {
      lines.events++
      if (!keep(insert, line)) lines.broken++
    })
    if (sha256 === undefined) report(`segment ${file} is missing`)
    else if (sha256 !== segment["sha256"] || lines.events !== segment["events"] || lines.broken > 0) {
      report(`segment ${file} is not the one that was written`)
    }
  }
  const select = db.prepare(
    "SELECT line FROM temp.archived_rows WHERE position > ? AND position <= ? ORDER BY position"
  )
  return (after, to) => select.all(after, to).map((columns) => JSON.parse(String(columns["line"])))
}

/** Keeps a line under its position. */
const keep = (insert: StatementSync, line: string): boolean => {
  try {
    const row: Row = JSON.parse(line)
    if (!isRow(row)) return false
    insert.run(row.position, line)
    return true
  } catch {
    return false
  }
}

/** A damaged line may still be JSON. */
const isRow = (row: Row): boolean =>
  [row.position, row.version, row.schemaVersion, row.recordedAtMillis, row.epoch].every(Number.isSafeInteger) &&
  [row.stream, row.type, row.payload].every((text) => typeof text === "string") &&
  [row.commandId, row.correlation].every((text) => text === undefined || typeof text === "string") &&
  (row.causation === undefined || Number.isSafeInteger(row.causation)) &&
  typeof row.closes === "boolean"
