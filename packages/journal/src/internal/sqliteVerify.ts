/** Adapter (node:sqlite): walks the commits of a file in one read transaction and recomputes everything derived. */
import type { DatabaseSync } from "node:sqlite"
import { categoryOf, JournalUnavailable } from "../Journal.ts"
import type { Problem, Verification } from "../Verification.ts"
import { algorithm, commitHash, genesisHash } from "./hashChain.ts"
import { hasTable, prepareReads, toRow, toStreamInfo } from "./sqliteReads.ts"
import type { ArchivedRows } from "./sqliteSegments.ts"
import { loadSegments } from "./sqliteSegments.ts"
import { openReadOnly } from "./sqliteStorage.ts"
import { checkCommands } from "./sqliteVerifyCommands.ts"
import type { Meta } from "./sqliteTables.ts"
import { formatVersion } from "./sqliteTables.ts"
import type { Row } from "./storage.ts"

const problemLimit = 20

/** A stream's head as its events tell it. */
interface Derived {
  readonly version: number
  readonly position: number
  readonly openedAt: number
  readonly closedAt: number | null
}

interface Walk {
  readonly meta: Meta
  readonly problems: Array<Problem>
  readonly versions: Map<string, Derived>
  commits: number
  head: number
  hash: string
}

export const verifyFile = (path: string): Verification => {
  const { db, meta } = openReadOnly(path)
  try {
    if (meta === undefined || meta.format > formatVersion) {
      const detail = meta === undefined ? "the file is empty" : `its format is ${meta.format}`
      throw new JournalUnavailable({ operation: "verify", reason: "NotAJournal", detail, path })
    }
    // One snapshot for all queries: a writer may go on meanwhile. Ends with the connection.
    db.exec("BEGIN")
    const walk: Walk = { meta, problems: [], versions: new Map(), commits: 0, head: 0, hash: meta.genesis }
    checkPages(db, walk)
    const archived = loadSegments(db, path, (fact) => walk.problems.push({ fact }))
    checkCommits(db, walk, archived)
    checkStreams(db, walk)
    const { commits, head, hash, problems } = walk
    const verdict = problems.length === 0 ? "intact" : "broken"
    return { verdict, journalId: meta.id, commits, head, hash, problems: problems.slice(0, problemLimit) }
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

const checkCommits = (db: DatabaseSync, walk: Walk, archived: ArchivedRows): void => {
  const reads = prepareReads(db)
  const algorithmNow = db.prepare("SELECT algorithm FROM meta").get()?.["algorithm"]
  if (algorithmNow !== algorithm || walk.meta.format !== (hasTable(db, "documents") ? formatVersion : 1)) {
    walk.problems.push({ fact: `its tables are not those of format ${walk.meta.format} with ${String(algorithmNow)}` })
  }
  if (genesisHash(walk.meta.id, walk.meta.createdAtMillis) !== walk.meta.genesis) {
    walk.problems.push({ fact: "the genesis hash is not the one of this journal id" })
  }
  let commands = 0
  const commits = db.prepare(
    "SELECT id, first_position, last_position, epoch, recorded_at, hash FROM commits ORDER BY id"
  )
  for (const columns of commits.iterate()) {
    const commit = Number(columns["id"])
    const first = Number(columns["first_position"])
    const last = Number(columns["last_position"])
    const rows = merge(reads.scan.all(first - 1, last).map(toRow), archived(first - 1, last))
    const facts = { id: commit, epoch: Number(columns["epoch"]), recordedAtMillis: Number(columns["recorded_at"]) }
    const expect = (holds: boolean, fact: string) => {
      if (!holds) walk.problems.push({ fact, commit })
    }
    expect(commit === walk.commits + 1, `commit ${walk.commits + 1} is missing`)
    expect(first === walk.head + 1, `positions are not contiguous: ${first} follows ${walk.head}`)
    expect(rows.length === last - first + 1, `${rows.length} events where the commit has ${last - first + 1}`)
    const stored = String(columns["hash"])
    expect(
      commitHash(walk.hash, facts, rows) === stored,
      `the hash of events ${first} to ${last} is not the stored one`
    )
    for (const row of rows) follow(walk, row, commit)
    commands += checkCommands(reads, rows, (fact, stream) => walk.problems.push({ fact, commit, stream }))
    // The stored hash goes on, so that one damage is reported once.
    walk.commits = commit
    walk.head = last
    walk.hash = stored
  }
  const kept = Number(db.prepare("SELECT count(*) AS n FROM appends").get()?.["n"])
  if (kept !== commands) walk.problems.push({ fact: `${kept} command ids for ${commands} in the events` })
  const extra = Number(db.prepare("SELECT count(*) AS n FROM events WHERE position > ?").get(walk.head)?.["n"])
  if (extra > 0) walk.problems.push({ fact: `${extra} events after the last commit` })
}

/** Rows of the tables win: a row that is still there although a segment has it too must itself be right. */
const merge = (rows: ReadonlyArray<Row>, archived: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  if (archived.length === 0) return rows
  const byPosition = new Map(archived.map((row) => [row.position, row]))
  for (const row of rows) byPosition.set(row.position, row)
  return [...byPosition.values()].toSorted((left, right) => left.position - right.position)
}

const follow = (walk: Walk, row: Row, commit: number): void => {
  const known = walk.versions.get(row.stream)
  const expected = (known?.version ?? 0) + 1
  if (row.version !== expected) {
    walk.problems.push({ fact: `version ${row.version} where ${expected} is due`, commit, stream: row.stream })
  }
  if (known !== undefined && known.closedAt !== null) {
    walk.problems.push({ fact: `an event at ${row.position} after the stream was closed`, commit, stream: row.stream })
  }
  walk.versions.set(row.stream, {
    version: row.version,
    position: row.position,
    openedAt: known?.openedAt ?? row.recordedAtMillis,
    closedAt: row.closes ? row.recordedAtMillis : null
  })
}

const checkStreams = (db: DatabaseSync, walk: Walk): void => {
  const heads = db.prepare("SELECT * FROM streams").all()
  if (heads.length !== walk.versions.size) {
    walk.problems.push({ fact: `${heads.length} stream heads for ${walk.versions.size} streams with events` })
  }
  for (const columns of heads) {
    const head = toStreamInfo(columns)
    const derived = walk.versions.get(head.name)
    const agrees =
      derived?.version === head.version &&
      derived.position === head.position &&
      derived.openedAt === columns["opened_at"] &&
      derived.closedAt === columns["closed_at"] &&
      (derived.closedAt === null) === (head.status === "open") &&
      categoryOf(head.name) === columns["category"]
    if (!agrees) walk.problems.push({ fact: "the stream's head disagrees with its events", stream: head.name })
  }
}
