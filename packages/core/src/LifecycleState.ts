/**
 * What the events of one sandbox add up to: plain data, rebuilt by replay at any time. Nothing here is kept elsewhere.
 */
import type { SandboxState } from "./Sandbox.ts"
import type { HealthStatus, RecoveryDecision, SandboxEvent } from "./SandboxEvent.ts"

/** One change of status and the event that made it. */
export interface Transition {
  readonly status: SandboxState
  readonly event: SandboxEvent["_tag"]
  readonly atMillis: number
  readonly reason: string | undefined
}

export interface LifecycleState {
  /** `requested` before the first event. */
  readonly status: SandboxState
  /** The newest create intent: name, labels, spec, uid, attempt, deadline. */
  readonly create: Extract<SandboxEvent, { readonly _tag: "CreateIntended" }> | undefined
  /** Absent while none is known to exist. */
  readonly containerId: string | undefined
  readonly createdAtMillis: number | undefined
  /** The engine's time of the newest start. */
  readonly startedAtMillis: number | undefined
  /** The newest end of PID 1; absent while it runs. `exitCode` as the engine reported it. */
  readonly exit:
    | { readonly exitCode: number; readonly oomKilled: boolean; readonly finishedAtMillis: number }
    | undefined
  /** A pause or resume without outcome. */
  readonly pending: { readonly kind: "pause" | "resume"; readonly sinceMillis: number } | undefined
  /** A start was asked for and has no outcome yet; where the container is still being made, that comes first. */
  readonly startWanted: boolean
  /** A restart was asked for and the start has not come yet. */
  readonly restartWanted: boolean
  /** Execs without outcome, by our key. `execId` is the engine's, once known. */
  readonly openExecs: Readonly<Record<string, { readonly execId: string | undefined }>>
  readonly recovery: { readonly decision: RecoveryDecision; readonly attempt: number } | undefined
  /** What each health check last said about the present run. */
  readonly health: Readonly<Record<string, HealthStatus>>
  readonly counts: {
    readonly starts: number
    readonly execs: number
    readonly oomKills: number
    readonly recoveries: number
    /** Events that did not fit the state and left it unchanged; a decider's own events never do. */
    readonly anomalies: number
    readonly transitions: number
  }
  /** Engine event ids of the newest OOM kills, at most {@link historyLimit}: they make the report idempotent. */
  readonly oomEventIds: ReadonlyArray<string>
  /** The newest transitions, oldest first, at most {@link historyLimit}; `counts.transitions` counts all. */
  readonly history: ReadonlyArray<Transition>
}

export const historyLimit = 256

/** No event yet. */
export const initial: LifecycleState = {
  status: "requested",
  create: undefined,
  containerId: undefined,
  createdAtMillis: undefined,
  startedAtMillis: undefined,
  exit: undefined,
  pending: undefined,
  startWanted: false,
  restartWanted: false,
  openExecs: {},
  recovery: undefined,
  health: {},
  counts: { starts: 0, execs: 0, oomKills: 0, recoveries: 0, anomalies: 0, transitions: 0 },
  oomEventIds: [],
  history: []
}

const terminal: ReadonlySet<SandboxState> = new Set(["removed", "failed", "lost"])

/** Whether nothing can happen any more; the stream is closed with that event. */
export const isTerminal = (state: LifecycleState): boolean => terminal.has(state.status)

/** Whether an intent has no outcome yet, so that a recovery has to look at the engine. */
export const isInDoubt = (state: LifecycleState): boolean =>
  ["creating", "starting", "stopping", "removing"].includes(state.status) ||
  state.pending !== undefined ||
  Object.keys(state.openExecs).length > 0
