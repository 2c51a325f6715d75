/** Adapter (node:sqlite): a sample file open for writing and reading. Every call is synchronous and holds no transaction after it. */
import type { SQLOutputValue, StatementSync } from "node:sqlite"
import { DatabaseSync } from "node:sqlite"
import * as Schema from "effect/Schema"
import type { Sample } from "../Sample.ts"
import { Absence, SampleSource } from "../Sample.ts"
import type { StoredItem, StoredPoint, StoredSubject } from "../SampleStore.ts"
import { prepareTables, transaction } from "./sampleTables.ts"

type Row = Record<string, SQLOutputValue>

/** Both ends included. */
export interface Selection {
  readonly subject: string
  readonly key: string
  readonly fromMillis: number
  readonly toMillis: number
}

export interface SampleFile {
  readonly isOpen: () => boolean
  readonly close: () => void
  /** Pages in use, bytes. */
  readonly bytes: () => number
  /** One transaction for all of them. */
  readonly write: (items: ReadonlyArray<StoredItem>, nowMillis: number) => void
  /** Deletes what was recorded before, then the oldest until the rest fits, in small transactions. */
  readonly prune: (recordedBeforeMillis: number) => void
  readonly subjects: () => ReadonlyArray<StoredSubject>
  readonly points: (selection: Selection, metric: string) => Iterable<StoredPoint>
  /** The next items after the given one, in the order of time. */
  readonly page: (
    selection: Selection,
    after: Cursor | undefined
  ) => { readonly items: ReadonlyArray<StoredItem>; readonly next: Cursor | undefined }
}

export interface Cursor {
  readonly atMillis: number
  readonly id: number
}

/** How long a write waits for another process's, milliseconds; the event loop waits with it. */
const patienceMillis = 250
const pageRows = 1000
/** Of `maxBytes`; the rest is for the write-ahead log, its index and what one batch adds before the next pruning. */
const databaseShare = 0.7

