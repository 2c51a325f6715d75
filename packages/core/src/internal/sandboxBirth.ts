/** Makes one sandbox: each step intended, done, reported. Whoever calls has the removal registered before the first step. */
import type { Engine } from "@sbx/engine/Engine"
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import { EngineTimeout } from "@sbx/engine/EngineError"
import type { AppendError, Journal } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { CommandNotFound, SandboxNotRunning } from "../Exec.ts"
import { containerSpec } from "../HardenedProfile.ts"
import type { LifecycleRejection } from "../SandboxLifecycle.ts"
import * as SandboxLabels from "../SandboxLabels.ts"
import type { Remains } from "../SandboxRemoval.ts"
import type { SandboxSpec } from "../SandboxSpec.ts"
import type { LeaseStoreFailed, UidLeases, UidsExhausted } from "../UidLease.ts"
import {
  type CreateError,
  type Made,
  volumeDeadlineMillis,
  type WorkspaceRequest,
  type Workspaces
} from "../Workspace.ts"
import { canonicalJson, sha256 } from "./digest.ts"
import { observe } from "./sandboxRecorder.ts"

/** A look at the engine on the way out. */
const lookMillis = 5_000

/** How long a create may take; afterwards its outcome is in doubt until reconciled. */
const createDeadlineMillis = 10_000

export interface Midwife {
  readonly engine: Engine["Service"]
  readonly journal: Journal["Service"]
  readonly workspaces: Workspaces["Service"]
  readonly leases: UidLeases["Service"]
  readonly run: string
  readonly journalPath: string
  readonly owner: string
  readonly cgroupVersion: "1" | "2" | "unknown"
  readonly engineId: string
}

/** Label with the engine's id: a journal found later must not be settled by looking at another engine. */
export const engineLabel = "sbx.engine"

export type BirthError =
  | CreateError
  | ObjectNotFound
  | EngineConflict
  | InvalidRequest
  | CallError
  | AppendError
  | UidsExhausted
  | LeaseStoreFailed
  | CommandNotFound
  | SandboxNotRunning

export interface Born {
  readonly containerId: string
  readonly uid: number
  readonly createdAtMillis: number
  readonly startedAtMillis: number
}

export const bear = Effect.fnUntraced(function* (
  midwife: Midwife,
  remains: Remains,
  spec: SandboxSpec
): Effect.fn.Return<Born, BirthError> {
  const { engine, leases } = midwife
  const { recorder } = remains
  const uid = yield* leases.acquire(remains.sandboxId).pipe(
    Effect.tap((leased) => Effect.sync(() => void (remains.uid = leased))),
    Effect.uninterruptible
  )
  const labels = yield* intendCreate(midwife, remains, spec, uid).pipe(
    Effect.catchTag("LifecycleRejection", unexpected)
  )
  const containerId = yield* createAndLaunch(
    engine,
    remains,
    spec,
    create(midwife, remains, spec, uid, labels).pipe(
      Effect.tapError((error) => reportFailure(remains, error.message, isRefusal(error)))
    )
  )
  const { createdAtMillis, startedAtMillis } = recorder.state()
  if (createdAtMillis === undefined || startedAtMillis === undefined) {
    return yield* new SandboxNotRunning({ sandboxId: remains.sandboxId, operation: "start", state: "created" })
  }
  return { containerId, uid, createdAtMillis, startedAtMillis }
})

/**
 * Both are intended before: what came of them is on record in one write, by one look at the engine, which costs 3 ms of some 90 less
 * than one for each. Where it does not come to the start, what is there is recorded all the same.
 */
export const createAndLaunch = <E, R>(
  engine: Engine["Service"],
  remains: Remains,
  spec: SandboxSpec,
  create: Effect.Effect<string, E, R>
) =>
  create.pipe(
    Effect.tap((containerId) => launch(engine, remains, containerId, spec)),
    Effect.onInterrupt(() =>
      remains.made === undefined ? Effect.void : Effect.ignore(recordPresent(engine, remains, remains.made))
    )
  )

/** Bounded, as nobody waits for it who could give up. */
const recordPresent = (engine: Engine["Service"], { recorder }: Pick<Remains, "recorder">, containerId: string) =>
  engine.inspectContainer(containerId).pipe(
    Effect.interruptible,
    Effect.timeout(lookMillis),
    Effect.flatMap((inspect) => observe(recorder, inspect))
  )

/** Intends both create and start. `replaces`: the container that this attempt takes the place of. */
export const intendCreate = Effect.fnUntraced(function* (
  midwife: Midwife,
  remains: Remains,
  spec: SandboxSpec,
  uid: number,
  attempt: { readonly attempt: number; readonly replaces?: string } = { attempt: 1 }
) {
  const { recorder, sandboxId, containerName, volume } = remains
  const atMillis = yield* Clock.currentTimeMillis
  const deadlineMillis = atMillis + createDeadlineMillis
  const labels = {
    journal: midwife.journal.id,
    journalPath: midwife.journalPath,
    run: midwife.run,
    stream: recorder.stream,
    intent: recorder.nextVersion(),
    epoch: midwife.journal.epoch,
    deadline: deadlineMillis,
    owner: midwife.owner
  }
  const container = { ...SandboxLabels.encode({ ...labels, kind: "sandbox" }), [engineLabel]: midwife.engineId }
  yield* recorder.submitAll([
    {
      _tag: "Create",
      atMillis,
      sandboxId,
      spec,
      specDigest: `sha256:${sha256(canonicalJson(spec))}`,
      containerName,
      volumeName: volume,
      uid,
      ...attempt,
      labels: container,
      deadlineMillis
    },
    { _tag: "Start", atMillis }
  ])
  remains.made = undefined
  return { container, volume: SandboxLabels.encode({ ...labels, kind: "volume" }) }
})

