/**
 * The life of one alert, pure: inactive → pending → firing → resolved. Observations and acknowledgements go in, events come out; time
 * comes with the observation. What is not measured neither fires nor resolves, and an episode fires once.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { Decider } from "@sbx/journal/Decider"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { AlertEvent, AlertKey } from "./AlertEvent.ts"
import { isAlertEvent, Severity } from "./AlertEvent.ts"
import type { AlertRule } from "./AlertRule.ts"
import { breaches } from "./AlertRule.ts"
import type { ResourceEvent } from "./ResourceEvent.ts"
import { family } from "./ResourceEvent.ts"

/** What somebody has said about a firing alert. */
const Acknowledgement = Schema.Struct({ by: Schema.String, note: Schema.String, atMillis: Schema.Finite })

/** What is on record about an alert: the newest episode. A fold of its events. */
export const Episode = Schema.TaggedUnion({
  none: {},
  firing: {
    episode: Schema.Int,
    /** The container's name when it fired. */
    name: Schema.String,
    severity: Severity,
    firedAtMillis: Schema.Finite,
    /** The value that fired it. */
    value: Schema.Finite,
    acknowledged: Schema.optionalKey(Acknowledgement)
  },
  resolved: { episode: Schema.Int, resolvedAtMillis: Schema.Finite }
})
export type Episode = typeof Episode.Type

/**
 * A breach that has not held for long enough. Kept in memory only: a process that starts later begins it anew, so it may fire later
 * than without the restart, never earlier.
 */
export interface Pending {
  /** Wall clock of the first breach, milliseconds since 1970. */
  readonly sinceMillis: number
  /** How long the breach was seen to hold; time without a measurement is not in it. */
  readonly heldMillis: number
  /** Whether the newest observation was a breach; false after a gap in the measurement. */
  readonly contiguous: boolean
}

export interface AlertState {
  readonly episode: Episode
  readonly pending: Pending | undefined
}

export type Phase = "inactive" | "pending" | "firing" | "resolved"

/** What a state is called. */
export const phaseOf = ({ episode, pending }: AlertState): Phase => {
  if (episode._tag === "firing") return "firing"
  if (pending !== undefined) return "pending"
  return episode._tag === "resolved" ? "resolved" : "inactive"
}

export const initial: AlertState = { episode: { _tag: "none" }, pending: undefined }

/** Says that somebody has taken the alert up. */
export interface Acknowledge {
  readonly _tag: "Acknowledge"
  readonly by: string
  readonly note: string
  readonly atMillis: number
}

export type AlertCommand =
  | {
      readonly _tag: "Observe"
      /** Absent when the metric was not measured. */
      readonly value: number | undefined
      /** Wall clock, milliseconds since 1970: what is recorded, and what the cooldown is measured by. */
      readonly atMillis: number
      /** Time since the observation before by the sampler's account, which is what `for` is measured by; absent when it has none. */
      readonly intervalMillis: number | undefined
    }
  /** The container was removed. */
  | { readonly _tag: "LoseTarget"; readonly atMillis: number }
  | Acknowledge

/** Only a firing alert can be acknowledged. */
export class AlertNotFiring extends Schema.TaggedError<AlertNotFiring>()("AlertNotFiring", {
  rule: Schema.String,
  containerId: Schema.String
}) {
  override get message() {
    return `Could not acknowledge the alert ${this.rule} on ${this.containerId}: it is not firing.\nIt was resolved or never fired; see the alerts' history.`
  }
}

/** A step of the machine: where it is now, and what has to be recorded for that. */
export interface Step {
  readonly state: AlertState
  readonly events: ReadonlyArray<AlertEvent>
}

/** Folds one event: the newest episode, and nothing pending. */
export const evolve = (state: AlertState, event: AlertEvent): AlertState => {
  const { episode } = state
  switch (event._tag) {
    case "AlertFired": {
      const { atMillis: firedAtMillis, name, severity, value } = event
      const facts = { episode: event.episode, name, severity, firedAtMillis, value }
      return { episode: { _tag: "firing", ...facts }, pending: undefined }
    }
    case "AlertAcknowledged": {
      if (episode._tag !== "firing" || episode.episode !== event.episode) return state
      const { atMillis, by, note } = event
      return { ...state, episode: { ...episode, acknowledged: { by, note, atMillis } } }
    }
    case "AlertResolved":
      return {
        episode: { _tag: "resolved", episode: event.episode, resolvedAtMillis: event.atMillis },
        pending: undefined
      }
  }
}