/** Opens or creates it. `maxBytes` is for the file and its write-ahead log together. */
export const openSampleFile = (path: string, maxBytes: number): SampleFile => {
  const db = new DatabaseSync(path, { timeout: patienceMillis })
  try {
    prepareTables(db, path)
    const pageBytes = numberOf(db, "PRAGMA page_size", "page_size")
    // Samples may be lost with the power, the file may not: NORMAL syncs at checkpoints only. https://sqlite.org/pragma.html
    const walPages = Math.max(8, Math.min(1000, Math.floor(maxBytes / 8 / pageBytes)))
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${walPages};
      PRAGMA journal_size_limit = ${walPages * pageBytes}`)
    const reads = prepareReads(db)
    const writes = prepareWrites(db)
    const used = () =>
      (numberOf(db, "PRAGMA page_count", "page_count") - numberOf(db, "PRAGMA freelist_count", "freelist_count")) *
      pageBytes
    return {
      isOpen: () => db.isOpen,
      close: () => db.close(),
      bytes: used,
      write: (items, nowMillis) => transaction(db, () => writeItems(writes, items, nowMillis)),
      prune: (before) => prune({ db, pageBytes, used, limitBytes: maxBytes * databaseShare }, before),
      subjects: () => reads.subjects.all().map(toSubject),
      points: (selection, metric) => toPoints(reads.points, selection, metric),
      page: (selection, after) => readPage(reads, selection, after)
    }
  } catch (cause) {
    db.close()
    throw cause
  }
}

const numberOf = (db: DatabaseSync, sql: string, column: string): number => Number(db.prepare(sql).get()?.[column])

const prepareWrites = (db: DatabaseSync) => ({
  subject: db.prepare(
    `INSERT INTO subjects (subject, key, name) VALUES (?, ?, ?)
     ON CONFLICT (subject, key) DO UPDATE SET name = excluded.name RETURNING id`
  ),
  shape: db.prepare(
    `INSERT INTO shapes (metrics, source) VALUES (?, ?)
     ON CONFLICT (metrics, source) DO UPDATE SET metrics = metrics RETURNING id`
  ),
  item: db.prepare(
    "INSERT INTO items (subject_id, at, recorded, shape_id, interval, cells, missed) VALUES (?, ?, ?, ?, ?, ?, ?)"
  )
})

/** Rows of subjects and shapes are looked up once a batch: another process may have pruned them since the last one. */
const writeItems = (
  { item: insert, shape, subject }: ReturnType<typeof prepareWrites>,
  items: ReadonlyArray<StoredItem>,
  nowMillis: number
) => {
  const subjectOf = remembering(subject)
  const shapeOf = remembering(shape)
  const now = Math.floor(nowMillis)
  for (const item of items) {
    const { atMillis, id, name, subject: kind } = item._tag === "Sampled" ? item.sample : item
    const subjectId = subjectOf(kind, id, name)
    if (item._tag === "Missed") {
      insert.run(subjectId, atMillis, now, null, null, null, item.reason)
      continue
    }
    const { absent, intervalMillis = null, source = "", values } = item.sample
    const metrics = [...new Set([...Object.keys(values), ...Object.keys(absent)])].sort()
    const cells = metrics.map((metric) => values[metric] ?? absent[metric] ?? "not-reported")
    const shapeId = shapeOf(JSON.stringify(metrics), source)
    insert.run(subjectId, atMillis, now, shapeId, intervalMillis, JSON.stringify(cells), null)
  }
}

const remembering = (statement: StatementSync) => {
  const ids = new Map<string, SQLOutputValue>()
  return (...given: ReadonlyArray<string>): SQLOutputValue => {
    const key = JSON.stringify(given)
    const id = ids.get(key) ?? statement.get(...given)?.["id"] ?? null
    ids.set(key, id)
    return id
  }
}

/** Rows of one transaction, so that neither the write-ahead log nor the wait of the event loop grows with what is to go. */
const pruneRows = 2000

const prune = (
  file: {
    readonly db: DatabaseSync
    readonly pageBytes: number
    readonly used: () => number
    readonly limitBytes: number
  },
  beforeMillis: number
): void => {
  const { db, limitBytes, pageBytes, used } = file
  // Scans from the oldest one to the first that is young enough.
  const aged = db.prepare(
    `DELETE FROM items WHERE id IN (SELECT id FROM items
     WHERE id < coalesce((SELECT id FROM items WHERE recorded >= ?1 ORDER BY id LIMIT 1), 9223372036854775807)
     ORDER BY id LIMIT ?2)`
  )
  const oldest = db.prepare("DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY id LIMIT ?)")
  let deleted = 0
  const remove = (statement: StatementSync, ...given: ReadonlyArray<number>): boolean => {
    let changes = 0
    transaction(db, () => void (changes = Number(statement.run(...given).changes)))
    deleted += changes
    return changes > 0
  }
  while (remove(aged, Math.floor(beforeMillis), pruneRows)) continue
  // A fiftieth at a time, down to a tenth below the limit, so that not every flush has to.
  const rows = () => numberOf(db, "SELECT coalesce(max(id) - min(id), 0) AS n FROM items", "n")
  if (used() > limitBytes)
    while (used() > limitBytes * 0.9 && remove(oldest, Math.min(pruneRows, Math.ceil(rows() / 50) + 1))) continue
  // A file that was allowed more before gives the freed pages back.
  if (numberOf(db, "PRAGMA page_count", "page_count") * pageBytes > limitBytes) db.exec("PRAGMA incremental_vacuum")
  if (deleted === 0) return
  transaction(db, () => {
    db.exec("DELETE FROM subjects WHERE NOT EXISTS (SELECT 1 FROM items WHERE subject_id = subjects.id)")
    db.exec("DELETE FROM shapes WHERE id NOT IN (SELECT DISTINCT shape_id FROM items WHERE shape_id IS NOT NULL)")
  })
}

const inRange = "subject_id = (SELECT id FROM subjects WHERE subject = ? AND key = ?) AND at >= ? AND at <= ?"

const prepareReads = (db: DatabaseSync) => ({
  subjects: db.prepare(
    `SELECT s.subject, s.key, s.name, count(*) AS items, min(i.at) AS first, max(i.at) AS last
     FROM subjects s JOIN items i ON i.subject_id = s.id GROUP BY s.id ORDER BY s.subject, s.key`
  ),
  // A limit of 2^63 as an integer would not fit a number of JavaScript, hence REAL.
  points: db.prepare(
    `WITH places AS (
       SELECT h.id AS shape_id, '$[' || j.key || ']' AS path FROM shapes h, json_each(h.metrics) j WHERE j.value = ?
     ), found AS (
       SELECT i.id, i.at, i.missed, json_extract(i.cells, p.path) AS cell
       FROM items i LEFT JOIN places p ON p.shape_id = i.shape_id WHERE ${inRange}
     )
     SELECT at, missed, CASE typeof(cell) WHEN 'text' THEN cell WHEN 'null' THEN NULL ELSE CAST(cell AS REAL) END AS cell
     FROM found ORDER BY at, id`
  ),
  page: db.prepare(
    `SELECT i.id, i.at, i.interval, i.cells, i.missed, s.name, h.metrics, h.source
     FROM items i JOIN subjects s ON s.id = i.subject_id LEFT JOIN shapes h ON h.id = i.shape_id
     WHERE ${inRange} AND (at, i.id) > (?, ?) ORDER BY at, i.id LIMIT ${pageRows}`
  )
})

/** The one place that takes a kind from the file: only {@link writeItems} has written it. */
const kindOf = (value: SQLOutputValue | string): Sample<string>["subject"] => value as Sample<string>["subject"]

const toSubject = (row: Row): StoredSubject => ({
  subject: kindOf(row["subject"] ?? null),
  id: String(row["key"]),
  name: String(row["name"]),
  items: Number(row["items"]),
  fromMillis: Number(row["first"]),
  toMillis: Number(row["last"])
})

function* toPoints(
  statement: StatementSync,
  { fromMillis, key, subject, toMillis }: Selection,
  metric: string
): Iterable<StoredPoint> {
  for (const row of statement.iterate(metric, subject, key, fromMillis, toMillis)) {
    const atMillis = Number(row["at"])
    const { cell, missed } = row
    if (typeof missed === "string") yield { _tag: "Missed", atMillis, reason: missed }
    else if (typeof cell === "number") yield { _tag: "Measured", atMillis, value: cell }
    // A sample of a program that did not know the metric does not mention it.
    else yield { _tag: "Absent", atMillis, reason: typeof cell === "string" ? cell : "not-reported" }
  }
}

const readPage = (
  { page }: ReturnType<typeof prepareReads>,
  selection: Selection,
  after: Cursor | undefined
): ReturnType<SampleFile["page"]> => {
  const { fromMillis, key, subject, toMillis } = selection
  const rows = page.all(subject, key, fromMillis, toMillis, after?.atMillis ?? fromMillis, after?.id ?? -1)
  const last = rows.at(-1)
  return {
    items: rows.map((row) => toItem(row, selection)),
    next:
      rows.length < pageRows || last === undefined
        ? undefined
        : { atMillis: Number(last["at"]), id: Number(last["id"]) }
  }
}

const toItem = (row: Row, selection: Selection): StoredItem => {
  const { at, cells, interval, metrics, missed, name, source } = row
  const who = { subject: kindOf(selection.subject), id: selection.key, name: String(name), atMillis: Number(at) }
  if (typeof missed === "string") return { _tag: "Missed", ...who, reason: missed }
  const intervalMillis = typeof interval === "number" ? interval : undefined
  const from = isSource(source) ? { source } : {}
  return { _tag: "Sampled", sample: { ...who, intervalMillis, ...from, ...split(String(metrics), String(cells)) } }
}

const isAbsence = Schema.is(Absence)
const isSource = Schema.is(SampleSource)

/** Throws a `SyntaxError` where the file is damaged. */
const split = (shape: string, row: string): Pick<Sample<string>, "values" | "absent"> => {
  const metrics: ReadonlyArray<string> = JSON.parse(shape)
  const cells: ReadonlyArray<unknown> = JSON.parse(row)
  const values: Record<string, number> = {}
  const absent: Record<string, Absence> = {}
  for (const [index, metric] of metrics.entries()) {
    const cell = cells[index]
    if (typeof cell === "number") values[metric] = cell
    else absent[metric] = isAbsence(cell) ? cell : "not-reported"
  }
  return { values, absent }
}
