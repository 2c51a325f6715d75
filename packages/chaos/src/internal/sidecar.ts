/**
 * Helper containers of faults: hardened, labelled, named after the fault, with a life of their own that ends even when the
 * injector is dead. They use nothing of the target's image and get nothing of the engine.
 */
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import type { EngineShape } from "@sbx/engine/Engine"
import type { EngineError } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Conflict, RevertFailed } from "../FaultError.ts"
import type { FaultTools } from "../FaultKind.ts"
import * as Cgroup from "./hostCgroup.ts"
import { startTimeOf } from "./hostProc.ts"

/** Labels beside those of core. */
const chaosKeys = { target: "sbx.chaos.target", claim: "sbx.chaos.claim", fault: "sbx.chaos.fault" } as const

/** A create call may take effect that much later than it was given up (moby#24858). */
const createDeadlineMillis = 10_000

/** Known before the sidecar exists, so that the undo plan can name it. */
export const nameOf = (tools: FaultTools, faultId: string): string =>
  SandboxLabels.objectName(tools.journal.id, faultId, 1)

export interface SidecarOptions {
  readonly faultId: string
  readonly targetId: string
  readonly claim: string
  readonly cgroupParent: string
  /** Processes it starts besides its first. */
  readonly processes: number
  /** Cores; absent = as its cgroup's parent allows. */
  readonly cpus?: number | undefined
  /** A shell script; it must end by itself. */
  readonly script: string
  /** Default: {@link nameOf} the fault. */
  readonly name?: string
  /** A throw-away container belongs to no stream, only to this process: a reconciler that found none would remove it at once. */
  readonly throwAway?: boolean
}

/** Creates and starts it. */
export const start = Effect.fnUntraced(function* (
  tools: FaultTools,
  options: SidecarOptions
): Effect.fn.Return<string, EngineError> {
  const now = yield* Clock.currentTimeMillis
  const id = yield* tools.engine.createContainer(specOf(tools, options, now))
  yield* tools.engine.startContainer(id)
  return id
})

/** Pure: what {@link start} creates. */
const specOf = (tools: FaultTools, options: SidecarOptions, nowMillis: number): ContainerSpec => ({
  name: options.name ?? nameOf(tools, options.faultId),
  image: tools.sidecarImage,
  entrypoint: ["sh", "-c", options.script],
  command: [],
  labels: {
    ...SandboxLabels.encode({
      journal: options.throwAway === true ? "probe" : tools.journal.id,
      journalPath: tools.owner.journalPath,
      run: tools.owner.run,
      stream: `failure/${options.faultId}`,
      intent: 1,
      epoch: tools.journal.epoch,
      deadline: nowMillis + createDeadlineMillis,
      owner: tools.owner.owner,
      kind: "sidecar"
    }),
    [chaosKeys.target]: options.targetId,
    [chaosKeys.claim]: options.claim,
    [chaosKeys.fault]: options.faultId
  },
  user: "65534:65534",
  workingDir: "/",
  networkDisabled: true,
  healthcheck: "none",
  host: {
    cgroupParent: options.cgroupParent,
    networkMode: "none",
    ipcMode: "private",
    readOnlyRoot: true,
    capDrop: ["ALL"],
    securityOpt: ["no-new-privileges:true"],
    memoryBytes: 32 * 2 ** 20,
    memorySwapBytes: 32 * 2 ** 20,
    // The runtime's own threads count until the script starts: with 5 the container does not start (runc 1.1).
    pidsLimit: options.processes + 16,
    ...(options.cpus === undefined ? {} : { nanoCpus: Math.round(options.cpus * 1e9) }),
    // If memory runs out in the target's cgroup, the sidecar dies and not the target.
    oomScoreAdj: 1000,
    init: false,
    restartPolicy: { name: "no" },
    // Its exit is evidence: it is removed by the revert.
    autoRemove: false,
    logConfig: { type: "none", config: {} }
  }
})

/** Fails when a sidecar of another injector, perhaps in another process, holds the same part of the target. */
export const refuseOthers = Effect.fnUntraced(function* (
  tools: FaultTools,
  options: { readonly fault: string; readonly targetId: string; readonly targetName: string; readonly claim: string }
): Effect.fn.Return<void, Conflict | EngineError> {
  const found = yield* tools.engine.listContainers({
    [chaosKeys.target]: options.targetId,
    [chaosKeys.claim]: options.claim
  })
  const holder = found.find((container) => container.status === "running")
  if (holder !== undefined)
    return yield* new Conflict({
      fault: options.fault,
      claim: `${options.claim} of ${options.targetName}`,
      holder: holder.name
    })
})

/**
 * Removes it and looks whether it is gone: from the engine, and where its processes are visible, from the host too.
 * `parent` is the cgroup that it was nested in.
 */
export const remove = Effect.fnUntraced(function* (
  engine: EngineShape,
  options: { readonly fault: string; readonly name: string; readonly parent: string }
): Effect.fn.Return<void, RevertFailed | EngineError> {
  const { fault, name, parent } = options
  const found = yield* inspect(engine, name)
  yield* engine
    .removeContainer(name)
    .pipe(
      Effect.catchTag(
        "EngineConflict",
        (error) => new RevertFailed({ fault, residue: [`container ${name}`], detail: error.detail })
      )
    )
  const residue: Array<string> = []
  if ((yield* inspect(engine, name)) !== undefined) residue.push(`container ${name}`)
  if (found !== undefined) {
    const path = `${parent}/${found.id}`
    for (const pid of Cgroup.processes(path))
      if (startTimeOf(pid) !== undefined) residue.push(`process ${pid} of ${name}`)
    Cgroup.removeEmpty(path)
    if (Cgroup.exists(path)) residue.push(`cgroup ${path}`)
  }
  if (residue.length > 0)
    return yield* new RevertFailed({ fault, residue, detail: "it was removed and is still there" })
})

/** Absent is not an error. */
export const inspect = (engine: EngineShape, name: string) =>
  engine.inspectContainer(name).pipe(Effect.catchTag("ObjectNotFound", () => Effect.undefined))
