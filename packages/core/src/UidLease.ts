/**
 * One numeric uid for each live sandbox, unique over all processes of this machine that use the same engine and state
 * directory: per-uid kernel limits are then nobody else's. Refuses to hand out a uid that a container may still run under.
 */
import { Engine } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as LeaseStore from "./internal/leaseStore.ts"
import * as Owner from "./Owner.ts"
import * as SandboxLabels from "./SandboxLabels.ts"
import { StateDir } from "./StateDir.ts"

/** All 65536 uids of the range are leased. */
export class UidsExhausted extends Schema.TaggedError<UidsExhausted>()("UidsExhausted", { engine: Schema.String }) {
  readonly retryable = true
  override get message() {
    return `Could not lease a uid on engine ${this.engine}: all ${LeaseStore.lastUid - LeaseStore.firstUid + 1} are taken.\nRemove sandboxes, or run \`./sbx reap\`.`
  }
}

/** The lease table cannot be read or written. */
export class LeaseStoreFailed extends Schema.TaggedError<LeaseStoreFailed>()("LeaseStoreFailed", {
  path: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `Could not use the uid leases in ${this.path}: ${this.detail}.\nMake the state directory writable (SBX_STATE_DIR) and free space on its disk.`
  }
}

export type LeaseRow = LeaseStore.LeaseRow

/** The first lease of a process asks the engine which stale ones can be recovered. */
export type AcquireError = UidsExhausted | LeaseStoreFailed | CallError

export class UidLeases extends Context.Service<
  UidLeases,
  {
    /** Given back when the scope closes. */
    readonly lease: (sandboxId: string) => Effect.Effect<number, AcquireError, Scope.Scope>
    /** Like `lease`, given back by `release`: for a holder that must first see its container gone. */
    readonly acquire: (sandboxId: string) => Effect.Effect<number, AcquireError>
    /** Absent is success. */
    readonly release: (uid: number, sandboxId: string) => Effect.Effect<void, LeaseStoreFailed>
    /** All leases on this engine, of all processes. */
    readonly list: Effect.Effect<ReadonlyArray<LeaseRow>, LeaseStoreFailed>
    /**
     * Boot ids (`Owner`) of this machine in which a uid was leased: the table lies on its disk, so an owner of one of them that
     * is not the present one is dead, though its lease and journal be gone.
     */
    readonly boots: Effect.Effect<ReadonlyArray<string>, LeaseStoreFailed>
    /** Takes back the leases of dead owners that no container is labelled with. Resolves to what was taken back. */
    readonly recover: Effect.Effect<ReadonlyArray<LeaseRow>, LeaseStoreFailed | CallError>
  }
>()("@sbx/core/UidLease") {}

/** Leases in `<state directory>/leases.sqlite`; stale ones are recovered before the first is given, so that looking changes nothing. */
export const layer: Layer.Layer<
  UidLeases,
  CallError | LeaseStoreFailed | Owner.OwnerUnknown,
  Engine | StateDir | FileSystem
> = Layer.effect(
  UidLeases,
  Effect.gen(function* () {
    const engine = yield* Engine
    const fs = yield* FileSystem
    const { path } = yield* StateDir
    const { id } = yield* engine.info
    const owner = yield* Owner.current
    const file = `${path}/leases.sqlite`
    const store = yield* Effect.acquireRelease(
      attempt(file, () => LeaseStore.open(file)),
      (open) => Effect.sync(() => open.close())
    )
    const table: Table = { engine, store, file, engineId: id, owner }
    let isFirst = true
    const recoverStale = recover(table).pipe(
      Effect.tap(() => Effect.sync(() => void (isFirst = false))),
      Effect.provideService(FileSystem, fs)
    )
    const acquireOne = (sandboxId: string) =>
      Effect.suspend(() => (isFirst ? recoverStale : Effect.void)).pipe(Effect.andThen(acquire(table, sandboxId)))
    const service = UidLeases.of({
      acquire: acquireOne,
      release: (uid, sandboxId) => attempt(file, () => store.give(id, uid, sandboxId)),
      lease: (sandboxId) =>
        Effect.acquireRelease(acquireOne(sandboxId), (uid) =>
          Effect.ignore(service.release(uid, sandboxId), { log: "Warn" })
        ),
      list: attempt(file, () => store.rows(id)),
      boots: attempt(file, () => store.boots()),
      recover: recoverStale
    })
    return service
  })
)

interface Table {
  readonly engine: Engine["Service"]
  readonly store: LeaseStore.LeaseStore
  readonly file: string
  readonly engineId: string
  readonly owner: Owner.Owner
}

const attempt = <A>(path: string, body: () => A): Effect.Effect<A, LeaseStoreFailed> =>
  Effect.try({
    try: body,
    catch: (cause) => new LeaseStoreFailed({ path, detail: cause instanceof Error ? cause.message : String(cause) })
  })

const acquire = (table: Table, sandboxId: string) =>
  attempt(table.file, () => table.store.take(table.engineId, sandboxId, Owner.toLabel(table.owner))).pipe(
    Effect.filterOrFail(
      (uid) => uid !== undefined,
      () => new UidsExhausted({ engine: table.engineId })
    )
  )

const recover = Effect.fnUntraced(function* (
  table: Table
): Effect.fn.Return<ReadonlyArray<LeaseRow>, LeaseStoreFailed | CallError, FileSystem> {
  const rows = yield* attempt(table.file, () => table.store.rows(table.engineId))
  // A process holds many leases and is asked for once.
  const owners = [...new Set(rows.map((row) => row.owner))]
  const gone = new Set(yield* Effect.filter(owners, (owner) => isDead(owner, table.owner)))
  const dead = rows.filter((row) => gone.has(row.owner))
  // Without the dead there is nothing to ask the engine for.
  if (dead.length === 0) return []
  const containers = yield* table.engine.listContainers(SandboxLabels.ours)
  const streams = new Set(containers.map((container) => container.labels[SandboxLabels.keys.stream]))
  const free = dead.filter((row) => !streams.has(`sandbox/${row.sandbox}`))
  yield* Effect.forEach(free, (row) =>
    attempt(table.file, () => table.store.give(table.engineId, row.uid, row.sandbox))
  )
  return free
})

/** The table lies on this machine's disk, so an owner of another boot died with it. */
const isDead = (label: string, self: Owner.Owner) => {
  const owner = Owner.fromLabel(label)
  if (owner === undefined) return Effect.succeed(false)
  if (owner.bootId !== self.bootId) return Effect.succeed(true)
  return Effect.map(Owner.liveness(owner), (state) => state === "dead")
}
