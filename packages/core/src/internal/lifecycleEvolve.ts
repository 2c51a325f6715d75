/** The fold: total over every event in every state. What does not fit is counted and changes nothing else. */
import { historyLimit, type LifecycleState } from "../LifecycleState.ts"
import type { SandboxEvent } from "../SandboxEvent.ts"
import { nextStatus } from "./lifecycleTable.ts"

type Patch = { readonly [K in keyof LifecycleState]?: LifecycleState[K] }

export const evolve = (state: LifecycleState, event: SandboxEvent): LifecycleState => {
  const status = nextStatus(state, event)
  if (status === undefined) return count(state, { anomalies: state.counts.anomalies + 1 })
  const next = { ...state, ...facts(state, event), status }
  return status === state.status ? next : withTransition(next, event)
}

const count = (state: LifecycleState, counts: Partial<LifecycleState["counts"]>): LifecycleState => ({
  ...state,
  counts: { ...state.counts, ...counts }
})

const withTransition = (state: LifecycleState, event: SandboxEvent): LifecycleState => ({
  ...count(state, { transitions: state.counts.transitions + 1 }),
  history: [
    ...state.history.slice(1 - historyLimit),
    {
      status: state.status,
      event: event._tag,
      atMillis: event.atMillis,
      reason: "reason" in event ? event.reason : undefined
    }
  ]
})

const withoutExec = (state: LifecycleState, key: string): Patch => {
  const { [key]: _, ...openExecs } = state.openExecs
  return { openExecs }
}

/** What an accepted event adds besides the status. */
const facts = (state: LifecycleState, event: SandboxEvent): Patch => {
  switch (event._tag) {
    case "CreateIntended":
      return {
        create: event,
        containerId: undefined,
        createdAtMillis: undefined,
        startedAtMillis: undefined,
        startWanted: false
      }
    case "Created":
      return { containerId: event.containerId, createdAtMillis: event.createdAtMillis, exit: undefined }
    case "CreateFailed":
    case "CreateAbandoned":
    case "StartFailed":
      return { startWanted: false }
    case "StartIntended":
      return { startWanted: true }
    case "Started":
      return started(state, event.startedAtMillis)
    case "PauseIntended":
      return { pending: { kind: "pause", sinceMillis: event.atMillis } }
    case "ResumeIntended":
      return { pending: { kind: "resume", sinceMillis: event.atMillis } }
    case "Paused":
    case "PauseFailed":
    case "Resumed":
    case "ResumeFailed":
      return { pending: undefined }
    case "RestartIntended":
      return { restartWanted: true }
    case "Stopped":
      return { pending: undefined, exit: { oomKilled: false, ...state.exit, ...exitOf(event) } }
    case "Died":
      return { pending: undefined, startWanted: false, exit: { ...exitOf(event), oomKilled: event.oomKilled } }
    case "Vanished":
      return { pending: undefined, containerId: undefined, startWanted: false }
    case "Removed":
    case "OrphanReaped":
      return { pending: undefined, containerId: undefined, startWanted: false, restartWanted: false, openExecs: {} }
    case "RecoveryDecided":
      return { recovery: { decision: event.decision, attempt: event.attempt } }
    case "Recovered":
      return { counts: { ...state.counts, recoveries: state.counts.recoveries + 1 } }
    case "HealthChanged":
      return { health: { ...state.health, [event.check]: event.status } }
    case "OomKilled":
      return {
        oomEventIds: [...state.oomEventIds.slice(1 - historyLimit), event.engineEventId],
        counts: { ...state.counts, oomKills: state.counts.oomKills + 1 }
      }
    default:
      return execFacts(state, event)
  }
}

const execFacts = (state: LifecycleState, event: SandboxEvent): Patch => {
  switch (event._tag) {
    case "ExecIntended":
      return {
        openExecs: { ...state.openExecs, [event.execKey]: { execId: undefined } },
        counts: { ...state.counts, execs: state.counts.execs + 1 }
      }
    case "ExecStarted":
      return { openExecs: { ...state.openExecs, [event.execKey]: { execId: event.execId } } }
    case "ExecExited":
    case "ExecFailed":
    case "ExecTimedOut":
    case "ExecLost":
      return withoutExec(state, event.execKey)
    default:
      return {}
  }
}

const started = (state: LifecycleState, startedAtMillis: number): Patch => {
  const over = state.exit !== undefined && state.exit.finishedAtMillis >= startedAtMillis
  return {
    startedAtMillis,
    exit: over ? state.exit : undefined,
    startWanted: false,
    restartWanted: false,
    pending: undefined,
    health: {},
    counts: { ...state.counts, starts: state.counts.starts + 1 }
  }
}

const exitOf = (event: { readonly exitCode: number; readonly finishedAtMillis: number }) => ({
  exitCode: event.exitCode,
  finishedAtMillis: event.finishedAtMillis
})
