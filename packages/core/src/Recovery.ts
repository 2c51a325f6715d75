/**
 * What an exit means and what to do about it, as pure decisions: classes from exit code and the engine's OOM flag, never from
 * texts; exponential delays with jitter; a budget in a sliding window. Random numbers and times come in from outside.
 */
import * as Duration from "effect/Duration"
import type { ExitInfo } from "./Sandbox.ts"

/**
 * `signal`: 128 + n, as shells and engines report death by signal n (1 to 64). `not-started`: 126 or 127, as init and shells
 * report a program that cannot be run; repeating does not help. `out-of-memory` wins over the SIGKILL it comes as.
 */
export type ExitClass =
  | { readonly kind: "completed" }
  | { readonly kind: "error"; readonly exitCode: number }
  | { readonly kind: "not-started"; readonly exitCode: number }
  | { readonly kind: "signal"; readonly signal: number }
  | { readonly kind: "out-of-memory" }

export const classifyExit = ({ exitCode, oomKilled }: Pick<ExitInfo, "exitCode" | "oomKilled">): ExitClass => {
  if (oomKilled) return { kind: "out-of-memory" }
  if (exitCode === 0) return { kind: "completed" }
  if (exitCode === 126 || exitCode === 127) return { kind: "not-started", exitCode }
  return exitCode > 128 && exitCode <= 192 ? { kind: "signal", signal: exitCode - 128 } : { kind: "error", exitCode }
}

export interface RestartPolicy {
  /** Classes of exits that are restarted; others are given up. */
  readonly restartOn: ReadonlyArray<ExitClass["kind"]>
  /** Before the first restart; each further one waits `factor` times as long, up to `maxDelay`. */
  readonly initialDelay: Duration.Input
  readonly factor: number
  readonly maxDelay: Duration.Input
  /** Share of the delay that is random, 0 to 1: 0.2 makes it 80 % to 120 %. */
  readonly jitter: number
  /** Restarts within `window`; the next exit is given up. */
  readonly budget: number
  readonly window: Duration.Input
  /** A run this long makes the next delay the first again. */
  readonly stableAfter: Duration.Input
  /** Refuses sandboxes whose workspace does not outlive a restart. */
  readonly keepWorkspace: boolean
}

/** Restarts all but clean ends and programs that cannot run: 100 ms, 200 ms, … 10 s; five in a minute. */
export const defaults: RestartPolicy = {
  restartOn: ["error", "signal", "out-of-memory"],
  initialDelay: "100 millis",
  factor: 2,
  maxDelay: "10 seconds",
  jitter: 0.2,
  budget: 5,
  window: "1 minute",
  stableAfter: "10 seconds",
  keepWorkspace: true
}

/** What happened so far. */
export interface RecoveryHistory {
  /** When each restart was decided, milliseconds since the epoch. */
  readonly restartsAtMillis: ReadonlyArray<number>
  /** Restarts since the last stable run. */
  readonly streak: number
}

export const noHistory: RecoveryHistory = { restartsAtMillis: [], streak: 0 }

export type Decision =
  | { readonly decision: "restart"; readonly attempt: number; readonly delayMillis: number; readonly reason: string }
  | { readonly decision: "give-up"; readonly attempt: number; readonly delayMillis: 0; readonly reason: string }

export const describeExit = (exit: ExitClass): string => {
  switch (exit.kind) {
    case "signal":
      return `killed by signal ${exit.signal}`
    case "error":
    case "not-started":
      return `${exit.kind}: exit code ${exit.exitCode}`
    default:
      return exit.kind
  }
}

/** `random` is uniform in 0 to 1; `ranMillis` is how long the sandbox ran before it ended, by the engine's clock. */
export const decide = (
  policy: RestartPolicy,
  history: RecoveryHistory,
  exit: ExitClass,
  facts: { readonly nowMillis: number; readonly ranMillis: number; readonly random: number }
): { readonly decision: Decision; readonly history: RecoveryHistory } => {
  const since = facts.nowMillis - Duration.toMillis(policy.window)
  const recent = history.restartsAtMillis.filter((at) => at > since)
  const streak = facts.ranMillis >= Duration.toMillis(policy.stableAfter) ? 0 : history.streak
  const attempt = recent.length + 1
  const giveUp = (reason: string) => ({
    decision: { decision: "give-up", attempt, delayMillis: 0, reason } as const,
    history: { restartsAtMillis: recent, streak }
  })
  const what = describeExit(exit)
  if (!policy.restartOn.includes(exit.kind)) return giveUp(`${what}: not to be restarted`)
  if (recent.length >= policy.budget) {
    return giveUp(
      `${what}: ${recent.length} restarts within ${Duration.format(Duration.fromInputUnsafe(policy.window))}`
    )
  }
  const plain = Math.min(
    Duration.toMillis(policy.initialDelay) * policy.factor ** streak,
    Duration.toMillis(policy.maxDelay)
  )
  const delayMillis = plain * (1 + policy.jitter * (2 * facts.random - 1))
  return {
    decision: { decision: "restart", attempt, delayMillis, reason: what },
    history: { restartsAtMillis: [...recent, facts.nowMillis], streak: streak + 1 }
  }
}
