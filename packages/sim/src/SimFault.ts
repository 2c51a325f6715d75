/**
 * The faults that a simulated engine can be told to have: which exist, when one fires, and how often each has fired. Nothing fires
 * unless a rule says so. Whether it fires is drawn from the world's own randomness, so a seed replays it.
 */
import * as Schema from "effect/Schema"

/**
 * - `latency`: the request takes longer on the wire.
 * - `slow`: the engine's work on the object takes longer; others see it half done.
 * - `refusal`: the engine answers 500 and does nothing.
 * - `transport-failure`: the connection breaks before the engine reads the request; nothing is done.
 * - `lost-reply`: the engine does it and the connection breaks before the answer.
 * - `late-effect`: the engine's work outlasts the client's patience and is done all the same (moby#24858).
 * - `late-exit-code`: an exec's output ends before its exit code is recorded.
 * - `duplicate-event`, `missed-event`, `cut-events`: to one subscriber of events, as one event happens.
 * - `engine-restart`: the engine dies with the call in flight and comes back; what ran is exited, execs are forgotten.
 */
export const FaultKind = Schema.Literals([
  "latency",
  "slow",
  "refusal",
  "transport-failure",
  "lost-reply",
  "late-effect",
  "late-exit-code",
  "duplicate-event",
  "missed-event",
  "cut-events",
  "engine-restart"
])
export type FaultKind = typeof FaultKind.Type

/** When a fault of one kind fires. */
export interface FaultRule {
  /** Probability for each opportunity, 0 to 1. Absent: 1. */
  readonly rate?: number
  /** Only calls of these operations, as the engine's errors name them (`create container`); for events, the action. Absent: all. */
  readonly operations?: ReadonlyArray<string>
  /** Fires so many times at most. Absent: no bound. */
  readonly times?: number
  /** Shortest and longest duration that the fault adds, milliseconds. Each kind has a default. */
  readonly millis?: readonly [shortest: number, longest: number]
}

/** The rules of one world. A rule replaces the one before it of the same kind. */
export interface FaultBook {
  readonly set: (kind: FaultKind, rule: FaultRule) => void
  readonly clear: (kind: FaultKind) => void
  /** Switches all off; the counts stay. */
  readonly clearAll: () => void
  /** How often each kind has fired since the world began. */
  readonly counts: () => Readonly<Record<FaultKind, number>>
}
