/**
 * Level-triggered reconciliation, pure: the outcome events that bring a state into agreement with what the engine shows.
 * An exit code is taken from the engine or not at all; "absent" ends a create only after its deadline (moby#24858).
 */
import { isTerminal, type LifecycleState } from "../LifecycleState.ts"
import type { OutcomeEvent } from "../SandboxEvent.ts"
import type { ContainerObservation } from "../SandboxLifecycle.ts"
import { evolve } from "./lifecycleEvolve.ts"

type Present = Extract<ContainerObservation, { readonly _tag: "Present" }>

/** A pause or resume that the engine has not shown for so long did not happen; equals the create deadline. */
const settleMillis = 10_000

/** Longest chain there is: Created, Started, Died. More would be a cycle. */
const maxSteps = 4

export const observe = (
  state: LifecycleState,
  container: ContainerObservation,
  atMillis: number
): ReadonlyArray<OutcomeEvent> => {
  const events: Array<OutcomeEvent> = []
  let current = state
  while (events.length < maxSteps) {
    const event = isTerminal(current) ? undefined : step(current, container, atMillis)
    if (event === undefined) return events
    events.push(event)
    current = evolve(current, event)
  }
  return events
}

const step = (state: LifecycleState, container: ContainerObservation, atMillis: number): OutcomeEvent | undefined =>
  container._tag === "Absent" ? whenAbsent(state, atMillis) : whenPresent(state, container, atMillis)

const whenAbsent = (state: LifecycleState, atMillis: number): OutcomeEvent | undefined => {
  const pastDeadline = state.create !== undefined && atMillis >= state.create.deadlineMillis
  switch (state.status) {
    case "requested":
      return undefined
    case "creating":
      return pastDeadline
        ? { _tag: "CreateAbandoned", atMillis, reason: "no such container at the create deadline" }
        : undefined
    case "removing":
      return state.containerId !== undefined || pastDeadline ? { _tag: "Removed", atMillis } : undefined
    default:
      return state.containerId === undefined
        ? undefined
        : { _tag: "Vanished", atMillis, reason: "the engine has no such container" }
  }
}

const whenPresent = (state: LifecycleState, seen: Present, atMillis: number): OutcomeEvent | undefined => {
  if (state.status === "creating") {
    return seen.containerId === state.create?.replaces
      ? undefined
      : { _tag: "Created", atMillis, containerId: seen.containerId, createdAtMillis: seen.createdAtMillis }
  }
  if (seen.containerId !== state.containerId) return undefined
  switch (state.status) {
    case "created":
    case "starting":
    case "stopped":
      return startSeen(state, seen, atMillis)
    case "running":
    case "paused":
      return startSeen(state, seen, atMillis) ?? died(seen, atMillis) ?? pauseSeen(state, seen, atMillis)
    case "stopping":
      return stopped(seen, atMillis)
    default:
      return undefined
  }
}

const startSeen = (state: LifecycleState, seen: Present, atMillis: number): OutcomeEvent | undefined =>
  state.status !== "paused" && seen.startedAtMillis !== undefined && seen.startedAtMillis > (state.startedAtMillis ?? 0)
    ? { _tag: "Started", atMillis, startedAtMillis: seen.startedAtMillis }
    : undefined

const ended = (seen: Present) =>
  (seen.status === "exited" || seen.status === "dead") &&
  seen.exitCode !== undefined &&
  seen.finishedAtMillis !== undefined
    ? { exitCode: seen.exitCode, finishedAtMillis: seen.finishedAtMillis }
    : undefined

const died = (seen: Present, atMillis: number): OutcomeEvent | undefined => {
  const end = ended(seen)
  return end === undefined ? undefined : { _tag: "Died", atMillis, ...end, oomKilled: seen.oomKilled }
}

const stopped = (seen: Present, atMillis: number): OutcomeEvent | undefined => {
  const end = ended(seen)
  return end === undefined ? undefined : { _tag: "Stopped", atMillis, ...end }
}

const pauseSeen = (state: LifecycleState, seen: Present, atMillis: number): OutcomeEvent | undefined => {
  const overdue = state.pending !== undefined && atMillis - state.pending.sinceMillis >= settleMillis
  if (state.status === "running") {
    if (seen.status === "paused") return { _tag: "Paused", atMillis }
    return overdue ? { _tag: "PauseFailed", atMillis, reason: "the engine shows it running" } : undefined
  }
  if (seen.status === "running") return { _tag: "Resumed", atMillis }
  return overdue ? { _tag: "ResumeFailed", atMillis, reason: "the engine shows it paused" } : undefined
}
