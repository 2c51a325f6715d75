/**
 * What one process of the simulated machine gets instead of the real surroundings: /proc and files, workspaces, uid leases, journals
 * by path, and its own connection to the engine. Each behaves as its original, with the machine's latencies and faults.
 */
import { Engine, type EngineShape } from "@sbx/engine/Engine"
import { EngineTimeout } from "@sbx/engine/EngineError"
import { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as MemoryStore from "@sbx/journal/MemoryStore"
import { Context, Effect, Fiber, FileSystem, Layer } from "effect"
import { systemError } from "effect/PlatformError"
import { JournalFiles } from "../../src/JournalFiles.ts"
import * as Owner from "../../src/Owner.ts"
import * as SandboxLabels from "../../src/SandboxLabels.ts"
import { type LeaseRow, UidLeases } from "../../src/UidLease.ts"
import { volumeDeadlineMillis, type WorkspaceRequest, Workspaces } from "../../src/Workspace.ts"
import { guard } from "./guard.ts"
import { holderOf, type Identity, isAlive, type Machine, pidNamespace, violate } from "./machine.ts"
import type { Plant } from "./plants.ts"

export type Services = Engine | Workspaces | UidLeases | FileSystem.FileSystem

/** All of it for one process. */
export const layerOf = (machine: Machine, self: Identity, plant: Plant): Layer.Layer<Services> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const client = machine.engine.connect({ name: self.name, timeoutMillis: 60_000 })
      yield* machine.world.atDeath(client.disconnect)
      const engine = guard(machine, self, plant.engine?.(client.engine) ?? client.engine)
      return Context.empty().pipe(
        Context.add(Engine, engine),
        Context.add(FileSystem.FileSystem, filesOf(machine, self, plant)),
        Context.add(
          Workspaces,
          workspacesOf({ machine, engine, underWay: new Map(), attachesMeanwhile: self.pid % 5 === 1 })
        ),
        Context.add(UidLeases, leasesOf(machine, self, engine)),
        Context.add(JournalFiles, journalsOf(machine, self, plant))
      )
    })
  )

const notFound = (path: string) =>
  systemError({ _tag: "NotFound", module: "FileSystem", method: "open", pathOrDescriptor: path })

const filesOf = (machine: Machine, self: Identity, { seesNobody }: Plant): FileSystem.FileSystem => {
  const statOf = (pid: string) => {
    const other = seesNobody === true ? undefined : holderOf(machine, Number(pid))
    const identity = pid === "self" || pid === String(self.pid) ? self : other
    if (identity === undefined) return undefined
    const between = Array.from({ length: 18 }, () => "0").join(" ")
    return `${identity.pid} (sbx (sim)) S ${between} ${identity.startTicks} 0 0`
  }
  const textOf = (path: string) => {
    if (path === "/proc/sys/kernel/random/boot_id") return `${machine.bootId}\n`
    const [, pid] = /^\/proc\/(self|\d+)\/stat$/.exec(path) ?? []
    return pid === undefined ? undefined : statOf(pid)
  }
  return FileSystem.makeNoop({
    readFileString: (path) =>
      Effect.suspend(() => {
        const text = textOf(path)
        return text === undefined ? Effect.fail(notFound(path)) : Effect.succeed(text)
      }),
    readLink: () => Effect.succeed(`pid:[${pidNamespace}]`),
    exists: (path) => Effect.sync(() => machine.stores.has(path)),
    realPath: (path) =>
      Effect.suspend(() => (machine.stores.has(path) ? Effect.succeed(path) : Effect.fail(notFound(path)))),
    readDirectory: (directory) =>
      Effect.sync(() =>
        [...machine.stores.keys()]
          .filter((path) => path.startsWith(`${directory}/`))
          .map((path) => path.split("/")[2] ?? "")
      )
  })
}

/** Attaching and detaching are commands of the host, which go on when whoever ran them dies. */
const hostCommand = ({ world, chance }: Machine, longestMillis: number, done: () => void) =>
  world.call(Effect.uninterruptible(Effect.andThen(Effect.sleep(chance.below(longestMillis)), Effect.sync(done))))

interface Host {
  readonly machine: Machine
  readonly engine: EngineShape
  /** What is being attached, by volume. */
  readonly underWay: Map<string, Fiber.Fiber<void>>
  readonly attachesMeanwhile: boolean
}

const workspacesOf = (host: Host): Workspaces["Service"] => {
  const { machine, engine, underWay } = host
  const remove = (volume: string) =>
    Effect.suspend(() => {
      const attached = underWay.get(volume)
      return attached === undefined ? Effect.void : Fiber.await(attached)
    }).pipe(
      Effect.andThen(engine.removeVolume(volume)),
      Effect.andThen(hostCommand(machine, 50, () => void machine.images.delete(volume)))
    )
  return Workspaces.of({
    diskObstacle: undefined,
    choose: (requested) => Effect.succeed(requested === "auto" ? "disk" : requested),
    create: (request) => createWorkspace(host, request),
    remove,
    removeAll: (volumes) =>
      Effect.gen(function* () {
        const left = new Map<string, string>()
        for (const volume of volumes) {
          yield* Effect.match(remove(volume), {
            onSuccess: () => undefined,
            onFailure: ({ message }) => void left.set(volume, message)
          })
        }
        return left
      }),
    images: Effect.sync(() => [...machine.images])
  })
}

