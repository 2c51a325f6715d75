/** What sbx's objects are in an engine and on this machine, and whose: only what belongs to nobody alive is an orphan. */
import type { Engine } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import type { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Option from "effect/Option"
import { JournalFiles } from "../JournalFiles.ts"
import * as Owner from "../Owner.ts"
import * as SandboxLabels from "../SandboxLabels.ts"
import type { LeaseRow, LeaseStoreFailed, UidLeases } from "../UidLease.ts"
import type { Workspaces } from "../Workspace.ts"

/** Objects that are settled or removed at a time: a 20.10 engine does no more in parallel, and its other clients want their turn. */
export const parallel = { concurrency: 8 } as const

export interface SurveyTools {
  readonly engine: Engine["Service"]
  readonly workspaces: Workspaces["Service"]
  readonly leases: UidLeases["Service"]
  readonly self: Owner.Owner
}

export interface SurveyedObject {
  readonly kind: "container" | "volume" | "network" | "image"
  readonly role: SandboxLabels.ObjectRole
  readonly id: string
  readonly name: string
  /** Empty for an image, which has no labels. */
  readonly journal: string
  readonly journalPath: string
  readonly stream: string
  readonly owner: string
  /** Until then the engine may still create what the stream intended; 0 for an image. */
  readonly deadlineMillis: number
  /** Why it is an orphan, or why it is left alone. */
  readonly reason: string
}

/** All that is looked at, where it is not everything: what one process made. */
export interface Ward {
  /** Label of the process, see `Owner`. */
  readonly owner: string
  readonly journalId: string
  /** Absolute; empty for a journal in memory. */
  readonly journalPath: string
}

export interface Survey {
  readonly orphans: ReadonlyArray<SurveyedObject>
  /** Stream of each labelled container and volume that was listed, by its name. */
  readonly streams: ReadonlyMap<string, string>
  /** Ours, but its owner is another machine's or cannot be judged from here. */
  readonly foreign: ReadonlyArray<SurveyedObject>
}

type Labelled = Pick<SurveyedObject, "kind" | "id" | "name"> & { readonly labels: SandboxLabels.SandboxLabels }
type Judgement = { readonly side: "orphan" | "foreign" | "live"; readonly reason: string }

const decoded = (
  kind: SurveyedObject["kind"],
  objects: ReadonlyArray<{
    readonly id: string
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
  }>
): ReadonlyArray<Labelled> =>
  objects.flatMap(({ id, name, labels }) =>
    Option.match(SandboxLabels.decode(labels), {
      onNone: () => [],
      onSome: (ours) => [{ kind, id, name, labels: ours }]
    })
  )

/** Everything labelled as ours. What lacks a label of the set is not ours to touch. */
const labelled = Effect.fnUntraced(function* (
  engine: Engine["Service"]
): Effect.fn.Return<ReadonlyArray<Labelled>, CallError> {
  const [containers, volumes, networks] = yield* Effect.all(
    [
      engine.listContainers(SandboxLabels.ours),
      engine.listVolumes(SandboxLabels.ours),
      engine.listNetworks(SandboxLabels.ours)
    ],
    { concurrency: "unbounded" }
  )
  return [
    ...decoded("container", containers),
    ...decoded(
      "volume",
      volumes.map((volume) => ({ ...volume, id: volume.name }))
    ),
    ...decoded("network", networks)
  ]
})

/** `own` is the journal of this very process: what its open streams stand for is in use. */
export const survey = Effect.fnUntraced(function* (
  tools: SurveyTools,
  own: Journal["Service"] | undefined,
  only: Ward | undefined
): Effect.fn.Return<Survey, CallError | JournalUnavailable | LeaseStoreFailed, FileSystem> {
  // In this order: what is listed was leased and intended before, so by now its lease is there and its stream is open, or both are
  // over. The other way round, what was made in between would look like a leftover.
  const images = yield* tools.workspaces.images
  const everything = yield* labelled(tools.engine)
  const objects = only === undefined ? everything : everything.filter(({ labels }) => labels.owner === only.owner)
  const openStreams = own === undefined ? [] : yield* own.streams({ open: true })
  const open = new Set<string>(openStreams.map((stream) => stream.name))
  const rows = yield* tools.leases.list
  const machine: Machine = {
    self: tools.self,
    isPrivate: tools.engine.endpoint.kind === "private",
    owners: new Set(rows.map((row) => row.owner)),
    boots: new Set(yield* tools.leases.boots)
  }
  // One process has many objects and is asked for once.
  const judged = new Map<string, Owner.Liveness>()
  const orphans: Array<SurveyedObject> = []
  const foreign: Array<SurveyedObject> = []
  for (const object of objects) {
    const { side, reason } = yield* judge(machine, judged, object.labels, own, open)
    const { journal, journalPath, stream, owner, deadline: deadlineMillis } = object.labels
    const { kind, id, name } = object
    const found = {
      kind,
      role: object.labels.kind,
      id,
      name,
      journal,
      journalPath,
      stream,
      owner,
      deadlineMillis,
      reason
    }
    if (side === "orphan") orphans.push(found)
    if (side === "foreign") foreign.push(found)
  }
  const deserted = yield* orphanImages(tools.self, images, everything, rows)
  const streams = new Map(everything.map(({ name, labels }) => [name, labels.stream]))
  return { orphans: [...orphans, ...deserted.filter(({ name }) => isOf(only, name))], streams, foreign }
})

/** An image bears no label: its name tells the journal. */
const isOf = (only: Ward | undefined, image: string) =>
  only === undefined || image.startsWith(SandboxLabels.objectPrefix(only.journalId))

interface Machine {
  readonly self: Owner.Owner
  /** Only this machine's processes use a private engine. */
  readonly isPrivate: boolean
  /** Labels of owners that lease uids, or did: the table lies on this machine's disk. */
  readonly owners: ReadonlySet<string>
  /** Boots of this machine in which uids were leased, by the same table. */
  readonly boots: ReadonlySet<string>
}

/** Whether it is sure that an owner was a process of this machine before its last boot. */
const diedWithBoot = ({ self, isPrivate, owners, boots }: Machine, label: string): boolean => {
  const owner = Owner.fromLabel(label)
  if (owner === undefined || owner.bootId === self.bootId) return false
  return isPrivate || owners.has(label) || boots.has(owner.bootId)
}

const livenessOf = Effect.fnUntraced(function* (judged: Map<string, Owner.Liveness>, label: string) {
  const known = judged.get(label)
  if (known !== undefined) return known
  const owner = Owner.fromLabel(label)
  const found: Owner.Liveness = owner === undefined ? "unknown-other-host" : yield* Owner.liveness(owner)
  judged.set(label, found)
  return found
})

const judge = Effect.fnUntraced(function* (
  machine: Machine,
  judged: Map<string, Owner.Liveness>,
  labels: SandboxLabels.SandboxLabels,
  own: Journal["Service"] | undefined,
  open: ReadonlySet<string>
): Effect.fn.Return<Judgement, never, FileSystem> {
  if (labels.owner === Owner.toLabel(machine.self)) {
    const closed = labels.journal === own?.id && !open.has(labels.stream)
    return closed ? { side: "orphan", reason: "its stream is closed" } : { side: "live", reason: "its owner is we" }
  }
  const state = yield* livenessOf(judged, labels.owner)
  if (state === "alive") return { side: "live", reason: "its owner is alive" }
  if (state === "dead") return { side: "orphan", reason: "its owner is dead" }
  if (diedWithBoot(machine, labels.owner)) return { side: "orphan", reason: "its owner died with an earlier boot" }
  return (yield* isDeserted(labels.journalPath))
    ? { side: "orphan", reason: "its journal lies here and nobody writes it" }
    : { side: "foreign", reason: "its owner cannot be judged from here" }
})

/** The journal is on this machine and its writer's lock is free. */
export const isDeserted = Effect.fnUntraced(function* (path: string): Effect.fn.Return<boolean, never, FileSystem> {
  const fs = yield* FileSystem
  if (!path.startsWith("/") || !(yield* fs.exists(path).pipe(Effect.orElseSucceed(() => false)))) return false
  const { isLocked } = yield* JournalFiles
  return yield* isLocked(path).pipe(
    Effect.map((locked) => !locked),
    Effect.orElseSucceed(() => false)
  )
})

/** Images without a volume: made by a process that died before the engine heard of it, or left when a removal was cut short. */
const orphanImages = Effect.fnUntraced(function* (
  self: Owner.Owner,
  images: ReadonlyArray<string>,
  objects: ReadonlyArray<Labelled>,
  rows: ReadonlyArray<LeaseRow>
) {
  if (images.length === 0) return []
  const volumes = new Set(objects.filter(({ kind }) => kind === "volume").map(({ name }) => name))
  const labels = [...new Set(rows.map((row) => row.owner))]
  const owners = new Set(yield* Effect.filter(labels, (label) => holds(label, self)))
  const live = rows.filter((row) => owners.has(row.owner)).map((row) => row.sandbox)
  return images
    .filter((name) => !volumes.has(name) && !live.some((sandbox) => name.includes(sandbox)))
    .map((name): SurveyedObject => ({
      kind: "image",
      role: "volume",
      id: name,
      name,
      journal: "",
      journalPath: "",
      stream: "",
      owner: "",
      deadlineMillis: 0,
      reason: "no volume and no live lease belongs to it"
    }))
})

/** A lease of an owner that may be alive: all are this machine's, so none survived its last boot. */
const holds = (label: string, self: Owner.Owner) => {
  const owner = Owner.fromLabel(label)
  if (owner === undefined) return Effect.succeed(true)
  return owner.bootId !== self.bootId
    ? Effect.succeed(false)
    : Effect.map(Owner.liveness(owner), (state) => state !== "dead")
}
