/**
 * Makes sandboxes and answers for them: scoped, hardened by default, bounded in number, every step written ahead.
 * Closing a scope removes container, workspace and uid, also on interrupt. Refuses dangerous loosenings on an engine that is not sbx's own.
 */
import { Engine } from "@sbx/engine/Engine"
import type { CallError } from "@sbx/engine/EngineError"
import { Journal } from "@sbx/journal/Journal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type DangerousSandbox, permit } from "./Danger.ts"
import { Environment, layerConfig } from "./Environment.ts"
import * as Exec from "./Exec.ts"
import { assemble } from "./internal/sandboxAssemble.ts"
import * as ExecEnds from "./internal/execEnds.ts"
import * as Birth from "./internal/sandboxBirth.ts"
import type { SandboxContext } from "./internal/execStart.ts"
import * as Admission from "./internal/sandboxAdmission.ts"
import type { Ticket } from "./internal/sandboxAdmission.ts"
import * as ConcurrentClose from "./internal/concurrentClose.ts"
import { type Nursery, remember, rememberNursery } from "./internal/sandboxInternals.ts"
import * as Recorder from "./internal/sandboxRecorder.ts"
import * as Owner from "./Owner.ts"
import type { SandboxId } from "./Sandbox.ts"
import type { Sandbox } from "./SandboxHandle.ts"
import { make as makeId } from "./SandboxId.ts"
import * as SandboxLabels from "./SandboxLabels.ts"
import { type InvalidSandboxOptions, resolve, type SandboxDefaults, type SandboxOptions } from "./SandboxOptions.ts"
import * as SandboxRemoval from "./SandboxRemoval.ts"
import type { SandboxSpec, WorkspaceKind } from "./SandboxSpec.ts"
import * as StateDir from "./StateDir.ts"
import * as UidLease from "./UidLease.ts"
import * as Workspace from "./Workspace.ts"

/** As many sandboxes live as are allowed, and the caller asked not to wait. */
export class SandboxLimitReached extends Schema.TaggedError<SandboxLimitReached>()("SandboxLimitReached", {
  limit: Schema.Int
}) {
  readonly retryable = true
  override get message() {
    return `Could not make a sandbox: ${this.limit} are alive, which is the limit.\nClose one, or raise MAX_CONCURRENT_SANDBOXES.`
  }
}

