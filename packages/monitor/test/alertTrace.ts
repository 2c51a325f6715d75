/** Runs the alert machine over a list of observations, a second apart, and writes down what came out. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { AlertCommand, AlertState } from "../src/AlertDecider.ts"
import { initial, step } from "../src/AlertDecider.ts"
import type { AlertEvent } from "../src/AlertEvent.ts"
import type { AlertRule, AlertRuleOptions } from "../src/AlertRule.ts"
import * as AlertRules from "../src/AlertRule.ts"

export const subject: ContainerTarget = { containerId: "c0ffee", name: "subject" }

/** A rule that is known to be right. */
export const rule = (options: Partial<AlertRuleOptions> = {}): AlertRule =>
  Effect.runSync(AlertRules.make({ name: "memory", metric: "memoryPercentOfLimit", threshold: 80, ...options }))

export interface Trace {
  readonly state: AlertState
  readonly events: ReadonlyArray<AlertEvent>
}

/** A refused command changes nothing. */
export const play = (of: AlertRule, commands: ReadonlyArray<AlertCommand>, from: AlertState = initial): Trace => {
  let state = from
  const events: Array<AlertEvent> = []
  for (const command of commands) {
    const stepped = step(of, subject, state, command)
    if (Result.isFailure(stepped)) continue
    state = stepped.success.state
    events.push(...stepped.success.events)
  }
  return { state, events }
}

/** A measured value, `undefined` for one that was not measured, `lost` or an acknowledgement; the first at 1 s. */
export type Given = number | undefined | "lost" | "ack"

export const commandsOf = (given: ReadonlyArray<Given>): ReadonlyArray<AlertCommand> =>
  given.map((value, index): AlertCommand => {
    const atMillis = (index + 1) * 1000
    if (value === "lost") return { _tag: "LoseTarget", atMillis }
    if (value === "ack") return { _tag: "Acknowledge", by: "op", note: "on it", atMillis }
    return { _tag: "Observe", value, atMillis, intervalMillis: index === 0 ? undefined : 1000 }
  })

export const observe = (of: AlertRule, ...given: ReadonlyArray<Given>): Trace => play(of, commandsOf(given))

/** `F` fired, `R` resolved, `L` resolved because the target was lost, `A` acknowledged; with the second it happened. */
export const short = ({ events }: Trace): string =>
  events
    .map((event) => {
      const letter = event._tag === "AlertFired" ? "F" : event._tag === "AlertAcknowledged" ? "A" : undefined
      const resolved = event._tag === "AlertResolved" && event.reason === "target-lost" ? "L" : "R"
      return `${letter ?? resolved}${event.atMillis / 1000}`
    })
    .join(" ")