/**
 * As the original: not interruptible, bounded, and what the engine makes late is the caller's to remove. One process in five attaches
 * while the engine works, and has the volume made with the container, as one does whose files the engine sees.
 */
const createWorkspace = Effect.fnUntraced(function* (
  { machine, engine, underWay, attachesMeanwhile }: Host,
  { kind, volume, labels }: WorkspaceRequest
) {
  const attach = kind === "disk" ? hostCommand(machine, 400, () => void machine.images.add(volume)) : Effect.void
  const attached = yield* Effect.forkDetach(attach)
  underWay.set(volume, attached)
  if (attachesMeanwhile) return { create: { labels, driverOptions: {} }, ready: Fiber.join(attached) }
  yield* Fiber.join(attached)
  yield* engine.createVolume({ name: volume, labels }).pipe(
    Effect.interruptible,
    Effect.timeoutOrElse({
      duration: volumeDeadlineMillis,
      orElse: () => Effect.fail(new EngineTimeout({ operation: "create volume", timeoutMillis: volumeDeadlineMillis }))
    })
  )
  return { ready: Effect.void }
}, Effect.uninterruptible)

const firstUid = 100_000

const leasesOf = (machine: Machine, self: Identity, engine: EngineShape): UidLeases["Service"] => {
  const { leases } = machine
  const acquire = (sandbox: string) =>
    Effect.sync(() => {
      let uid = firstUid
      while (leases.has(uid)) uid++
      leases.set(uid, { uid, sandbox, owner: self.owner })
      return uid
    })
  const release = (uid: number, sandbox: string) =>
    Effect.sync(() => {
      if (leases.get(uid)?.sandbox === sandbox) leases.delete(uid)
    })
  const recover = Effect.gen(function* () {
    const dead = [...leases.values()].filter(({ owner }) => !isAlive(machine, owner))
    if (dead.length === 0) return []
    const containers = yield* engine.listContainers(SandboxLabels.ours)
    const streams = new Set(containers.map(({ labels }) => labels[SandboxLabels.keys.stream]))
    const free = dead.filter(({ sandbox }) => !streams.has(`sandbox/${sandbox}`))
    for (const { uid, sandbox } of free) yield* release(uid, sandbox)
    return free
  })
  return UidLeases.of({
    acquire,
    release,
    recover,
    lease: (sandbox) => Effect.acquireRelease(acquire(sandbox), (uid) => release(uid, sandbox)),
    list: Effect.sync((): ReadonlyArray<LeaseRow> => [...leases.values()]),
    boots: Effect.sync(() => [...new Set(machine.identities.map(({ bootId }) => bootId))])
  })
}

const missing = (path: string) =>
  new JournalUnavailable({ operation: "open", reason: "NotFound", detail: "there is no such file", path })

/** Journals of the machine's disk; a writer's lock is freed and its commit decided when its process dies. */
const journalsOf = (machine: Machine, self: Identity, plant: Plant): JournalFiles => {
  const holding = new Set<MemoryStore.MemoryStore>()
  const opened = (store: MemoryStore.MemoryStore) =>
    Layer.effect(
      Journal,
      Effect.gen(function* () {
        const journal = yield* Journal
        const opening = `epoch ${journal.epoch} of ${store.path}`
        const other = machine.openings.get(opening)
        if (other !== undefined) violate(machine, `${self.name} has ${opening}, as ${other} had`)
        machine.openings.set(opening, self.name)
        yield* Effect.acquireRelease(
          Effect.sync(() => holding.add(store)),
          () => Effect.sync(() => holding.delete(store))
        )
        const acknowledged = { ...journal, append: acknowledge(machine, self, store.path, journal) }
        return plant.journal?.(acknowledged) ?? acknowledged
      })
    ).pipe(
      Layer.provide(
        MemoryStore.layerOn(store, {
          faults: plant.store?.(machine.storeFaults) ?? machine.storeFaults,
          tuning: { hubCapacity: 2, pageSize: 7 }
        })
      )
    )
  return {
    layerWriter: (path) =>
      Layer.unwrap(
        Effect.gen(function* () {
          const store = machine.stores.get(path) ?? (yield* MemoryStore.makeStore(path))
          machine.stores.set(path, store)
          yield* machine.world.atDeath(() => {
            if (holding.delete(store)) store.crash({ keepsTail: machine.chance.next() < 0.5 })
          })
          return opened(store)
        })
      ),
    layerReader: (path) =>
      Layer.unwrap(
        Effect.suspend(() => {
          const store = machine.stores.get(path)
          return store === undefined ? Effect.fail(missing(path)) : Effect.succeed(MemoryStore.layerReaderOn(store))
        })
      ),
    isLocked: (path) => Effect.sync(() => machine.stores.get(path)?.isLocked() ?? false)
  }
}

const acknowledge =
  ({ acks }: Machine, self: Identity, path: string, journal: Journal["Service"]): Journal["Service"]["append"] =>
  (stream, events, options) =>
    Effect.tap(journal.append(stream, events, options), ({ first }) =>
      Effect.sync(() => void acks.push({ path, by: self.name, stream, first, types: events.map(({ type }) => type) }))
    )

/** Label of an owner of another machine: nobody here may judge it. */
export const foreignOwner = Owner.toLabel({
  bootId: "ffffffff-0000-4000-8000-000000000000",
  pidNamespace,
  pid: 1,
  startTicks: "1"
})
