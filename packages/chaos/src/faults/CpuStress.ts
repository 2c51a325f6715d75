/**
 * Burns cpu in the target's cgroup: the target is throttled, its statistics show it, its image needs nothing. A sidecar nested in
 * the target's cgroup does the work and ends by itself. Refuses engines where a container cannot be nested in another's
 * cgroup: the systemd driver (its parents are slices) and cgroup v2 (a cgroup with processes has no controllers below it).
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { UndoPlan } from "@sbx/core/UndoPlan"
import type { ContainerInspect, EngineShape } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Evidence, Measurement } from "../Evidence.ts"
import { allHold } from "../Evidence.ts"
import type { ProofError } from "../FaultError.ts"
import { NotProven, RevertFailed, TargetGone, TargetNotRunning, Unsupported } from "../FaultError.ts"
import type { Control, FaultKind, FaultRun, FaultTools } from "../FaultKind.ts"
import { judgeInjected, judgeReverted, sidecarQuota } from "../internal/cpuProof.ts"
import type { CpuRoom } from "../internal/cpuProof.ts"
import { measure } from "../internal/cpuUsage.ts"
import * as Cgroup from "../internal/hostCgroup.ts"
import { probeNesting } from "../internal/nestingProbe.ts"
import * as Sidecar from "../internal/sidecar.ts"

const intBetween = (minimum: number, maximum: number) =>
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum })))

/** `workers` busy loops that together use `workers x loadPercent / 100` cores, or as much of it as the target's quota allows. */
export const CpuStress = Schema.TaggedStruct("CpuStress", {
  workers: intBetween(1, 64),
  loadPercent: intBetween(1, 100)
})
export type CpuStress = typeof CpuStress.Type

/** One busy loop by default. */
export const cpuStress = (options: { readonly workers?: number; readonly loadPercent?: number } = {}): CpuStress => ({
  _tag: "CpuStress",
  workers: options.workers ?? 1,
  loadPercent: options.loadPercent ?? 100
})

export interface CpuStressControl extends Control {
  readonly cores: Measurement
  readonly throttled: Measurement | undefined
  readonly room: CpuRoom
  /** The target's cgroup below every hierarchy's root. */
  readonly cgroupPath: string
  /** Whether this process can read it. */
  readonly visible: boolean
}

type Run = FaultRun<CpuStress>

export const kind: FaultKind<CpuStress, CpuStressControl> = {
  tag: "CpuStress",
  reversible: true,
  claim: "cpu",
  preflight: Effect.fnUntraced(function* (tools, { fault, target }) {
    const info = yield* tools.engine.info
    const missing = [
      ...(info.cgroupDriver === "cgroupfs" ? [] : [`cgroup driver cgroupfs (it is ${info.cgroupDriver})`]),
      ...(info.cgroupVersion === "1" ? [] : [`cgroup version 1 (it is ${info.cgroupVersion})`])
    ]
    const image = yield* Effect.exit(tools.engine.inspectImage(tools.sidecarImage))
    if (image._tag === "Failure") missing.push(`image ${tools.sidecarImage}`)
    if (missing.length > 0) return yield* new Unsupported({ fault: fault._tag, missing })
    yield* runningTarget(tools.engine, target)
    yield* tools.once(`nesting@${info.id}`, probeNesting(tools, fault._tag))
  }),
  snapshot: Effect.fnUntraced(function* (tools, { fault, target }) {
    const info = yield* tools.engine.info
    const inspected = yield* runningTarget(tools.engine, target)
    const visiblePath = Cgroup.pathOf(inspected.id, inspected.state.hostPid)
    const { cores, throttled } = yield* measure(tools.engine, target, visiblePath, tools.timing.windowMillis)
    const nanoCpus = inspected.host.nanoCpus ?? 0
    return {
      rung: "sidecar-in-cgroup",
      measurements: throttled === undefined ? [cores] : [cores, throttled],
      cores,
      throttled,
      room: {
        wanted: (fault.workers * fault.loadPercent) / 100,
        limit: nanoCpus > 0 ? nanoCpus / 1e9 : undefined,
        hostCpus: info.cpus
      },
      cgroupPath: visiblePath ?? assumedPath(inspected),
      visible: visiblePath !== undefined
    }
  }),
  undo: (tools, { faultId }): UndoPlan => ({
    steps: [{ _tag: "RemoveContainer", containerId: Sidecar.nameOf(tools, faultId) }]
  }),
  inject: Effect.fnUntraced(function* (tools, run, control) {
    yield* Sidecar.start(tools, {
      faultId: run.faultId,
      targetId: run.target.containerId,
      claim: "cpu",
      cgroupParent: control.cgroupPath,
      processes: run.fault.workers,
      cpus: sidecarQuota(control.room, run.fault.loadPercent),
      script: burn(run.fault.workers, leaseSeconds(tools, run))
    })
  }),
  prove: (tools, run, control) => untilHolds(tools, run, "inject", () => observeInjected(tools, run, control)),
  confirm: Effect.fnUntraced(function* (tools, run) {
    yield* requireSidecar(tools, run, "hold")
  }),
  revert: Effect.fnUntraced(function* (tools, run, control) {
    const name = Sidecar.nameOf(tools, run.faultId)
    yield* Sidecar.remove(tools.engine, { fault: run.fault._tag, name, parent: control.cgroupPath })
    if (!control.visible || (yield* Sidecar.inspect(tools.engine, run.target.containerId)) !== undefined) return
    // The target was removed under the sidecar: the engine could not remove its cgroup then, and does not try again.
    Cgroup.removeEmpty(control.cgroupPath)
    if (Cgroup.exists(control.cgroupPath))
      return yield* new RevertFailed({
        fault: run.fault._tag,
        residue: [`cgroup ${control.cgroupPath}`],
        detail: "the target is gone and its cgroup is not"
      })
  }),
  proveReverted: (tools, run, control) =>
    untilHolds(tools, run, "revert", () => observeReverted(tools, run, control)).pipe(
      // A target that died has no usage to come back: nothing is left of the fault, and that was looked for.
      Effect.catchTags({ TargetGone: () => Effect.succeed([]), TargetNotRunning: () => Effect.succeed([]) })
    )
}

