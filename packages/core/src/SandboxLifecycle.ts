/**
 * The sandbox lifecycle as a pure decider: `decide(command, state)` gives events or a rejection, `evolve` folds them.
 * Refuses transitions that the table forbids and anything after a terminal status. No clock, randomness or engine inside.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { decideIntent, decideReport } from "./internal/lifecycleDecide.ts"
import { evolve } from "./internal/lifecycleEvolve.ts"
import { observe } from "./internal/lifecycleObserve.ts"
import { initial, isTerminal, type LifecycleState } from "./LifecycleState.ts"
import { intentFields, OutcomeEvent, type SandboxEvent } from "./SandboxEvent.ts"

/** What a listing or inspect showed: `Present` fields are the engine's own words, absent where it gave none. */
export const ContainerObservation = Schema.TaggedUnion({
  Absent: {},
  Present: {
    containerId: Schema.String,
    status: Schema.Literals(["created", "running", "paused", "restarting", "removing", "exited", "dead"]),
    createdAtMillis: Schema.Finite,
    startedAtMillis: Schema.optionalKey(Schema.Finite),
    finishedAtMillis: Schema.optionalKey(Schema.Finite),
    exitCode: Schema.optionalKey(Schema.Int),
    oomKilled: Schema.Boolean
  }
})
export type ContainerObservation = typeof ContainerObservation.Type

/** Ask for a change of the world; accepted ones yield the matching `…Intended`. */
export const IntentCommand = Schema.TaggedUnion(intentFields)
export type IntentCommand = typeof IntentCommand.Type

export const SandboxCommand = Schema.TaggedUnion({
  ...intentFields,
  /** What became of an intent, or an engine event. A repeat of what is known yields no event. */
  Report: { outcome: OutcomeEvent },
  /** What a listing showed; yields the events that make the state agree with it. Never rejected. */
  Observe: { atMillis: Schema.Finite, container: ContainerObservation }
})
export type SandboxCommand = typeof SandboxCommand.Type

export const RejectionReason = Schema.Literals([
  "illegal-transition",
  "terminal",
  "wrong-attempt",
  "in-flight",
  "duplicate-exec",
  "unknown-exec",
  "other-container"
])
export type RejectionReason = typeof RejectionReason.Type

const explanations: Record<RejectionReason, string> = {
  "illegal-transition": "that is not possible in this status",
  terminal: "its life is over",
  "wrong-attempt": "attempts are numbered from 1 without gaps",
  "in-flight": "a start, pause or resume is under way",
  "duplicate-exec": "an exec with this key is running",
  "unknown-exec": "no exec with this key is open",
  "other-container": "another container is known for it"
}

/** The command does not fit the state. Nothing happened. */
export class LifecycleRejection extends Schema.TaggedError<LifecycleRejection>()("LifecycleRejection", {
  /** Tag of the command, or of the reported outcome. */
  command: Schema.String,
  status: Schema.String,
  reason: RejectionReason
}) {
  override get message() {
    return `Could not ${this.command} the sandbox: it is ${this.status} and ${explanations[this.reason]}.`
  }
}

/** Events to append, oldest first; empty when the command tells nothing new. */
export const decide = (
  command: SandboxCommand,
  state: LifecycleState
): Result.Result<ReadonlyArray<SandboxEvent>, LifecycleRejection> => {
  if (command._tag === "Observe") return Result.succeed(observe(state, command.container, command.atMillis))
  const decision = command._tag === "Report" ? decideReport(command.outcome, state) : decideIntent(command, state)
  if (typeof decision !== "string") return Result.succeed(decision)
  const name = command._tag === "Report" ? command.outcome._tag : command._tag
  return Result.fail(new LifecycleRejection({ command: name, status: state.status, reason: decision }))
}

/** The state after all events of a stream, oldest first. */
export const fold = (events: Iterable<SandboxEvent>, from: LifecycleState = initial): LifecycleState => {
  let state = from
  for (const event of events) state = evolve(state, event)
  return state
}

export { evolve }

/** The decider as one value. */
export const SandboxLifecycle = { initial, decide, evolve, isTerminal } as const
