/** Adapter (node:sqlite): walks the commits of a file in one read transaction and recomputes everything derived. */
import type { DatabaseSync } from "node:sqlite"
import { JournalUnavailable } from "../Journal.ts"
import type { Verification } from "../Verification.ts"
import type { Walk } from "./chainWalk.ts"
import { checkCounts, checkHeads, startWalk, toVerification, walkCommit } from "./chainWalk.ts"
import { algorithm, genesisHash } from "./hashChain.ts"
import { findCommand, hasTable, prepareReads, scanRows, toCommit, toStreamInfo } from "./sqliteReads.ts"
import type { ArchivedRows } from "./sqliteSegments.ts"
import { loadSegments } from "./sqliteSegments.ts"
import { openReadOnly } from "./sqliteStorage.ts"
import type { Meta } from "./sqliteTables.ts"
import { formatVersion } from "./sqliteTables.ts"
import type { Row } from "./storage.ts"

export const verifyFile = (path: string): Verification => {
  const { db, meta } = openReadOnly(path)
  try {
    if (meta === undefined || meta.format > formatVersion) {
      const detail = meta === undefined ? "the file is empty" : `its format is ${meta.format}`
      throw new JournalUnavailable({ operation: "verify", reason: "NotAJournal", detail, path })
    }
    // One snapshot for all queries: a writer may go on meanwhile. Ends with the connection.
    db.exec("BEGIN")
    const walk = startWalk(meta.genesis)
    checkPages(db, walk)
    checkMeta(db, walk, meta)
    checkCommits(
      db,
      walk,
      loadSegments(db, path, (fact) => walk.problems.push({ fact }))
    )
    checkStreams(db, walk)
    return toVerification(walk, meta.id)
  } finally {
    db.close()
  }
}

const checkPages = (db: DatabaseSync, walk: Walk): void => {
  const answers = db
    .prepare("PRAGMA integrity_check(5)")
    .all()
    .map((row) => String(row["integrity_check"]))
  for (const answer of answers) if (answer !== "ok") walk.problems.push({ fact: `SQLite finds: ${answer}` })
}

const checkMeta = (db: DatabaseSync, walk: Walk, meta: Meta): void => {
  const algorithmNow = db.prepare("SELECT algorithm FROM meta").get()?.["algorithm"]
  if (algorithmNow !== algorithm || meta.format !== (hasTable(db, "documents") ? formatVersion : 1)) {
    walk.problems.push({ fact: `its tables are not those of format ${meta.format} with ${String(algorithmNow)}` })
  }
  if (genesisHash(meta.id, meta.createdAtMillis) !== meta.genesis) {
    walk.problems.push({ fact: "the genesis hash is not the one of this journal id" })
  }
}

const checkCommits = (db: DatabaseSync, walk: Walk, archived: ArchivedRows): void => {
  const reads = prepareReads(db)
  const commits = db.prepare(
    "SELECT id, first_position, last_position, epoch, recorded_at, hash FROM commits ORDER BY id"
  )
  for (const columns of commits.iterate()) {
    const commit = toCommit(columns)
    const before = commit.first - 1
    const rows = merge(scanRows(reads, before, commit.last), archived(before, commit.last))
    walkCommit(walk, commit, rows, (stream, commandId) => findCommand(reads, stream, commandId))
  }
  const count = (sql: string, ...parameters: ReadonlyArray<number>) => Number(db.prepare(sql).get(...parameters)?.["n"])
  checkCounts(walk, {
    commands: count("SELECT count(*) AS n FROM appends"),
    eventsAfterHead: count("SELECT count(*) AS n FROM events WHERE position > ?", walk.head)
  })
}

/** Rows of the tables win: a row that is still there although a segment has it too must itself be right. */
const merge = (rows: ReadonlyArray<Row>, archived: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  if (archived.length === 0) return rows
  const byPosition = new Map(archived.map((row) => [row.position, row]))
  for (const row of rows) byPosition.set(row.position, row)
  return [...byPosition.values()].toSorted((left, right) => left.position - right.position)
}

const checkStreams = (db: DatabaseSync, walk: Walk): void =>
  checkHeads(
    walk,
    db
      .prepare("SELECT * FROM streams")
      .all()
      .map((columns) => ({
        ...toStreamInfo(columns),
        category: String(columns["category"]),
        openedAt: Number(columns["opened_at"]),
        closedAt: columns["closed_at"] === null ? undefined : Number(columns["closed_at"])
      }))
  )
