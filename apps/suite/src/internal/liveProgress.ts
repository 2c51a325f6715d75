/** A run as it goes: a verdict line for each scenario that ends, and in one status what is going on. Folds the run's events. */
import type { RunEvent } from "@sbx/core/RunEvent"
import * as Verdict from "@sbx/core/Verdict"
import type { ScenarioReport } from "@sbx/core/RunReport"

export interface Live {
  readonly total: number
  readonly done: number
  /** Scenario and its present step. */
  readonly running: ReadonlyMap<string, string>
}

export const initial: Live = { total: 0, done: 0, running: new Map() }

export const evolve = (live: Live, event: RunEvent): Live => {
  switch (event._tag) {
    case "RunStarted":
      return { ...initial, total: event.scenarios.length }
    case "ScenarioStarted":
      return { ...live, running: new Map([...live.running, [event.scenario, ""]]) }
    case "StepStarted":
      return { ...live, running: new Map([...live.running, [event.scenario, event.step]]) }
    case "ScenarioFinished":
    case "ScenarioSkipped": {
      const running = new Map(live.running)
      running.delete(event.scenario)
      return { ...live, done: live.done + 1, running }
    }
    case "RunFinished":
    case "RunInterrupted":
      return { ...live, running: new Map() }
    default:
      return live
  }
}

/** `[3/8] chaos/cpu-stress: prove; monitor/attribution`. */
export const status = ({ total, done, running }: Live): string =>
  running.size === 0
    ? ""
    : `[${done}/${total}] ${[...running].map(([name, step]) => (step === "" ? name : `${name}: ${step}`)).join("; ")}`

/** What an event says about how a scenario ended; nothing when it says nothing about that. */
export const ended = (
  event: RunEvent
): Pick<ScenarioReport, "name" | "status" | "verdict" | "durationMillis" | "reason"> | undefined => {
  if (event._tag === "ScenarioFinished") {
    const { scenario: name, verdict, durationMillis } = event
    return { name, status: "finished", verdict, durationMillis }
  }
  return event._tag === "ScenarioSkipped"
    ? {
        name: event.scenario,
        status: "skipped",
        verdict: Verdict.unknown(`skipped: ${event.reason}`),
        durationMillis: 0,
        reason: event.reason
      }
    : undefined
}
