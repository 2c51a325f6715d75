/** Opens the journal of a dead run, undoes what it disturbed and settles what it left open. */
import type { CallError } from "@sbx/engine/EngineError"
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import { any, type AppendError, categoryOf, Journal, type StreamName } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { JournalFiles } from "../JournalFiles.ts"
import type { LifecycleState } from "../LifecycleState.ts"
import * as Owner from "../Owner.ts"
import * as RunEvent from "../RunEvent.ts"
import { category } from "../SandboxEvent.ts"
import * as SandboxLabels from "../SandboxLabels.ts"
import { type PendingUndos, runUndoPlan } from "../UndoRunner.ts"
import {
  close,
  empty,
  type Emptied,
  load,
  type SettleError,
  type SettleTools,
  standing,
  type StreamState
} from "./reconcileStream.ts"
import { parallel } from "./reconcileSurvey.ts"

export interface JournalFindings {
  readonly journalPath: string
  readonly inDoubt: ReadonlyArray<{
    readonly journalPath: string
    readonly stream: string
    readonly untilMillis: number
  }>
  readonly settled: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly undone: ReadonlyArray<string>
  readonly failures: ReadonlyArray<string>
}

const nothing = (journalPath: string): JournalFindings => ({
  journalPath,
  inDoubt: [],
  settled: [],
  removed: [],
  undone: [],
  failures: []
})

const openStreams = Effect.fnUntraced(function* (journal: Journal["Service"]) {
  const streams = yield* journal.streams({ category, open: true })
  return yield* Effect.forEach(streams, (stream) => load(journal, stream))
})

interface Sorted {
  readonly toSettle: ReadonlyArray<StreamState>
  readonly inDoubt: JournalFindings["inDoubt"]
}

/** Which open streams are to be settled now, and which later. */
const sort = Effect.fnUntraced(function* (
  tools: SettleTools,
  journalPath: string,
  engineId: string,
  streams: ReadonlyArray<StreamState>
) {
  const judged = yield* Effect.forEach(
    streams,
    (stream) => Effect.map(standing(tools, stream, engineId), (side) => ({ stream, side })),
    parallel
  )
  const of = (side: string) => judged.filter((each) => each.side === side).map((each) => each.stream)
  return {
    toSettle: of("settle"),
    inDoubt: of("in-doubt").map(({ stream, state }) => ({
      journalPath,
      stream,
      untilMillis: state.create?.deadlineMillis ?? 0
    }))
  } satisfies Sorted
})

/** One broken file must not keep the rest from being cleaned; a journal that another reconciler was quicker to take is in good hands. */
const guarded = <E extends { readonly _tag: string; readonly message: string }, R>(
  journalPath: string,
  findings: Effect.Effect<JournalFindings, E, R>
): Effect.Effect<JournalFindings, never, R> =>
  findings.pipe(
    Effect.catch((error) =>
      Effect.succeed({ ...nothing(journalPath), failures: error._tag === "JournalLocked" ? [] : [error.message] })
    )
  )

const opened = <A, E, E2>(
  layer: (files: JournalFiles) => Layer.Layer<Journal, E>,
  use: (journal: Journal["Service"]) => Effect.Effect<A, E2>
) =>
  JournalFiles.pipe(
    Effect.flatMap((files) => Layer.build(layer(files))),
    Effect.flatMap((services) => use(Context.get(services, Journal))),
    Effect.scoped
  )

/** Reads only. */
export const look = (
  tools: SettleTools,
  journalPath: string,
  engineId: string,
  pendingUndos: PendingUndos | undefined
): Effect.Effect<JournalFindings> =>
  guarded(
    journalPath,
    opened(
      ({ layerReader }) => layerReader(journalPath),
      (journal) =>
        Effect.gen(function* () {
          const { inDoubt } = yield* sort(tools, journalPath, engineId, yield* openStreams(journal))
          const pending = pendingUndos === undefined ? [] : yield* pendingUndos(journal)
          return { ...nothing(journalPath), inDoubt, undone: pending.map(({ id }) => id) }
        })
    )
  )

