/** Why a fault could not be injected, proved or undone. Facts are fields; callers route on `_tag`. */
import type { EngineError } from "@sbx/engine/EngineError"
import type { AppendError } from "@sbx/journal/Journal"
import * as Schema from "effect/Schema"
import { describe, Evidence } from "./Evidence.ts"

/** No mechanism for this fault works on this engine and target. Never a silent no-op. */
export class Unsupported extends Schema.TaggedError<Unsupported>()("Unsupported", {
  fault: Schema.String,
  /** What would have to be there. */
  missing: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not inject ${this.fault}: missing ${this.missing.join("; ")}.\nUse an engine that has it, or another fault.`
  }
}

/** Another fault holds the same part of the target. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", {
  fault: Schema.String,
  /** The part, e.g. `cpu of web`. */
  claim: Schema.String,
  /** The fault or sidecar that holds it. */
  holder: Schema.String
}) {
  override get message() {
    return `Could not inject ${this.fault}: ${this.holder} already holds ${this.claim}.\nStop that fault first, or wait for its end.`
  }
}

/** The fault was injected and its effect was not seen, or its end was not. Not a pass: the experiment is inconclusive. */
export class NotProven extends Schema.TaggedError<NotProven>()("NotProven", {
  fault: Schema.String,
  phase: Schema.Literals(["inject", "hold", "revert"]),
  evidence: Schema.Array(Evidence),
  detail: Schema.String
}) {
  override get message() {
    const seen = this.evidence.map(describe).join("; ")
    return `Could not prove the ${this.phase} of ${this.fault}: ${[this.detail, seen].filter((text) => text !== "").join(": ")}.\nIs the host overloaded, or the target busy with something else?`
  }
}

/** Something of the fault is still there. The undo plan stays pending in the journal. */
export class RevertFailed extends Schema.TaggedError<RevertFailed>()("RevertFailed", {
  fault: Schema.String,
  residue: Schema.Array(Schema.String),
  detail: Schema.String
}) {
  override get message() {
    return `Could not undo ${this.fault}: ${this.detail}; left behind: ${this.residue.join(", ")}.\nRun \`./sbx reap\` once the engine answers again.`
  }
}

/** The target does not exist. */
export class TargetGone extends Schema.TaggedError<TargetGone>()("TargetGone", {
  containerId: Schema.String,
  name: Schema.String
}) {
  override get message() {
    return `Could not inject a fault into ${this.name}: there is no container ${this.containerId}.`
  }
}

/** The target exists and is stopped or paused. */
export class TargetNotRunning extends Schema.TaggedError<TargetNotRunning>()("TargetNotRunning", {
  name: Schema.String,
  status: Schema.String
}) {
  override get message() {
    return `Could not inject a fault into ${this.name}: it is ${this.status}.\nStart or resume it first.`
  }
}

/** No process of the target matches. */
export class ProcessNotFound extends Schema.TaggedError<ProcessNotFound>()("ProcessNotFound", {
  name: Schema.String,
  selector: Schema.String,
  /** The target's processes as `<pid inside> <command>`. */
  seen: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not find ${this.selector} in ${this.name}: it has ${this.seen.join(", ") || "no process"}.\nSelect one of these.`
  }
}

/** The fault's parameters or its duration are out of range. */
export class InvalidFault extends Schema.TaggedError<InvalidFault>()("InvalidFault", {
  fault: Schema.String,
  issue: Schema.String
}) {
  override get message() {
    return `Could not inject ${this.fault}: ${this.issue}`
  }
}

export type PrepareError = Unsupported | TargetGone | TargetNotRunning | ProcessNotFound | EngineError
export type ProofError = NotProven | TargetGone | TargetNotRunning | EngineError

/** Why no fault was started: nothing was changed. */
export type StartError = PrepareError | InvalidFault | Conflict | AppendError

/** Why a fault did not run as planned. What was injected is reverted all the same, unless this is `RevertFailed`. */
export type FaultFailure = StartError | ProofError | RevertFailed