/**
 * PID 1 sleeps for the lease and exits, and the kernel ends its pid namespace with every worker in it: no signal is needed, which
 * PID 1 could not get from its own children, and no living injector.
 */
export const burn = (workers: number, leaseSeconds: number): string =>
  `i=0; while [ $i -lt ${workers} ]; do (while :; do :; done) & i=$((i+1)); done; exec sleep ${leaseSeconds}`

/** Longer than the fault may take by plan, so that it never ends by itself unless the injector is dead. */
const leaseSeconds = (tools: FaultTools, run: Run): number =>
  Math.ceil((run.durationMillis + tools.timing.proofMillis) / 1000) + 5

const runningTarget = Effect.fnUntraced(function* (engine: EngineShape, { containerId, name }: ContainerTarget) {
  const inspected = yield* engine
    .inspectContainer(containerId)
    .pipe(Effect.catchTag("ObjectNotFound", () => Effect.fail(new TargetGone({ containerId, name }))))
  // In a paused target's cgroup the sidecar would be frozen before its first instruction.
  if (inspected.state.status !== "running") return yield* new TargetNotRunning({ name, status: inspected.state.status })
  return inspected
})

/** For an engine whose /proc is not visible; the nesting probe has shown that the engine agrees. */
const assumedPath = (inspected: ContainerInspect): string => {
  const parent = inspected.host.cgroupParent
  return `${parent === undefined || parent === "" ? "/docker" : parent}/${inspected.id}`
}

/** The sidecar, if it runs. */
const requireSidecar = Effect.fnUntraced(function* (
  tools: FaultTools,
  { fault, faultId }: Run,
  phase: "inject" | "hold"
) {
  const name = Sidecar.nameOf(tools, faultId)
  const found = yield* Sidecar.inspect(tools.engine, name)
  if (found?.state.status === "running") return found
  const detail =
    found === undefined ? `sidecar ${name} is gone` : `sidecar ${name} ended with exit code ${found.state.exitCode}`
  return yield* new NotProven({ fault: fault._tag, phase, evidence: [], detail })
})

const observeInjected = Effect.fnUntraced(function* (tools: FaultTools, run: Run, control: CpuStressControl) {
  const { id, name, state } = yield* requireSidecar(tools, run, "inject")
  const sidecarPath = control.visible ? Cgroup.pathOf(id, state.hostPid) : undefined
  const window = tools.timing.windowMillis
  const [target, sidecar] = yield* Effect.all(
    [
      measure(tools.engine, run.target, control.visible ? control.cgroupPath : undefined, window),
      measure(tools.engine, { containerId: id, name }, sidecarPath, window)
    ],
    { concurrency: "unbounded" }
  )
  return judgeInjected(
    control,
    { target: target.cores, throttled: target.throttled, sidecar: { ...sidecar.cores, metric: "sidecarCpuCores" } },
    control.room
  )
})

const observeReverted = Effect.fnUntraced(function* (tools: FaultTools, run: Run, control: CpuStressControl) {
  const path = control.visible ? control.cgroupPath : undefined
  const { cores } = yield* measure(tools.engine, run.target, path, tools.timing.windowMillis)
  return judgeReverted(control.cores, cores, control.room)
})

/** Observes until all evidence holds or the proof's time is over. No evidence at all counts only for a revert. */
const untilHolds = Effect.fnUntraced(function* (
  tools: FaultTools,
  run: Run,
  phase: "inject" | "revert",
  observe: () => Effect.Effect<ReadonlyArray<Evidence>, ProofError>
): Effect.fn.Return<ReadonlyArray<Evidence>, ProofError> {
  const started = yield* Clock.monotonicTimeNanos
  for (;;) {
    const evidence = yield* observe()
    if (allHold(evidence) || (phase === "revert" && evidence.length === 0)) return evidence
    const elapsedMillis = Number((yield* Clock.monotonicTimeNanos) - started) / 1e6
    if (elapsedMillis + tools.timing.windowMillis > tools.timing.proofMillis) {
      const detail = `no effect within ${tools.timing.proofMillis} ms`
      return yield* new NotProven({ fault: run.fault._tag, phase, evidence, detail })
    }
  }
})
