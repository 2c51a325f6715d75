/**
 * What to do about a failure, as pure decisions: an action for each class, exponential delays with jitter, a budget in a sliding
 * window. Random numbers and times come in from outside; what happened so far is a fold of the sandbox's events.
 */
import * as Duration from "effect/Duration"
import { describe, type FailureClass } from "./FailureClass.ts"
import type { FailureKind, RecoveryDecision, SandboxEvent } from "./SandboxEvent.ts"

/**
 * `restart`: the same container; what is gone can only be recreated. `recreate`: a new one from the recorded spec. `terminate`: remove the sandbox. `give-up`: leave
 * it as it is and say so, for a person to look at.
 */
export type Action = RecoveryDecision

export interface RecoveryPolicy {
  /** What is done about each class. */
  readonly actions: Readonly<Record<FailureKind, Action>>
  /** Before the first restart; each further one waits `factor` times as long, up to `maxDelay`. */
  readonly initialDelay: Duration.Input
  readonly factor: number
  readonly maxDelay: Duration.Input
  /** Share of the delay that is random, 0 to 1: 0.2 makes it 80 % to 120 %. */
  readonly jitter: number
  /** Restarts and recreations within `window`; the next failure is given up. */
  readonly budget: number
  readonly window: Duration.Input
  /** What is done when the budget is used. */
  readonly whenSpent: "give-up" | "terminate"
  /** A run this long makes the next delay the first again. The budget comes back only with its window. */
  readonly stableAfter: Duration.Input
  /**
   * The files in the workspace are there after a recovery: refuses sandboxes whose workspace does not outlive one. Otherwise a
   * recreation begins with an empty one.
   */
  readonly keepWorkspace: boolean
  /** Between SIGTERM and SIGKILL, for a sandbox that is unhealthy and still runs. */
  readonly stopGrace: Duration.Input
  /** One restart or recreation; an engine that takes longer has failed at it. */
  readonly attemptTimeout: Duration.Input
}

/** Recovers from all but clean ends and programs that cannot run: 100 ms, 200 ms, … 10 s; five in a minute. */
export const defaults: RecoveryPolicy = {
  actions: {
    completed: "give-up",
    error: "restart",
    "not-started": "give-up",
    signal: "restart",
    "out-of-memory": "restart",
    "start-failed": "restart",
    vanished: "recreate",
    unhealthy: "restart"
  },
  initialDelay: "100 millis",
  factor: 2,
  maxDelay: "10 seconds",
  jitter: 0.2,
  budget: 5,
  window: "1 minute",
  whenSpent: "give-up",
  stableAfter: "10 seconds",
  keepWorkspace: true,
  stopGrace: "2 seconds",
  attemptTimeout: "30 seconds"
}

/** What is no policy about it, a sentence each. */
export const issuesOf = (policy: RecoveryPolicy): ReadonlyArray<string> => {
  const durations = ["initialDelay", "maxDelay", "window", "stableAfter", "stopGrace", "attemptTimeout"] as const
  return [
    ...durations
      .filter((name) => !isLength(policy[name], name === "window" || name === "attemptTimeout"))
      .map((name) => `${name} is no length of time that makes sense`),
    ...(policy.factor >= 1 && Number.isFinite(policy.factor) ? [] : [`factor is ${policy.factor}, expected 1 or more`]),
    ...(policy.jitter >= 0 && policy.jitter <= 1 ? [] : [`jitter is ${policy.jitter}, expected 0 to 1`]),
    ...(Number.isInteger(policy.budget) && policy.budget >= 0
      ? []
      : [`budget is ${policy.budget}, expected a whole number from 0`])
  ]
}

/** Finite and not negative; more than zero where nothing could happen in no time. */
export const isLength = (input: Duration.Input, positive: boolean): boolean => {
  const decoded = Duration.fromInput(input)
  if (decoded._tag === "None") return false
  const millis = Duration.toMillis(decoded.value)
  return Number.isFinite(millis) && (positive ? millis > 0 : millis >= 0)
}

/** What happened so far. */
export interface RecoveryHistory {
  /** When each restart or recreation was decided, milliseconds since the epoch. */
  readonly decidedAtMillis: ReadonlyArray<number>
  /** Of them, those since the last stable run. */
  readonly streak: number
  /** As it was before the newest decision, should that be skipped. */
  readonly before: { readonly decidedAtMillis: ReadonlyArray<number>; readonly streak: number } | undefined
}

export const noHistory: RecoveryHistory = { decidedAtMillis: [], streak: 0, before: undefined }

/** The fold: a supervisor that comes later, or replays, goes on where the one before it was. */
export const evolve = (policy: RecoveryPolicy, history: RecoveryHistory, event: SandboxEvent): RecoveryHistory => {
  switch (event._tag) {
    case "FailureClassified":
      return (event.ranMillis ?? -1) >= Duration.toMillis(policy.stableAfter) ? { ...history, streak: 0 } : history
    case "RecoveryDecided": {
      if (event.decision !== "restart" && event.decision !== "recreate") return history
      const { decidedAtMillis, streak } = history
      return {
        decidedAtMillis: [...within(policy, decidedAtMillis, event.atMillis), event.atMillis],
        streak: streak + 1,
        before: { decidedAtMillis, streak }
      }
    }
    case "RecoverySkipped":
      return history.before === undefined ? history : { ...history.before, before: undefined }
    default:
      return history
  }
}

const within = (policy: RecoveryPolicy, times: ReadonlyArray<number>, nowMillis: number) =>
  times.filter((at) => at > nowMillis - Duration.toMillis(policy.window))

export interface Decision {
  readonly decision: RecoveryDecision
  /** 1-based, within the window. */
  readonly attempt: number
  /** 0 for `give-up` and `terminate`. */
  readonly delayMillis: number
  readonly reason: string
}

/** `random` is uniform in 0 to 1. The failure is in the history already. */
export const decide = (
  policy: RecoveryPolicy,
  history: RecoveryHistory,
  failure: FailureClass,
  facts: { readonly nowMillis: number; readonly random: number; readonly hasContainer: boolean }
): Decision => {
  const recent = within(policy, history.decidedAtMillis, facts.nowMillis)
  const attempt = recent.length + 1
  const what = describe(failure)
  const wanted = policy.actions[failure.kind]
  const action = wanted === "restart" && !facts.hasContainer ? "recreate" : wanted
  if (action === "give-up") {
    return { decision: action, attempt, delayMillis: 0, reason: `${what}: not to be restarted` }
  }
  if (action === "terminate") return { decision: action, attempt, delayMillis: 0, reason: what }
  if (recent.length >= policy.budget) {
    const window = Duration.format(Duration.fromInputUnsafe(policy.window))
    const reason = `${what}: ${recent.length} restarts within ${window}`
    return { decision: policy.whenSpent, attempt, delayMillis: 0, reason }
  }
  const plain = Math.min(
    Duration.toMillis(policy.initialDelay) * policy.factor ** history.streak,
    Duration.toMillis(policy.maxDelay)
  )
  const delayMillis = plain * (1 + policy.jitter * (2 * facts.random - 1))
  return { decision: action, attempt, delayMillis, reason: what }
}
