/**
 * What every kind of fault is: six operations over plain data. A leaf in `faults/` implements this; the injector calls them in
 * order and guarantees the last two. Each operation may be repeated, and an operation that finds its work done succeeds.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { UndoPlan } from "@sbx/core/UndoPlan"
import type { EngineShape } from "@sbx/engine/Engine"
import type { EngineError } from "@sbx/engine/EngineError"
import type * as Effect from "effect/Effect"
import type { Evidence, Measurement } from "./Evidence.ts"
import type { PrepareError, ProofError, RevertFailed, Unsupported } from "./FaultError.ts"

/** Who injects: goes into the labels of sidecars, so that a later process knows whose they are. */
export interface FaultOwner {
  /** Run id. */
  readonly run: string
  /** Absolute path of the journal. */
  readonly journalPath: string
  /** `Owner.toLabel` of this process. */
  readonly owner: string
}

export interface FaultTiming {
  /** Length of one measurement. Default 1 second: ten periods of the cpu quota. */
  readonly windowMillis: number
  /** How long a proof may take, measurements included. Default 10 seconds. */
  readonly proofMillis: number
  /** How long one try of a revert may take. Default 20 seconds; it is tried three times. */
  readonly revertMillis: number
}

/** What the operations work with. */
export interface FaultTools {
  readonly engine: EngineShape
  readonly journal: { readonly id: string; readonly epoch: number }
  readonly owner: FaultOwner
  /** Image with `sh` and `sleep`; must be present, it is never pulled. */
  readonly sidecarImage: string
  readonly timing: FaultTiming
  /** Runs a probe of the engine's abilities once per key and remembers whether it was supported. */
  readonly once: (
    key: string,
    probe: Effect.Effect<void, Unsupported | EngineError>
  ) => Effect.Effect<void, Unsupported | EngineError>
}

/** One fault on one target. */
export interface FaultRun<F> {
  /** `flt_` and 16 characters; names the sidecar and the stream. */
  readonly faultId: string
  readonly target: ContainerTarget
  readonly fault: F
  /** How long it is to hold once it is proved. 0 for faults that are over at once. */
  readonly durationMillis: number
}

/** What a snapshot took: the measurements go on record with the intent. */
export interface Control {
  readonly measurements: ReadonlyArray<Measurement>
  /** The mechanism in use, e.g. `sidecar-in-cgroup`. */
  readonly rung: string
}

export interface FaultKind<F extends { readonly _tag: string }, C extends Control> {
  readonly tag: F["_tag"]
  /** An irreversible fault has nothing to hold and nothing to revert. */
  readonly reversible: boolean
  /** Part of the target that it takes for itself, e.g. `cpu`. */
  readonly claim: string
  /** Finds out by doing whether it can work here. Leaves nothing behind. */
  readonly preflight: (tools: FaultTools, run: FaultRun<F>) => Effect.Effect<void, PrepareError>
  /** Measures the control. */
  readonly snapshot: (tools: FaultTools, run: FaultRun<F>) => Effect.Effect<C, PrepareError>
  /** What undoes it without this program; pure, known before injecting. */
  readonly undo: (tools: FaultTools, run: FaultRun<F>, control: C) => UndoPlan
  readonly inject: (tools: FaultTools, run: FaultRun<F>, control: C) => Effect.Effect<void, PrepareError>
  /** Measures again until the effect is seen; fails with `NotProven`. */
  readonly prove: (
    tools: FaultTools,
    run: FaultRun<F>,
    control: C
  ) => Effect.Effect<ReadonlyArray<Evidence>, ProofError>
  /** A last look before the revert: fails with `NotProven` when the fault ended by itself too early. */
  readonly confirm: (tools: FaultTools, run: FaultRun<F>, control: C) => Effect.Effect<void, ProofError>
  /** Absent is success. */
  readonly revert: (tools: FaultTools, run: FaultRun<F>, control: C) => Effect.Effect<void, RevertFailed | EngineError>
  /** Looks for what is left and measures until the effect is gone. */
  readonly proveReverted: (
    tools: FaultTools,
    run: FaultRun<F>,
    control: C
  ) => Effect.Effect<ReadonlyArray<Evidence>, RevertFailed | ProofError>
}
