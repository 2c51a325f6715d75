/** Accepts, deduplicates (no events) or rejects (a reason) one intent or one reported outcome. */
import { isTerminal, type LifecycleState } from "../LifecycleState.ts"
import type { IntentEvent, OutcomeEvent, SandboxEvent } from "../SandboxEvent.ts"
import type { IntentCommand, RejectionReason } from "../SandboxLifecycle.ts"
import { nextStatus } from "./lifecycleTable.ts"

export type Decision = ReadonlyArray<SandboxEvent> | RejectionReason

export const decideIntent = (command: IntentCommand, state: LifecycleState): Decision => {
  if (isTerminal(state)) return "terminal"
  const event = intended(command)
  if (nextStatus(state, event) === undefined) return "illegal-transition"
  switch (event._tag) {
    case "CreateIntended":
      return event.attempt === (state.create?.attempt ?? 0) + 1 ? [event] : "wrong-attempt"
    case "StartIntended":
      return state.startWanted ? "in-flight" : [event]
    case "PauseIntended":
    case "ResumeIntended":
      return state.pending === undefined ? [event] : "in-flight"
    case "ExecIntended":
      return state.openExecs[event.execKey] === undefined ? [event] : "duplicate-exec"
    default:
      return [event]
  }
}

const intended = (command: IntentCommand): IntentEvent => {
  switch (command._tag) {
    case "Create":
      return { ...command, _tag: "CreateIntended" }
    case "Start":
      return { ...command, _tag: "StartIntended" }
    case "Pause":
      return { ...command, _tag: "PauseIntended" }
    case "Resume":
      return { ...command, _tag: "ResumeIntended" }
    case "Stop":
      return { ...command, _tag: "StopIntended" }
    case "Restart":
      return { ...command, _tag: "RestartIntended" }
    case "Exec":
      return { ...command, _tag: "ExecIntended" }
    case "Remove":
      return { ...command, _tag: "RemoveIntended" }
  }
}

export const decideReport = (outcome: OutcomeEvent, state: LifecycleState): Decision => {
  if (isKnown(outcome, state)) return []
  if (isTerminal(state)) return "terminal"
  if (nextStatus(state, outcome) === undefined) return "illegal-transition"
  switch (outcome._tag) {
    case "Created":
      return state.containerId === undefined ? [outcome] : "other-container"
    case "ExecStarted":
    case "ExecExited":
    case "ExecFailed":
    case "ExecTimedOut":
    case "ExecLost":
      return state.openExecs[outcome.execKey] === undefined ? "unknown-exec" : [outcome]
    default:
      return [outcome]
  }
}

/** Engine events and listings repeat themselves; what they repeat is recognised by the engine's own times and ids. */
const isKnown = (outcome: OutcomeEvent, state: LifecycleState): boolean => {
  switch (outcome._tag) {
    case "Created":
      return state.containerId === outcome.containerId
    case "Started":
      return state.startedAtMillis !== undefined && outcome.startedAtMillis <= state.startedAtMillis
    case "Paused":
      return state.status === "paused"
    case "Resumed":
      return state.status === "running" && state.pending === undefined
    case "Stopped":
    case "Died":
      return (
        state.exit !== undefined && outcome.finishedAtMillis <= state.exit.finishedAtMillis && !isStop(outcome, state)
      )
    case "OomKilled":
      return state.oomEventIds.includes(outcome.engineEventId)
    case "Vanished":
      return state.create !== undefined && state.containerId === undefined && state.status === "stopped"
    case "Removed":
      return state.status === "removed"
    default:
      return false
  }
}

/** A death seen while stopping is not yet the outcome of the stop. */
const isStop = (outcome: OutcomeEvent, state: LifecycleState) =>
  outcome._tag === "Stopped" && state.status === "stopping"
