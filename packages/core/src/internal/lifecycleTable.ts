/**
 * Which event may follow in which status, and where it leads: the one table that `decide` and `evolve` share.
 * No rule starts from a terminal status, which is what makes those absorbing.
 */
import type { LifecycleState } from "../LifecycleState.ts"
import type { SandboxState } from "../Sandbox.ts"
import type { SandboxEvent } from "../SandboxEvent.ts"

export interface Rule {
  readonly from: ReadonlyArray<SandboxState>
  /** The status after it; absent = unchanged. */
  readonly to?: SandboxState | ((state: LifecycleState, event: SandboxEvent) => SandboxState)
}

const withContainer: ReadonlyArray<SandboxState> = ["created", "starting", "running", "paused", "stopping", "stopped"]
const open: ReadonlyArray<SandboxState> = ["creating", ...withContainer, "removing"]

/** A first attempt that fails ends the sandbox; a failed replacement leaves it stopped, for its supervisor to decide. */
const afterFailedCreate = (state: LifecycleState): SandboxState =>
  state.create !== undefined && state.create.attempt > 1 ? "stopped" : "failed"

/** A start may be wanted before there is anything to start. */
const afterCreate = ({ status, startWanted }: LifecycleState): SandboxState => {
  if (status === "removing") return "removing"
  return startWanted ? "starting" : "created"
}

const unlessCreating =
  (status: SandboxState) =>
  (state: LifecycleState): SandboxState =>
    state.status === "creating" ? "creating" : status

/** Of a container that nobody has seen yet the create is still to be settled. */
const afterFailedStart = (state: LifecycleState): SandboxState =>
  unlessCreating(state.startedAtMillis === undefined ? "created" : "stopped")(state)

/** While a stop or a removal is under way its own outcome decides. */
const afterDeath = (state: LifecycleState): SandboxState =>
  state.status === "stopping" || state.status === "removing" ? state.status : "stopped"

/** Also without an intent: somebody else started it. A start that was over before it was reported changes nothing. */
const afterStart = (state: LifecycleState, event: SandboxEvent): SandboxState => {
  const over =
    event._tag === "Started" && state.exit !== undefined && state.exit.finishedAtMillis >= event.startedAtMillis
  return state.status === "stopped" && over ? "stopped" : "running"
}

const exec: Rule = { from: open }

export const rules: Record<SandboxEvent["_tag"], Rule> = {
  CreateIntended: { from: ["requested", "created", "stopped"], to: "creating" },
  Created: { from: ["creating", "removing"], to: afterCreate },
  CreateFailed: { from: ["creating"], to: afterFailedCreate },
  CreateAbandoned: { from: ["creating"], to: afterFailedCreate },
  StartIntended: { from: ["creating", "created", "stopped"], to: unlessCreating("starting") },
  Started: { from: ["created", "starting", "running", "stopped"], to: afterStart },
  StartFailed: { from: ["creating", "starting"], to: afterFailedStart },
  PauseIntended: { from: ["running"] },
  Paused: { from: ["running"], to: "paused" },
  PauseFailed: { from: ["running"] },
  ResumeIntended: { from: ["paused"] },
  Resumed: { from: ["paused"], to: "running" },
  ResumeFailed: { from: ["paused"] },
  StopIntended: { from: ["running", "paused", "stopping"], to: "stopping" },
  Stopped: { from: ["stopping"], to: "stopped" },
  StopFailed: { from: ["stopping"] },
  RestartIntended: { from: ["running", "paused", "stopped"] },
  Died: { from: ["starting", "running", "paused", "stopping", "removing"], to: afterDeath },
  OomKilled: { from: [...withContainer, "removing"] },
  Vanished: { from: withContainer, to: "stopped" },
  ExecIntended: { from: ["running"] },
  ExecStarted: exec,
  ExecExited: exec,
  ExecFailed: exec,
  ExecTimedOut: exec,
  ExecLost: exec,
  FileUploaded: { from: withContainer },
  FileDownloaded: { from: withContainer },
  RecoveryDecided: { from: open },
  FailureClassified: { from: open },
  RecoveryAttempted: { from: open },
  Recovered: { from: open },
  RecoveryFailed: { from: open },
  RecoverySkipped: { from: open },
  HealthChanged: { from: withContainer },
  Pooled: { from: ["running"] },
  Acquired: { from: ["running"] },
  RemoveIntended: { from: open, to: "removing" },
  Removed: { from: ["removing"], to: "removed" },
  RemoveFailed: { from: ["removing"] },
  OrphanReaped: { from: ["requested", ...open], to: "removed" },
  HostLost: { from: open, to: "lost" }
}

/** The status after `event`, or nothing when it does not fit. */
export const nextStatus = (state: LifecycleState, event: SandboxEvent): SandboxState | undefined => {
  const rule = rules[event._tag]
  if (!rule.from.includes(state.status)) return undefined
  return typeof rule.to === "function" ? rule.to(state, event) : (rule.to ?? state.status)
}