/** This process has no such sandbox. */
export class SandboxNotFound extends Schema.TaggedError<SandboxNotFound>()("SandboxNotFound", {
  sandboxId: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not find sandbox ${this.sandboxId}: this process did not make it, or it was removed.`
  }
}

export type MakeError =
  | Birth.BirthError
  | InvalidSandboxOptions
  | DangerousSandbox
  | SandboxLimitReached
  | Workspace.WorkspaceUnsupported

export interface SandboxesOptions {
  /** Run that the sandboxes belong to, a label. */
  readonly run: string
  /** Absolute path of the journal, a label: a later process finds it there. */
  readonly journalPath: string
  /** Image of sandboxes that name none. */
  readonly image?: string
  /** Workspace of sandboxes that name none; `auto` falls back from disk to memory. Default `disk`. */
  readonly workspace?: WorkspaceKind | "auto"
  /** What the N+1-th does, unless an idle pooled one can make room. Default `wait`, in order of arrival. */
  readonly atLimit?: "wait" | "fail"
  /** Allow loosenings that put the engine's host at risk on any engine. Default: on the private engine only. */
  readonly allowDangerous?: boolean
  readonly outputLimitBytes?: number
}

export class Sandboxes extends Context.Service<
  Sandboxes,
  {
    /** Created and started when it resolves. */
    readonly make: (options?: SandboxOptions) => Effect.Effect<Sandbox, MakeError, Scope.Scope>
    /** A live sandbox of this process. */
    readonly get: (id: SandboxId) => Effect.Effect<Sandbox, SandboxNotFound>
    /** Live sandboxes of this process, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Sandbox>>
    /** Containers of this journal's sandboxes as the engine itself lists them. */
    readonly activeCount: Effect.Effect<number, CallError>
  }
>()("@sbx/core/Sandboxes") {}

export type Requirements = Engine | Journal | Workspace.Workspaces | UidLease.UidLeases | Environment | FileSystem

export const layerWith = (
  options: SandboxesOptions
): Layer.Layer<Sandboxes, CallError | Owner.OwnerUnknown | Workspace.WorkspaceUnsupported, Requirements> =>
  Layer.effect(
    Sandboxes,
    Effect.gen(function* () {
      const house = yield* makeHouse(options)
      const { live, midwife } = house
      const service = Sandboxes.of({
        make: (sandboxOptions = {}) => make(house, sandboxOptions),
        get: (sandboxId) =>
          Effect.suspend(() => {
            const sandbox = live.get(sandboxId)
            return sandbox === undefined ? Effect.fail(new SandboxNotFound({ sandboxId })) : Effect.succeed(sandbox)
          }),
        list: Effect.sync(() => [...live.values()]),
        activeCount: midwife.engine
          .listContainers({ [SandboxLabels.keys.journal]: midwife.journal.id, [SandboxLabels.keys.kind]: "sandbox" })
          .pipe(Effect.map((containers) => containers.length))
      })
      return rememberNursery(service, nurseryOf(house))
    })
  )

/**
 * With all that {@link layerWith} needs but the engine, the journal and the platform: settings from the process's environment,
 * shared state in `SBX_STATE_DIR`. Without a `journalPath` (a journal in memory) a later process still removes what a dead one
 * left, by its owner label, but cannot close its streams.
 */
export const layer = (options: Partial<SandboxesOptions> = {}) =>
  layerWith({ run: "library", journalPath: "", workspace: "auto", ...options }).pipe(
    Layer.provide(Layer.mergeAll(Workspace.layer, UidLease.layer)),
    Layer.provide(Layer.mergeAll(StateDir.layer, layerConfig()))
  )

interface House {
  readonly options: SandboxesOptions
  readonly settings: Environment["Service"]
  readonly midwife: Birth.Midwife
  readonly fs: FileSystem
  readonly defaults: SandboxDefaults
  readonly admission: Admission.Admission
  /** Held while a sandbox is made and started. */
  readonly births: Semaphore.Semaphore
  /** Of the engine. */
  readonly cores: number
  readonly live: Map<SandboxId, Sandbox>
  readonly execEnds: ExecEnds.ExecEnds
}

/**
 * More at a time start no sooner, as each start keeps a core of the engine busy; and what a killed process had asked for is made all
 * the same, after its death.
 */
const birthsPerCore = 4

/** What a pool makes its sandboxes with: the same, but with a place that it has asked for itself. */
const nurseryOf = (house: House): Nursery => ({
  admission: house.admission,
  atLimit: house.options.atLimit ?? "wait",
  engine: house.midwife.engine,
  journalId: house.midwife.journal.id,
  cores: house.cores,
  resolve: (options) => prepare(house, options),
  make: (spec, request) => bearWith(house, spec, request)
})

const makeHouse = Effect.fnUntraced(function* (options: SandboxesOptions) {
  const engine = yield* Engine
  const workspaces = yield* Workspace.Workspaces
  const settings = yield* Environment
  const info = yield* engine.info
  const midwife: Birth.Midwife = {
    engine,
    workspaces,
    journal: yield* Journal,
    leases: yield* UidLease.UidLeases,
    run: options.run,
    journalPath: options.journalPath,
    owner: Owner.toLabel(yield* Owner.current),
    cgroupVersion: info.cgroupVersion,
    engineId: info.id
  }
  const house: House = {
    options,
    settings,
    midwife,
    fs: yield* FileSystem,
    defaults: {
      ...(options.image === undefined ? {} : { image: options.image }),
      limits: settings.resourceLimits,
      // A disk that cannot be had is refused when a sandbox asks for it, not here.
      workspaceKind: options.workspace === "auto" ? yield* workspaces.choose("auto") : (options.workspace ?? "disk")
    },
    admission: yield* Admission.make(settings.maxConcurrentSandboxes),
    births: yield* Semaphore.make(birthsPerCore * info.cpus),
    cores: info.cpus,
    live: new Map(),
    execEnds: yield* ExecEnds.make(engine, {
      [SandboxLabels.keys.journal]: midwife.journal.id,
      [SandboxLabels.keys.kind]: "sandbox"
    })
  }
  return house
})

const make = Effect.fn("Sandboxes.make")(function* (
  house: House,
  options: SandboxOptions
): Effect.fn.Return<Sandbox, MakeError, Scope.Scope> {
  const spec = yield* prepare(house, options)
  return yield* bearWith(house, spec, house.admission.request(house.options.atLimit ?? "wait"))
})

/** The spec, if this engine may and can have it. */
const prepare = Effect.fnUntraced(function* (house: House, options: SandboxOptions) {
  const { engine, workspaces } = house.midwife
  const spec = yield* resolve(options, house.defaults)
  yield* workspaces.choose(spec.workspace.kind)
  const { address, kind } = engine.endpoint
  const allowDangerous = house.options.allowDangerous === true
  yield* permit(spec.loosening, { address, isPrivate: kind === "private", allowDangerous })
  return spec
})

const bearWith = Effect.fnUntraced(function* (
  house: House,
  spec: SandboxSpec,
  request: Effect.Effect<Ticket | undefined>
): Effect.fn.Return<Sandbox, MakeError, Scope.Scope> {
  const remains = yield* admit(house, request)
  const born = yield* house.births.withPermit(Birth.bear(house.midwife, remains, spec))
  const sandbox = furnish(house, spec, remains, born)
  house.live.set(sandbox.id, sandbox)
  return sandbox
})

/** Waits for its place, and registers the removal, after which the place is given back, before anything exists. */
const admit = (house: House, request: Effect.Effect<Ticket | undefined>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const ticket = yield* request
      if (ticket === undefined) return yield* new SandboxLimitReached({ limit: house.admission.limit })
      yield* restore(ticket.ready).pipe(Effect.onInterrupt(() => ticket.release))
      const remains = yield* enlist(house, ticket)
      yield* ConcurrentClose.add(yield* Effect.scope, (exit) => retire(house, remains, exit))
      return remains
    })
  )

const enlist = Effect.fnUntraced(function* ({ midwife, live }: House, ticket: Ticket) {
  const { journal } = midwife
  const sandboxId = yield* makeId
  const remains: Enlisted = {
    sandboxId,
    containerName: SandboxLabels.objectName(journal.id, sandboxId, 1),
    volume: SandboxLabels.volumeName(journal.id, sandboxId),
    recorder: yield* Recorder.make(journal, sandboxId),
    uid: undefined,
    asked: false,
    made: undefined,
    volumeUntil: undefined,
    removed: false,
    forget: Effect.andThen(
      Effect.sync(() => void live.delete(sandboxId)),
      ticket.release
    )
  }
  return remains
})

interface Enlisted extends SandboxRemoval.Remains {
  /** Once it is removed: takes it off the list and gives its place back. */
  readonly forget: Effect.Effect<void>
}

/** A failed removal is a failure of the scope: it must not pass unseen. */
const retire = (house: House, remains: Enlisted, exit: Exit.Exit<unknown, unknown>) => {
  const { sandboxId, containerName, volume, forget } = remains
  const failed = Exit.isFailure(exit) && !Exit.hasInterrupts(exit)
  if (failed && !house.settings.cleanupOnFailure && house.live.has(sandboxId)) {
    const where = `container ${containerName}, volume ${volume}`
    return Effect.andThen(
      forget,
      Effect.logWarning(`Kept sandbox ${sandboxId} of a failed scope: ${where}; \`./sbx reap\` removes it.`)
    )
  }
  return SandboxRemoval.remove(house.midwife, remains, "its scope was closed").pipe(
    Effect.ensuring(forget),
    Effect.orDie
  )
}

const furnish = (house: House, spec: SandboxSpec, remains: Enlisted, born: Birth.Born): Sandbox => {
  const { midwife, settings, options, fs } = house
  const context: SandboxContext = {
    engine: midwife.engine,
    recorder: remains.recorder,
    id: remains.sandboxId,
    spec,
    uid: born.uid,
    user: spec.loosening.user ?? `${born.uid}:${born.uid}`,
    execEnds: house.execEnds,
    execDefaults: {
      timeout: settings.defaultTimeout,
      outputLimitBytes: options.outputLimitBytes ?? Exec.defaults.outputLimitBytes
    },
    // Another one after a recovery that recreates; by its name while the engine has not told the id, or there is none.
    containerId: () => remains.recorder.state().containerId ?? remains.containerName
  }
  const sandbox = assemble({
    context,
    born,
    remains,
    removers: midwife,
    journal: midwife.journal,
    fs,
    waitTimeout: settings.defaultTimeout,
    forget: remains.forget
  })
  return remember(sandbox, { context, journal: midwife.journal, midwife, remains })
}