/** Takes the journal over under a new epoch, if there is anything to do in it. */
export const adopt = (
  tools: SettleTools,
  journalPath: string,
  engineId: string,
  pendingUndos: PendingUndos | undefined
): Effect.Effect<JournalFindings> =>
  Effect.gen(function* () {
    // A new epoch is a write: old runs that left nothing open stay as they are.
    const work = yield* look(tools, journalPath, engineId, pendingUndos)
    const idle = work.undone.length === 0 && work.failures.length === 0
    const closed = idle ? yield* hasNothingOpen(journalPath, pendingUndos !== undefined) : false
    if (closed) return work
    return yield* guarded(
      journalPath,
      opened(
        ({ layerWriter }) => layerWriter(journalPath),
        (journal) => takeOver(tools, journal, journalPath, engineId, pendingUndos)
      )
    )
  })

const hasNothingOpen = (path: string, knowsUndos: boolean) =>
  opened(
    ({ layerReader }) => layerReader(path),
    (journal) => journal.streams({ open: true })
  ).pipe(
    Effect.map((streams) => streams.every(({ name }) => !knowsUndos && !isOurs(name))),
    Effect.orElseSucceed(() => false)
  )

/** Categories that core settles by itself; the others may hold disturbances, which only `PendingUndos` can tell. */
const isOurs = (name: StreamName) => categoryOf(name) === category || categoryOf(name) === RunEvent.category

const takeOver = Effect.fnUntraced(function* (
  tools: SettleTools,
  journal: Journal["Service"],
  journalPath: string,
  engineId: string,
  pendingUndos: PendingUndos | undefined
): Effect.fn.Return<JournalFindings, AppendError | EventUndecodable | CallError> {
  // Before anything is removed: an undo may concern containers that are not ours.
  const { undone, awaited, failures } = yield* undoAll(tools, journal, journalPath, pendingUndos)
  const { toSettle, inDoubt } = yield* sort(tools, journalPath, engineId, yield* openStreams(journal))
  const { settled, removed, failures: unsettled } = yield* settleAll(tools, journal, toSettle)
  const runs = yield* closeRuns(journal)
  // What is not undone for good must be found open by the next reconcile.
  const isUndone = pendingUndos !== undefined && failures.length === 0 && awaited.length === 0
  const others = isUndone ? yield* closeOthers(journal) : []
  const all = [...settled, ...runs, ...others]
  return {
    journalPath,
    inDoubt: [...inDoubt, ...awaited],
    settled: all,
    removed,
    undone,
    failures: [...failures, ...unsettled]
  }
})

/** A disturbance that may still be under way is undone now, so that it ends soon, and again when it can no longer begin. */
const undoAll = Effect.fnUntraced(function* (
  tools: SettleTools,
  journal: Journal["Service"],
  journalPath: string,
  pendingUndos: PendingUndos | undefined
) {
  const failures: Array<string> = []
  const undone: Array<string> = []
  const awaited: Array<JournalFindings["inDoubt"][number]> = []
  for (const pending of pendingUndos === undefined ? [] : yield* pendingUndos(journal)) {
    const { id, plan, record, untilMillis = 0 } = pending
    const isEarly = (yield* Clock.currentTimeMillis) < untilMillis
    yield* Effect.andThen(runUndoPlan(tools.engine, plan), isEarly ? Effect.void : record).pipe(
      Effect.match({
        onSuccess: () => void (isEarly ? awaited.push({ journalPath, stream: id, untilMillis }) : undone.push(id)),
        onFailure: (error) => void failures.push(`undo of ${id}: ${error.message}`)
      })
    )
  }
  return { undone, awaited, failures }
})

