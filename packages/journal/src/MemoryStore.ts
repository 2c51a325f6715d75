/**
 * A journal whose durable part outlives its writer, in memory: for simulations of crashes. Behaves as the SQLite one does, one
 * writer at a time included, and misbehaves only by declared {@link StoreFaults}. What is lost in a crash is what was not yet flushed.
 */
import { Clock, Effect, Layer, PubSub, Scope } from "effect"
import type { EventUndecodable } from "./EventFamily.ts"
import { Journal, JournalLocked, JournalUnavailable } from "./Journal.ts"
import type { Hub, Tuning } from "./internal/hub.ts"
import { defaults, makeHub } from "./internal/hub.ts"
import { isEmpty } from "./internal/draft.ts"
import { makeJournalId } from "./internal/journalId.ts"
import { makeJournal } from "./internal/makeJournal.ts"
import type { Tables } from "./internal/memoryStorage.ts"
import { emptyTables, lookup, openMemoryStorage, write } from "./internal/memoryStorage.ts"
import { openInline } from "./internal/openInline.ts"
import type { Batch, Lookup } from "./internal/storage.ts"
import { makeWriter } from "./internal/writer.ts"
import type { AnyProjection, ProjectionTaken } from "./Projection.ts"

/**
 * What becomes of one commit.
 * - `done`: flushed, then answered.
 * - `disk-full`: refused with `DiskFull`; nothing is written.
 * - `lost`: fails with `CommitFailed`; nothing is written.
 * - `unanswered`: fails with `CommitFailed`; it is written.
 * - `unflushed`: answered before it is flushed, as by a disk that lies: a crash before the next flush loses it.
 */
export type CommitFate = "done" | "disk-full" | "lost" | "unanswered" | "unflushed"

export interface StoreFaults {
  /** Asked for each commit. `millis` pass before the fate; a crash meanwhile finds it half-way. */
  readonly commit: () => { readonly fate: CommitFate; readonly millis: number }
}

/** The durable part, and who holds it. */
export interface MemoryStore {
  /** As a file would have it; names the store in errors. */
  readonly path: string
  readonly id: string
  readonly createdAtMillis: number
  /** Whether a writer holds it. */
  readonly isLocked: () => boolean
  /**
   * The writer died: its lock is free. A commit that was under way is in the file when `keepsTail`, else it never happened; what was
   * answered but never flushed is gone.
   */
  readonly crash: (options: { readonly keepsTail: boolean }) => void
}

interface State extends MemoryStore {
  tables: Tables
  /** Everything written, oldest first; the first `flushed` of them survive a crash. */
  readonly batches: Array<Batch>
  flushed: number
  underWay: Batch | undefined
  epoch: number
  holder: object | undefined
}

const states = new WeakMap<MemoryStore, State>()

/** An empty store; its id is drawn from `Random`. */
export const makeStore = (path: string): Effect.Effect<MemoryStore> =>
  Effect.gen(function* () {
    const id = yield* makeJournalId
    const createdAtMillis = yield* Clock.currentTimeMillis
    const state: State = {
      path,
      id,
      createdAtMillis,
      tables: emptyTables(),
      batches: [],
      flushed: 0,
      underWay: undefined,
      epoch: 0,
      holder: undefined,
      isLocked: () => state.holder !== undefined,
      crash: ({ keepsTail }) => crash(state, keepsTail)
    }
    states.set(state, state)
    return state
  })

const stateOf = (store: MemoryStore): State => {
  const state = states.get(store)
  if (state === undefined) throw new Error(`${store.path} was not made by makeStore`)
  return state
}

const crash = (state: State, keepsTail: boolean): void => {
  if (state.batches.length > state.flushed) {
    state.batches.length = state.flushed
    state.tables = emptyTables()
    for (const batch of state.batches) write(state.tables, batch)
  }
  if (keepsTail && state.underWay !== undefined) flush(state, state.underWay)
  state.underWay = undefined
  state.holder = undefined
}

const flush = (state: State, batch: Batch): void => {
  write(state.tables, batch)
  state.batches.push(batch)
  state.flushed = state.batches.length
}

export interface StoreOptions {
  readonly tuning?: Partial<Tuning>
  /** Default: every commit is done at once. */
  readonly faults?: StoreFaults
}

const healthy: StoreFaults = { commit: () => ({ fate: "done", millis: 0 }) }

/** Writes the store under a new epoch. Its lock is freed when the scope closes, or by `crash`. */
export const layerOn = (store: MemoryStore, options: StoreOptions = {}): Layer.Layer<Journal, JournalLocked> =>
  Layer.effect(Journal, Effect.map(openParts(store, options), makeJournal))