export type Labels = Effect.Success<ReturnType<typeof intendCreate>>

const create = Effect.fnUntraced(function* (
  midwife: Midwife,
  remains: Remains,
  spec: SandboxSpec,
  uid: number,
  labels: Labels
) {
  const made = yield* makeWorkspace(midwife.workspaces, remains, workspaceRequest(remains, spec, uid, labels))
  return yield* createContainer(midwife, remains, { spec, uid, labels, volumeCreate: made.create }).pipe(
    Effect.tap((containerId) =>
      Effect.tapError(made.ready, () => Effect.ignore(recordPresent(midwife.engine, remains, containerId)))
    ),
    Effect.uninterruptible
  )
})

export const workspaceRequest = (
  { volume }: Pick<Remains, "volume">,
  { workspace, limits }: SandboxSpec,
  uid: number,
  labels: Labels
): WorkspaceRequest => ({
  kind: workspace.kind,
  volume,
  labels: labels.volume,
  limitBytes: limits.diskBytes,
  inodes: limits.diskInodes,
  uid
})

interface Conception {
  readonly spec: SandboxSpec
  readonly uid: number
  readonly labels: Labels
  /** Absent where the volume exists. */
  readonly volumeCreate: Made["create"]
}

/** Not interruptible: a call given up half-way may still make a container, later. Resolves to its id. */
export const createContainer = Effect.fnUntraced(function* (
  { engine, cgroupVersion }: Midwife,
  remains: Remains,
  { spec, uid, labels, volumeCreate }: Conception
) {
  const { containerName: name, volume } = remains
  remains.asked = true
  const context = { name, labels: labels.container, uid, volume, cgroupVersion }
  const id = yield* engine
    .createContainer(containerSpec(spec, volumeCreate === undefined ? context : { ...context, volumeCreate }))
    .pipe(Effect.timeoutOrElse({ duration: createDeadlineMillis, orElse: () => Effect.fail(overdue) }))
  remains.made = id
  return id
}, Effect.uninterruptible)

const notStartable = (sandboxId: string, state: string) =>
  Effect.fail(new SandboxNotRunning({ sandboxId, operation: "start", state }))

/** Not interruptible, so that it is known whether the engine has answered. */
export const makeWorkspace = Effect.fnUntraced(function* (
  workspaces: Workspaces["Service"],
  remains: Remains,
  request: WorkspaceRequest
): Effect.fn.Return<Made, CreateError> {
  const startedAt = yield* Clock.currentTimeMillis
  return yield* workspaces.create(request).pipe(
    Effect.tapError((error) =>
      Effect.sync(() => {
        const isAnswer = isRefusal(error) || error._tag === "WorkspaceFailed" || error._tag === "WorkspaceUnsupported"
        remains.volumeUntil = isAnswer ? undefined : startedAt + volumeDeadlineMillis
      })
    )
  )
}, Effect.uninterruptible)

const overdue = new EngineTimeout({ operation: "create container", timeoutMillis: createDeadlineMillis })

export const isRefusal = (error: { readonly _tag: string }) =>
  error._tag === "ObjectNotFound" || error._tag === "InvalidRequest" || error._tag === "EngineConflict"

/** A refusal, or a failure before the engine was asked, is an outcome; anything else leaves the create in doubt. */
const reportFailure = Effect.fnUntraced(function* (remains: Remains, reason: string, refused: boolean) {
  if (refused) remains.asked = false
  if (remains.asked) return
  yield* remains.recorder.report({ _tag: "CreateFailed", atMillis: yield* Clock.currentTimeMillis, reason })
})

type StartError = CallError | ObjectNotFound | EngineConflict | InvalidRequest | AppendError | CommandNotFound

/** A later start of the same container. */
export const start = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  { recorder, sandboxId }: Pick<Remains, "recorder" | "sandboxId">,
  containerId: string,
  spec: SandboxSpec
): Effect.fn.Return<void, StartError | SandboxNotRunning> {
  yield* recorder
    .submit({ _tag: "Start", atMillis: yield* Clock.currentTimeMillis })
    .pipe(Effect.catchTag("LifecycleRejection", ({ status }) => notStartable(sandboxId, status)))
  yield* launch(engine, { recorder, sandboxId }, containerId, spec)
})

/** Once the start is on record as wanted. */
const launch = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  { recorder, sandboxId }: Pick<Remains, "recorder" | "sandboxId">,
  containerId: string,
  spec: SandboxSpec
): Effect.fn.Return<void, StartError> {
  yield* engine.startContainer(containerId).pipe(
    Effect.tapError((error) => startFailed(engine, { recorder }, containerId, error.message)),
    Effect.catchTag("InvalidRequest", (error) =>
      Effect.fail(
        error.reason === "command-not-found" || error.reason === "command-not-executable"
          ? new CommandNotFound({
              sandboxId,
              command: spec.command[0] ?? "",
              reason: error.reason === "command-not-found" ? "not-found" : "not-executable",
              detail: error.detail
            })
          : error
      )
    )
  )
  yield* observe(recorder, yield* engine.inspectContainer(containerId))
})

/** After a look, so that a start that failed is told of a container that is known to be there. */
const startFailed = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  remains: Pick<Remains, "recorder">,
  containerId: string,
  reason: string
): Effect.fn.Return<void, AppendError> {
  if (remains.recorder.state().status === "creating") yield* Effect.ignore(recordPresent(engine, remains, containerId))
  yield* remains.recorder.report({ _tag: "StartFailed", atMillis: yield* Clock.currentTimeMillis, reason })
})

/** The stream is new and ours alone. */
const unexpected = (rejection: LifecycleRejection) => Effect.die(rejection)