/** A run that nobody carries on was interrupted, unless it had finished. */
const closeRuns = Effect.fnUntraced(function* (journal: Journal["Service"]) {
  const runs = yield* journal.streams({ category: RunEvent.category, open: true })
  for (const { name } of runs) {
    const events = yield* Stream.runCollect(RunEvent.RunEvents.read(journal, name))
    const isOver = events.some(({ payload }) => payload._tag === "RunFinished" || payload._tag === "RunInterrupted")
    const atMillis = yield* Clock.currentTimeMillis
    const interrupted: RunEvent.RunEvent = { _tag: "RunInterrupted", atMillis, reason: "its process died" }
    yield* isOver
      ? journal.close(name)
      : RunEvent.RunEvents.append(journal, name, [interrupted], { expected: any, closes: true })
  }
  return runs.map(({ name }) => name)
})

/** Everything is undone, so what is left open in the other categories has come to its end. */
const closeOthers = Effect.fnUntraced(function* (journal: Journal["Service"]) {
  const open = yield* journal.streams({ open: true })
  const others = open.filter(({ name }) => !isOurs(name))
  for (const { name } of others) yield* journal.close(name)
  return others.map(({ name }) => name)
})

/** In step, so that the loop devices of all are looked at once: container by container, all workspaces, stream by stream. */
const settleAll = Effect.fnUntraced(function* (
  tools: SettleTools,
  journal: Journal["Service"],
  streams: ReadonlyArray<StreamState>
) {
  const settled: Array<string> = []
  const removed: Array<string> = []
  const failures: Array<string> = []
  const tell = <A>(stream: string, step: Effect.Effect<A, SettleError>, done: (value: A) => void) =>
    Effect.match(step, {
      onSuccess: done,
      onFailure: (error) => void failures.push(`${stream}: ${error.message}`)
    })
  const emptied: Array<Emptied> = []
  yield* Effect.forEach(
    streams,
    (found) => tell(found.stream, empty(tools, journal, found), (one) => void emptied.push(one)),
    { ...parallel, discard: true }
  )
  const [left] = yield* Effect.all(
    [tools.workspaces.removeAll(emptied.flatMap(({ volume }) => volume ?? [])), removeNetworks(tools, journal.id)],
    { concurrency: 2 }
  )
  for (const reason of left.values()) failures.push(reason)
  yield* Effect.forEach(
    emptied.filter(({ volume }) => volume === undefined || !left.has(volume)),
    (one) =>
      tell(one.stream, close(tools, one), (objects) => {
        settled.push(one.stream)
        removed.push(...objects)
      }),
    { ...parallel, discard: true }
  )
  return { settled, removed, failures }
})

/** Nothing is on them any more. What is refused is tried again, and told, with the rest of the objects. */
const removeNetworks = ({ engine, networks }: SettleTools, journalId: string) =>
  Effect.forEach(
    networks.filter(({ journal }) => journal === journalId),
    ({ id }) => Effect.ignore(engine.removeNetwork(id)),
    { ...parallel, discard: true }
  )

/** A journal that this process took over from a dead one may hold streams of that one. */
export const continueOwn = (
  tools: SettleTools,
  own: Journal["Service"],
  engineId: string,
  dryRun: boolean
): Effect.Effect<JournalFindings, never, FileSystem> => {
  const journalPath = ""
  return Effect.gen(function* () {
    const inherited = yield* Effect.filter(yield* openStreams(own), ({ state }) => isInherited(state, tools.self))
    const { toSettle, inDoubt } = yield* sort(tools, journalPath, engineId, inherited)
    if (dryRun) return { ...nothing(journalPath), inDoubt }
    return { ...nothing(journalPath), inDoubt, ...(yield* settleAll(tools, own, toSettle)) }
  }).pipe((findings) => guarded(journalPath, findings))
}

/** The journal is ours alone, so an owner of an earlier boot is gone. */
const isInherited = ({ create }: LifecycleState, self: Owner.Owner) => {
  const owner = Owner.fromLabel(create?.labels[SandboxLabels.keys.owner] ?? "")
  if (owner === undefined) return Effect.succeed(false)
  return owner.bootId !== self.bootId
    ? Effect.succeed(true)
    : Effect.map(Owner.liveness(owner), (state) => state === "dead")
}
