/** Adapter (node:sqlite): walks the commits of a file in one read transaction and recomputes everything derived. */
import type { DatabaseSync } from "node:sqlite"
import { JournalUnavailable } from "../Journal.ts"
import type { Problem, Verification } from "../Verification.ts"
import { commitHash, genesisHash } from "./hashChain.ts"
import { prepareReads, toRow, toStreamInfo } from "./sqliteReads.ts"
import { openReadOnly } from "./sqliteStorage.ts"
import type { Meta } from "./sqliteTables.ts"
import { formatVersion } from "./sqliteTables.ts"
import type { Row } from "./storage.ts"

const problemLimit = 20

interface Walk {
  readonly meta: Meta
  readonly problems: Array<Problem>
  readonly versions: Map<string, { version: number; position: number; closed: boolean }>
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
    checkCommits(db, walk)
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
    .prepare("PRAGMA quick_check(5)")
    .all()
    .map((row) => String(row["quick_check"]))
  for (const answer of answers) if (answer !== "ok") walk.problems.push({ fact: `SQLite finds: ${answer}` })
}

const checkCommits = (db: DatabaseSync, walk: Walk): void => {
  const reads = prepareReads(db)
  if (genesisHash(walk.meta.id, walk.meta.createdAtMillis) !== walk.meta.genesis) {
    walk.problems.push({ fact: "the genesis hash is not the one of this journal id" })
  }
  const commits = db.prepare(
    "SELECT id, first_position, last_position, epoch, recorded_at, hash FROM commits ORDER BY id"
  )
  for (const columns of commits.iterate()) {
    const commit = Number(columns["id"])
    const first = Number(columns["first_position"])
    const last = Number(columns["last_position"])
    const rows = reads.scan.all(first - 1, last).map(toRow)
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
    // The stored hash goes on, so that one damage is reported once.
    walk.commits = commit
    walk.head = last
    walk.hash = stored
  }
  const extra = Number(db.prepare("SELECT count(*) AS n FROM events WHERE position > ?").get(walk.head)?.["n"])
  if (extra > 0) walk.problems.push({ fact: `${extra} events after the last commit` })
}

const follow = (walk: Walk, row: Row, commit: number): void => {
  const known = walk.versions.get(row.stream)
  const expected = (known?.version ?? 0) + 1
  if (row.version !== expected) {
    walk.problems.push({ fact: `version ${row.version} where ${expected} is due`, commit, stream: row.stream })
  }
  if (known?.closed === true) {
    walk.problems.push({ fact: `an event at ${row.position} after the stream was closed`, commit, stream: row.stream })
  }
  walk.versions.set(row.stream, { version: row.version, position: row.position, closed: row.closes })
}

const checkStreams = (db: DatabaseSync, walk: Walk): void => {
  const heads = db.prepare("SELECT name, version, status, position FROM streams").all().map(toStreamInfo)
  if (heads.length !== walk.versions.size) {
    walk.problems.push({ fact: `${heads.length} stream heads for ${walk.versions.size} streams with events` })
  }
  for (const head of heads) {
    const derived = walk.versions.get(head.name)
    const agrees =
      derived?.version === head.version &&
      derived.position === head.position &&
      derived.closed === (head.status === "closed")
    if (!agrees) walk.problems.push({ fact: "the stream's head disagrees with its events", stream: head.name })
  }
}