/** Takes one command. Acknowledging what is acknowledged already changes nothing: the first one stands. */
export const step = (
  rule: AlertRule,
  target: ContainerTarget,
  state: AlertState,
  command: AlertCommand
): Result.Result<Step, AlertNotFiring> => {
  const { containerId, name } = target
  const of = (episode: number) => ({
    rule: rule.name,
    containerId,
    name,
    episode,
    atMillis: command.atMillis
  })
  const recorded = (event: AlertEvent) => Result.succeed({ state: evolve(state, event), events: [event] })
  const { episode } = state
  switch (command._tag) {
    case "Acknowledge":
      return Result.map(acknowledge({ rule: rule.name, containerId }, episode, command), (events) => ({
        state: events.reduce(evolve, state),
        events
      }))
    case "LoseTarget":
      return episode._tag === "firing"
        ? recorded({ _tag: "AlertResolved", ...of(episode.episode), reason: "target-lost" })
        : silent({ ...state, pending: undefined })
    case "Observe": {
      const { value } = command
      if (value === undefined || !Number.isFinite(value)) return silent(afterGap(state))
      if (episode._tag === "firing")
        return breaches(rule, value, rule.resolveThreshold)
          ? silent(state)
          : recorded({ _tag: "AlertResolved", ...of(episode.episode), reason: "recovered", value })
      if (!breaches(rule, value, rule.threshold)) return silent({ ...state, pending: undefined })
      const pending = hold(state.pending, command)
      if (pending.heldMillis < rule.forMillis || isCooling(rule, episode, command.atMillis))
        return silent({ ...state, pending })
      const { comparison, metric, severity, threshold } = rule
      const { heldMillis } = pending
      const facts = { severity, metric, comparison, threshold, value, heldMillis }
      const next = episode._tag === "none" ? 1 : episode.episode + 1
      return recorded({ _tag: "AlertFired", ...of(next), ...facts })
    }
  }
}

const acknowledge = (
  key: AlertKey,
  episode: Episode,
  { atMillis, by, note }: Acknowledge
): Result.Result<ReadonlyArray<AlertEvent>, AlertNotFiring> => {
  if (episode._tag !== "firing") return Result.fail(new AlertNotFiring(key))
  if (episode.acknowledged !== undefined) return Result.succeed([])
  const { episode: number, name } = episode
  return Result.succeed([{ _tag: "AlertAcknowledged", ...key, name, episode: number, atMillis, by, note }])
}

const silent = (state: AlertState) => Result.succeed<Step>({ state, events: [] })

/** The time until the next measurement will not count: nobody knows what the value was in between. */
export const afterGap = (state: AlertState): AlertState =>
  state.pending === undefined ? state : { ...state, pending: { ...state.pending, contiguous: false } }

const hold = (
  pending: Pending | undefined,
  { atMillis, intervalMillis = 0 }: { readonly atMillis: number; readonly intervalMillis: number | undefined }
): Pending => {
  if (pending === undefined) return { sinceMillis: atMillis, heldMillis: 0, contiguous: true }
  const grown = pending.contiguous && intervalMillis > 0 ? intervalMillis : 0
  return { ...pending, heldMillis: pending.heldMillis + grown, contiguous: true }
}

/** A wall clock that was set back to before the resolve must not silence the alert until it is there again: no cooldown then. */
const isCooling = (rule: AlertRule, episode: Episode, atMillis: number): boolean => {
  if (episode._tag !== "resolved") return false
  const passed = atMillis - episode.resolvedAtMillis
  return passed >= 0 && passed < rule.cooldownMillis
}

const onRecord = (state: AlertState, event: ResourceEvent) => (isAlertEvent(event) ? evolve(state, event) : state)

/**
 * The machine as a decider of the alert's stream. What is pending is not on record, so it comes with the decider; the state that is
 * loaded has none.
 */
export const decider = (
  rule: AlertRule,
  target: ContainerTarget,
  pending: Pending | undefined
): Decider<ResourceEvent, AlertState, AlertCommand, AlertNotFiring> => ({
  family,
  initial,
  evolve: onRecord,
  decide: (command, state) => Result.map(step(rule, target, { ...state, pending }, command), ({ events }) => events)
})

/** The part of the machine that needs no rule: what any process can tell an alert that it knows the name of. */
export const acknowledging = (key: AlertKey): Decider<ResourceEvent, AlertState, Acknowledge, AlertNotFiring> => ({
  family,
  initial,
  evolve: onRecord,
  decide: (command, { episode }) => acknowledge(key, episode, command)
})
