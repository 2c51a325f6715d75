/** A fault in progress, as its injector hands it out: its status, its proof, its end. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Evidence } from "./Evidence.ts"
import type { EndReason } from "./FailureEvent.ts"
import type { Fault } from "./Fault.ts"
import type { FaultFailure } from "./FaultError.ts"

export type FaultStatus =
  /** Being injected and proved. */
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Active"; readonly evidence: ReadonlyArray<Evidence> }
  /** Over and reverted. */
  | { readonly _tag: "Ended"; readonly reason: EndReason }
  /** Not injected, not proved, or not reverted. */
  | { readonly _tag: "Failed"; readonly reason: string }

export interface FaultReport {
  readonly faultId: string
  readonly reason: EndReason
  /** Empty when it was stopped before it was proved. */
  readonly evidence: ReadonlyArray<Evidence>
  readonly revertEvidence: ReadonlyArray<Evidence>
}

export interface FaultHandle {
  readonly faultId: string
  readonly target: ContainerTarget
  readonly fault: Fault
  readonly status: Effect.Effect<FaultStatus>
  /** The present status, then each change. */
  readonly statusChanges: Stream.Stream<FaultStatus>
  /** Waits for the proof. */
  readonly awaitActive: Effect.Effect<ReadonlyArray<Evidence>, FaultFailure>
  /** Waits for the end and the proof that it is reverted. */
  readonly awaitEnd: Effect.Effect<FaultReport, FaultFailure>
  /** Reverts now and waits. Stopping an ended fault gives its report again. */
  readonly stop: Effect.Effect<FaultReport, FaultFailure>
}
