/** Commits read from and restored into a storage. Restoring checks all that an append would have made true. */
import { Effect, Option, PubSub, Result, Stream } from "effect"
import type { CommitLog, LoggedCommit } from "../CommitLog.ts"
import { CommitRefused } from "../CommitLog.ts"
import type { StreamInfo, StreamName } from "../Journal.ts"
import { JournalUnavailable } from "../Journal.ts"
import { commitHash, genesisHash } from "./hashChain.ts"
import type { Hub } from "./hub.ts"
import type { Batch, CommandKey, CommitRow, Lookup, ReadStorage, Row, Storage } from "./storage.ts"

const commitsPerPage = 256

export const makeCommitLog = (storage: ReadStorage | Storage, hub: Hub): CommitLog => ({
  createdAtMillis: storage.createdAtMillis,
  commits: Stream.unwrap(
    Effect.map(storage.head, (head) =>
      Stream.paginate(0, (afterId) =>
        Effect.map(storage.commits(afterId, commitsPerPage), (page) => {
          const due = page.filter(({ last }) => last <= head)
          const next = due.length === commitsPerPage ? due.at(-1)?.id : undefined
          return [due, Option.fromUndefinedOr(next)] as const
        })
      ).pipe(Stream.mapEffect((row) => readCommit(storage, row)))
    )
  ),
  restore: Effect.fn("CommitLog.restore")((logged, mode) =>
    restore(storage, logged, mode).pipe(Effect.tap(() => PubSub.publish(hub, { _tag: "Wake" })))
  )
})

const readCommit = Effect.fnUntraced(function* (
  storage: ReadStorage,
  commit: CommitRow
): Effect.fn.Return<LoggedCommit, JournalUnavailable> {
  const rows = yield* storage.scan(commit.first - 1, commit.last)
  if (rows.length < commit.last - commit.first + 1) {
    const detail = `commit ${commit.id} has ${rows.length} of its ${commit.last - commit.first + 1} events; the others were archived`
    return yield* new JournalUnavailable({ operation: "read", reason: "Archived", detail })
  }
  const keys = new Map<string, CommandKey>()
  for (const { stream, commandId } of rows) {
    if (commandId !== undefined) keys.set(`${stream} ${commandId}`, { stream, commandId })
  }
  const commands = keys.size === 0 ? [] : yield* storage.commands([...keys.values()])
  return { commit, rows, commands: commands.toSorted((left, right) => left.first - right.first) }
})

const restore = Effect.fnUntraced(function* (
  storage: ReadStorage | Storage,
  logged: LoggedCommit,
  mode: "verbatim" | "rechained"
): Effect.fn.Return<string, CommitRefused | JournalUnavailable> {
  if (!("commit" in storage)) {
    return yield* new JournalUnavailable({
      operation: "append to",
      reason: "ReadOnly",
      detail: "it was opened by a reader"
    })
  }
  const { id, createdAtMillis } = storage
  const needs = { streams: logged.rows.map((row) => row.stream), commands: [], documents: [] }
  let outcome: Result.Result<Batch, string> = Result.fail("it was not decided on")
  yield* storage.commit(needs, (lookup) => {
    outcome = toBatch(logged, mode, lookup, lookup.commit.hash ?? genesisHash(id, createdAtMillis))
    return Result.getOrElse(outcome, () => nothing)
  })
  const decided: Result.Result<Batch, string> = outcome
  if (Result.isSuccess(decided)) return decided.success.commit?.hash ?? ""
  return yield* new CommitRefused({ commit: logged.commit.id, fact: decided.failure })
})

const nothing: Batch = { rows: [], streams: [], commands: [], commit: undefined, documents: [], clear: [] }

const toBatch = (
  { commit, rows, commands }: LoggedCommit,
  mode: "verbatim" | "rechained",
  lookup: Lookup,
  previous: string
): Result.Result<Batch, string> => {
  if (commit.id !== lookup.commit.id + 1) return Result.fail(`commit ${lookup.commit.id + 1} is due`)
  const streams = follow(commit, rows, lookup)
  if (Result.isFailure(streams)) return Result.fail(streams.failure)
  for (const command of commands) {
    const first = rows[command.first - commit.first]
    const last = rows[command.last - commit.first]
    const names = [first, last].every((r) => r?.stream === command.stream && r.commandId === command.commandId)
    if (!names || last?.version !== command.version) {
      return Result.fail(`command ${command.commandId} does not stand for its events`)
    }
  }
  const hash = commitHash(previous, commit, rows)
  if (mode === "verbatim" && hash !== commit.hash) return Result.fail("its hash does not follow from its events")
  return Result.succeed({ ...nothing, rows, streams: streams.success, commands, commit: { ...commit, hash } })
}

/** The streams after the commit, or what does not follow. */
const follow = (
  { first, last }: CommitRow,
  rows: ReadonlyArray<Row>,
  lookup: Lookup
): Result.Result<ReadonlyArray<StreamInfo>, string> => {
  if (first !== lookup.head + 1 || rows.length !== last - first + 1 || rows.length === 0) {
    return Result.fail(`positions from ${lookup.head + 1} on are due`)
  }
  const streams = new Map<StreamName, StreamInfo>()
  for (const [index, row] of rows.entries()) {
    const info = streams.get(row.stream) ?? lookup.stream(row.stream)
    const due = (info?.version ?? 0) + 1
    if (row.position !== first + index) return Result.fail(`position ${first + index} is due, not ${row.position}`)
    if (row.version !== due) return Result.fail(`version ${due} of ${row.stream} is due, not ${row.version}`)
    if (info?.status === "closed") return Result.fail(`${row.stream} was closed before`)
    const { stream: name, version, position } = row
    streams.set(name, { name, version, position, status: row.closes ? "closed" : "open" })
  }
  return Result.succeed([...streams.values()])
}
