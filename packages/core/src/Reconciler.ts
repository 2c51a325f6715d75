/**
 * Makes engine, machine and journals agree again, whatever died in between: level-triggered, so it needs no memory and may run
 * at any time, as often as one likes. Never touches what a live owner holds, what another machine holds, or what bears no label of ours.
 */
import { Engine } from "@sbx/engine/Engine"
import type { CallError, EngineConflict } from "@sbx/engine/EngineError"
import type { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { removeEmptyCgroups } from "./internal/cgroupLeftovers.ts"
import { adopt, continueOwn, type JournalFindings, look } from "./internal/reconcileJournal.ts"
import {
  isDeserted,
  parallel,
  survey,
  type SurveyedObject,
  type SurveyTools,
  type Ward
} from "./internal/reconcileSurvey.ts"
import * as Owner from "./Owner.ts"
import * as SandboxLabels from "./SandboxLabels.ts"
import { type LeaseStoreFailed, UidLeases } from "./UidLease.ts"
import type { PendingUndos } from "./UndoRunner.ts"
import { Workspaces } from "./Workspace.ts"

export const ReconciledObject = Schema.Struct({
  kind: Schema.Literals(["container", "volume", "network", "image"]),
  id: Schema.String,
  name: Schema.String,
  journal: Schema.String,
  journalPath: Schema.String,
  stream: Schema.String,
  owner: Schema.String,
  reason: Schema.String
})

/** JSON of `reap --json`. */
export const ReconcileReport = Schema.Struct({
  dryRun: Schema.Boolean,
  /** Objects that belong to nobody alive, as found. */
  objects: Schema.Array(ReconciledObject),
  /** Streams whose create may still happen in the engine; look again after `untilMillis`. */
  inDoubt: Schema.Array(
    Schema.Struct({ journalPath: Schema.String, stream: Schema.String, untilMillis: Schema.Finite })
  ),
  /** Names of what was removed; empty in a dry run. */
  removed: Schema.Array(Schema.String),
  /** Streams of dead runs that were closed under a new epoch. */
  settled: Schema.Array(Schema.String),
  /** Ids of disturbances that were undone; in a dry run, that would be. */
  undone: Schema.Array(Schema.String),
  /** Ours, but only their own machine can tell. */
  foreign: Schema.Array(ReconciledObject),
  failures: Schema.Array(Schema.String)
})
export type ReconcileReport = typeof ReconcileReport.Type

export interface ReconcileOptions {
  /** Look, and change nothing. */
  readonly dryRun: boolean
  /** Directories that hold one directory with a `journal.sqlite` for each run. Journals named by labels are found anyway. */
  readonly runDirectories?: ReadonlyArray<string>
  /** The journal of this process: its open streams are in use, its closed ones are not. */
  readonly own?: Journal["Service"]
  readonly pendingUndos?: PendingUndos
  /** Look at what this process made and at its journal, and at nothing else. */
  readonly only?: Ward
  /** Wait for creates in doubt to be decided, at most for one create deadline. Default false. */
  readonly settle?: boolean
}

export type { Ward }

export type ReconcileError = CallError | JournalUnavailable | LeaseStoreFailed

export class Reconciler extends Context.Service<
  Reconciler,
  {
    readonly reconcile: (options: ReconcileOptions) => Effect.Effect<ReconcileReport, ReconcileError>
    /** Every 10 s, and whenever the engine's event stream breaks; ends with its fiber. Failures are logged and tried again. */
    readonly keepReconciled: (options: Omit<ReconcileOptions, "dryRun">) => Effect.Effect<never>
  }
>()("@sbx/core/Reconciler") {}

export const layer: Layer.Layer<
  Reconciler,
  CallError | Owner.OwnerUnknown,
  Engine | Workspaces | UidLeases | FileSystem
> = Layer.effect(
  Reconciler,
  Effect.gen(function* () {
    const engine = yield* Engine
    const fs = yield* FileSystem
    const { id: engineId } = yield* engine.info
    const self = yield* Owner.current
    const tools: SurveyTools = { engine, workspaces: yield* Workspaces, leases: yield* UidLeases, self }
    const reconcile = (options: ReconcileOptions) =>
      rounds(tools, engineId, options).pipe(Effect.provideService(FileSystem, fs))
    return Reconciler.of({
      reconcile,
      keepReconciled: (options) => keep(engine, reconcile({ ...options, dryRun: false }))
    })
  })
)

const period = "10 seconds"
/** One create deadline, and the time to look. */
const settleDeadline = "12 seconds"

const keep = (
  engine: Engine["Service"],
  once: Effect.Effect<ReconcileReport, ReconcileError>
): Effect.Effect<never> => {
  // Events are hints: their loss means that something may have been missed, not what.
  const broken = Effect.ignore(Stream.runDrain(engine.events({ labels: SandboxLabels.ours })))
  return once.pipe(
    Effect.catch((error) => Effect.logWarning(error.message)),
    Effect.andThen(Effect.timeoutOption(Effect.andThen(broken, Effect.sleep("1 second")), period)),
    Effect.forever
  )
}

const rounds = (tools: SurveyTools, engineId: string, options: ReconcileOptions) => {
  if (options.settle !== true || options.dryRun) return round(tools, engineId, options)
  return Effect.gen(function* () {
    let total = yield* round(tools, engineId, options)
    const again = Effect.map(round(tools, engineId, options), (next) => void (total = merge(total, next)))
    const isSettled = () => total.inDoubt.length === 0
    if (isSettled()) return total
    yield* again.pipe(
      Effect.repeat({ until: isSettled, schedule: Schedule.spaced("500 millis") }),
      Effect.timeoutOption(settleDeadline)
    )
    return total
  })
}

/** What is open is as the last look found it; what was done adds up. */
const merge = (before: ReconcileReport, after: ReconcileReport): ReconcileReport => ({
  ...after,
  objects: [...before.objects, ...after.objects],
  removed: [...before.removed, ...after.removed],
  settled: [...before.settled, ...after.settled],
  undone: [...before.undone, ...after.undone],
  failures: [...before.failures, ...after.failures]
})

const round = Effect.fnUntraced(function* (
  tools: SurveyTools,
  engineId: string,
  options: ReconcileOptions
): Effect.fn.Return<ReconcileReport, ReconcileError, FileSystem> {
  const { dryRun, own, only } = options
  const { orphans, foreign, streams } = yield* survey(tools, own, only)
  const settleTools = { ...tools, streams, networks: orphans.filter(({ kind }) => kind === "network") }
  const { deserted, busy } = yield* journalsOf(orphans, options)
  const isMine = ({ journal, journalPath }: SurveyedObject) => journal === own?.id || !busy.has(journalPath)
  // Before the sandboxes whose cgroups they are nested in, which go with their streams.
  const sidecars = orphans.filter(
    (object) => object.kind === "container" && object.role === "sidecar" && isMine(object)
  )
  const first = dryRun ? nothing : yield* removeAll(tools, sidecars)
  const dead = yield* Effect.forEach(deserted, (path) =>
    (dryRun ? look : adopt)(settleTools, path, engineId, options.pendingUndos)
  )
  const inherited = own === undefined ? [] : [yield* continueOwn(settleTools, own, engineId, dryRun)]
  const findings: ReadonlyArray<JournalFindings> = [...dead, ...inherited]
  const settled = findings.flatMap((finding) => finding.settled)
  const awaited = awaitedVolumes(orphans.filter(isMine), new Set(settled), yield* Clock.currentTimeMillis)
  const inDoubt = withoutRepeats([...findings.flatMap((finding) => finding.inDoubt), ...awaited])
  const doubted = new Set(inDoubt.map(({ stream }) => stream))
  // Also what streams in doubt have by now, such as the container that was to be replaced: it goes, and again if it comes back.
  const objects = orphans.filter(isMine)
  const rest = objects.filter((object) => !sidecars.includes(object))
  const sure = ofStreams(rest, doubted, false)
  const removed = dryRun ? nothing : yield* removeAll(tools, sure, remade(sure, settled))
  const early = dryRun ? nothing : yield* removeAll(tools, ofStreams(rest, doubted, true))
  if (!dryRun) removeCgroups(objects)
  if (!dryRun) yield* tools.leases.recover
  return {
    dryRun,
    objects,
    inDoubt,
    removed: [
      ...new Set([...first.names, ...findings.flatMap((finding) => finding.removed), ...removed.names, ...early.names])
    ],
    settled,
    undone: findings.flatMap((finding) => finding.undone),
    foreign,
    // What was refused early may be held by a container in the making; while that is in doubt it is tried again.
    failures: [...first.failures, ...findings.flatMap((finding) => finding.failures), ...removed.failures]
  }
})

type Doubt = JournalFindings["inDoubt"][number]

const withoutRepeats = (doubts: ReadonlyArray<Doubt>): ReadonlyArray<Doubt> => [
  ...new Map(doubts.map((doubt) => [doubt.stream, doubt])).values()
]

/**
 * Volumes without a container, of streams that could not be settled (no journal, an engine that refused to be asked): a create that is
 * still under way would make the volume again, without labels, so they stay until the create deadline.
 */
const awaitedVolumes = (orphans: ReadonlyArray<SurveyedObject>, settled: ReadonlySet<string>, now: number) => {
  const created = new Set(orphans.filter(({ kind }) => kind === "container").map(({ stream }) => stream))
  return orphans
    .filter(({ kind, stream, deadlineMillis }) => {
      return kind === "volume" && now < deadlineMillis && !created.has(stream) && !settled.has(stream)
    })
    .map(({ journalPath, stream, deadlineMillis }): Doubt => ({ journalPath, stream, untilMillis: deadlineMillis }))
}

/**
 * Journals that orphans name and those in the run directories. `busy`: written by somebody although the owner is dead, so by
 * another reconciler, which will remove the objects.
 */
const journalsOf = Effect.fnUntraced(function* (orphans: ReadonlyArray<SurveyedObject>, options: ReconcileOptions) {
  const fs = yield* FileSystem
  const { only, runDirectories = [] } = options
  const inDirectories = yield* Effect.forEach(runDirectories, (directory) =>
    fs.readDirectory(directory).pipe(
      Effect.map((names) => names.map((name) => `${directory}/${name}/journal.sqlite`)),
      Effect.orElseSucceed(() => [])
    )
  )
  const named = only === undefined ? inDirectories.flat() : [only.journalPath]
  const deserted = new Set<string>()
  const busy = new Set<string>()
  const others = orphans.filter((object) => object.journal !== options.own?.id)
  for (const path of new Set([...others.map((object) => object.journalPath), ...named])) {
    // One journal may be reached by several paths, such as the link to the last run.
    const real = yield* fs.realPath(path).pipe(Effect.orElseSucceed(() => ""))
    if (real === "" || !path.startsWith("/")) continue
    if (yield* isDeserted(real)) deserted.add(real)
    else busy.add(path)
  }
  return { deserted: [...deserted], busy }
})

const nothing = { names: [], failures: [] }

const ofStreams = (objects: ReadonlyArray<SurveyedObject>, streams: ReadonlySet<string>, inside: boolean) =>
  objects.filter(({ stream }) => streams.has(stream) === inside)

type RemoveError = CallError | EngineConflict

const removeCgroups = (objects: ReadonlyArray<SurveyedObject>) => {
  for (const { kind, id } of objects) if (kind === "container") removeEmptyCgroups(id)
}

/**
 * Volumes of containers that no stream accounts for now: an engine that creates one after its volume was removed has made another of
 * that name, without labels. Once the container is gone, nothing else tells whose that is.
 */
const remade = (objects: ReadonlyArray<SurveyedObject>, settled: ReadonlyArray<string>) =>
  objects
    .filter(({ kind, role, stream }) => kind === "container" && role === "sandbox" && !settled.includes(stream))
    .map(({ journal, stream }) => SandboxLabels.volumeName(journal, stream.slice(stream.indexOf("/") + 1)))

/** Containers first: they hold the others. Most of it is gone already, with its stream; absent is success. */
const removeAll = Effect.fnUntraced(function* (
  tools: SurveyTools,
  objects: ReadonlyArray<SurveyedObject>,
  alsoVolumes: ReadonlyArray<string> = []
) {
  const names: Array<string> = []
  const failures: Array<string> = []
  const removeEach = (kind: SurveyedObject["kind"], remove: (id: string) => Effect.Effect<void, RemoveError>) =>
    Effect.forEach(
      objects.filter((object) => object.kind === kind),
      ({ id, name }) =>
        Effect.match(remove(id), {
          onSuccess: () => void names.push(name),
          onFailure: (error) => void failures.push(error.message)
        }),
      { ...parallel, discard: true }
    )
  yield* removeEach("container", tools.engine.removeContainer)
  yield* removeEach("network", tools.engine.removeNetwork)
  const known = objects.flatMap(({ kind, name }) => (kind === "volume" || kind === "image" ? [name] : []))
  const workspaces = [...new Set([...known, ...alsoVolumes])]
  const left = yield* tools.workspaces.removeAll(workspaces)
  names.push(...known.filter((name) => !left.has(name)))
  return { names, failures: [...failures, ...left.values()] }
})
