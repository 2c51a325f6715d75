/** Walks commits and recomputes all that is derived from their events: the half of a verification that needs no storage. */
import type { StreamInfo, StreamName } from "../Journal.ts"
import { categoryOf } from "../Journal.ts"
import type { Problem, Verification } from "../Verification.ts"
import { checkCommands } from "./checkCommands.ts"
import { commitHash } from "./hashChain.ts"
import type { CommandRow, CommitRow, Row } from "./storage.ts"

const problemLimit = 20

/** A stream's head as its events tell it. */
interface Derived {
  readonly version: number
  readonly position: number
  readonly openedAt: number
  readonly closedAt: number | undefined
}

/** A stream's head as it is kept. */
export interface KeptHead extends StreamInfo {
  readonly category: string
  readonly openedAt: number
  readonly closedAt: number | undefined
}

export interface Walk {
  readonly problems: Array<Problem>
  readonly versions: Map<string, Derived>
  commits: number
  head: number
  hash: string
  /** Command ids in the events. */
  commands: number
}

export const startWalk = (genesis: string): Walk => ({
  problems: [],
  versions: new Map(),
  commits: 0,
  head: 0,
  hash: genesis,
  commands: 0
})

/** One commit with the events that are found for it, oldest first; `find` knows the kept command ids. */
export const walkCommit = (
  walk: Walk,
  commit: CommitRow,
  rows: ReadonlyArray<Row>,
  find: (stream: StreamName, commandId: string) => CommandRow | undefined
): void => {
  const { id, first, last } = commit
  const expect = (holds: boolean, fact: string) => {
    if (!holds) walk.problems.push({ fact, commit: id })
  }
  expect(id === walk.commits + 1, `commit ${walk.commits + 1} is missing`)
  expect(first === walk.head + 1, `positions are not contiguous: ${first} follows ${walk.head}`)
  expect(rows.length === last - first + 1, `${rows.length} events where the commit has ${last - first + 1}`)
  const hash = commitHash(walk.hash, commit, rows)
  expect(hash === commit.hash, `the hash of events ${first} to ${last} is not the stored one`)
  for (const row of rows) follow(walk, row, id)
  walk.commands += checkCommands(find, rows, (fact, stream) => walk.problems.push({ fact, commit: id, stream }))
  // The stored hash goes on, so that one damage is reported once.
  walk.commits = id
  walk.head = last
  walk.hash = commit.hash
}

const follow = (walk: Walk, row: Row, commit: number): void => {
  const known = walk.versions.get(row.stream)
  const expected = (known?.version ?? 0) + 1
  if (row.version !== expected) {
    walk.problems.push({ fact: `version ${row.version} where ${expected} is due`, commit, stream: row.stream })
  }
  if (known?.closedAt !== undefined) {
    walk.problems.push({ fact: `an event at ${row.position} after the stream was closed`, commit, stream: row.stream })
  }
  walk.versions.set(row.stream, {
    version: row.version,
    position: row.position,
    openedAt: known?.openedAt ?? row.recordedAtMillis,
    closedAt: row.closes ? row.recordedAtMillis : undefined
  })
}

export const checkHeads = (walk: Walk, heads: ReadonlyArray<KeptHead>): void => {
  if (heads.length !== walk.versions.size) {
    walk.problems.push({ fact: `${heads.length} stream heads for ${walk.versions.size} streams with events` })
  }
  for (const head of heads) {
    const derived = walk.versions.get(head.name)
    const agrees =
      derived?.version === head.version &&
      derived.position === head.position &&
      derived.openedAt === head.openedAt &&
      derived.closedAt === head.closedAt &&
      (derived.closedAt === undefined) === (head.status === "open") &&
      categoryOf(head.name) === head.category
    if (!agrees) walk.problems.push({ fact: "the stream's head disagrees with its events", stream: head.name })
  }
}

/** What is kept besides what the walk has seen. */
export const checkCounts = (
  walk: Walk,
  kept: { readonly commands: number; readonly eventsAfterHead: number }
): void => {
  if (kept.commands !== walk.commands) {
    walk.problems.push({ fact: `${kept.commands} command ids for ${walk.commands} in the events` })
  }
  if (kept.eventsAfterHead > 0) walk.problems.push({ fact: `${kept.eventsAfterHead} events after the last commit` })
}

export const toVerification = ({ commits, head, hash, problems }: Walk, journalId: string): Verification => ({
  verdict: problems.length === 0 ? "intact" : "broken",
  journalId,
  commits,
  head,
  hash,
  problems: problems.slice(0, problemLimit)
})