export interface InlineOptions extends StoreOptions {
  /** Projections that are folded in every append's transaction. */
  readonly inline: ReadonlyArray<AnyProjection>
}

/** Like {@link layerOn}, with inline projections, brought up to the head before the layer is ready. */
export const layerWith = (
  store: MemoryStore,
  options: InlineOptions
): Layer.Layer<Journal, JournalLocked | JournalUnavailable | ProjectionTaken | EventUndecodable> =>
  Layer.effect(
    Journal,
    Effect.flatMap(openParts(store, options), (parts) => openInline(parts, options.inline))
  )

const openParts = Effect.fnUntraced(function* (store: MemoryStore, { faults = healthy, tuning }: StoreOptions) {
  const state = stateOf(store)
  const { id, createdAtMillis } = state
  const { hubCapacity, pageSize } = { ...defaults, ...tuning }
  yield* takeOwnership(state)
  const storage = yield* openMemoryStorage({
    id,
    createdAtMillis,
    epoch: ++state.epoch,
    tables: () => state.tables,
    commit: (decide) => commit(state, faults, decide)
  })
  const hub = yield* makeHub(hubCapacity)
  const submit = yield* makeWriter(storage, hub)
  return { storage, hub, pageSize, submit }
})

const takeOwnership = (state: State): Effect.Effect<void, JournalLocked, Scope.Scope> => {
  const holder = {}
  return Effect.acquireRelease(
    Effect.suspend(() => {
      if (state.holder !== undefined) return Effect.fail(new JournalLocked({ path: state.path }))
      state.holder = holder
      return Effect.void
    }),
    () =>
      Effect.sync(() => {
        if (state.holder === holder) state.holder = undefined
      })
  )
}

/** One at a time, by the writer; so what is decided on stays true until it is written. */
const commit = (
  state: State,
  faults: StoreFaults,
  decide: (lookup: Lookup) => Batch
): Effect.Effect<void, JournalUnavailable> =>
  Effect.suspend(() => {
    const batch = decide(lookup(state.tables))
    if (isEmpty(batch)) return Effect.void
    const { fate, millis } = faults.commit()
    if (fate !== "disk-full" && fate !== "lost") state.underWay = batch
    const pause = millis > 0 ? Effect.sleep(millis) : Effect.void
    return Effect.andThen(
      pause,
      Effect.suspend(() => settle(state, batch, fate))
    )
  })

const settle = (state: State, batch: Batch, fate: CommitFate): Effect.Effect<void, JournalUnavailable> => {
  state.underWay = undefined
  switch (fate) {
    case "done":
      flush(state, batch)
      return Effect.void
    case "unflushed":
      write(state.tables, batch)
      state.batches.push(batch)
      return Effect.void
    case "unanswered":
      flush(state, batch)
      return refused(state, "CommitFailed")
    case "lost":
      return refused(state, "CommitFailed")
    case "disk-full":
      return refused(state, "DiskFull")
  }
}

const refused = ({ path }: State, reason: "CommitFailed" | "DiskFull") =>
  Effect.fail(new JournalUnavailable({ operation: "append to", reason, detail: `simulated: ${reason}`, path }))

/** How often a reader looks for what a writer in another process has committed. */
const pollMillis = 25

/** Reads and follows a store that a writer, in this process or another, may hold. Appending fails `ReadOnly`. */
export const layerReaderOn = (store: MemoryStore): Layer.Layer<Journal> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const state = stateOf(store)
      const { path, id, createdAtMillis } = state
      const refusal = new JournalUnavailable({
        operation: "append to",
        reason: "ReadOnly",
        detail: "it was opened by a reader",
        path
      })
      const storage = yield* openMemoryStorage({
        id,
        createdAtMillis,
        epoch: state.epoch,
        tables: () => state.tables,
        commit: () => Effect.fail(refusal)
      })
      const hub = yield* makeHub(defaults.hubCapacity)
      yield* Effect.forkScoped(watch(state, hub))
      return makeJournal({ storage, hub, pageSize: defaults.pageSize, submit: () => Effect.fail(refusal) })
    })
  )

/** By polling, as between processes: a writer must not run its readers' fibers. */
const watch = (state: State, hub: Hub) => {
  let known = 0
  return Effect.suspend(() => {
    const head = state.tables.rows.length
    const changed = head !== known
    known = head
    return changed ? PubSub.publish(hub, { _tag: "Wake" }) : Effect.void
  }).pipe(Effect.andThen(Effect.sleep(pollMillis)), Effect.forever)
}
