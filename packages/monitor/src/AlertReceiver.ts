/** Who is told of alerts: a name, under which it is known over restarts, and a way to tell it. Failing and hanging are allowed. */
import * as Effect from "effect/Effect"
import type { AlertEvent, Severity } from "./AlertEvent.ts"
import type { AlertNotice } from "./AlertNotice.ts"

export interface AlertReceiver {
  /** Its checkpoint goes by this: the same name after a restart goes on where it was. 1-64 of `a-z`, `0-9`, `-`. */
  readonly name: string
  /** Succeeds when the notice was taken. Whatever else it does, die and hang included, it is told again later. */
  readonly deliver: (notice: AlertNotice) => Effect.Effect<void, unknown>
}

/** Calls an effect of the user. */
export const callback = (
  name: string,
  deliver: (notice: AlertNotice) => Effect.Effect<unknown, unknown>
): AlertReceiver => ({ name, deliver: (notice) => Effect.asVoid(deliver(notice)) })

const logBySeverity: Record<Severity, (message: string) => Effect.Effect<void>> = {
  info: Effect.logInfo,
  warning: Effect.logWarning,
  critical: Effect.logError
}

/** One line per notice: what fires by its severity, the rest as information. */
export const log: AlertReceiver = {
  name: "log",
  deliver: ({ event, id }) => {
    const write = event._tag === "AlertFired" ? logBySeverity[event.severity] : Effect.logInfo
    return write(describe(event)).pipe(Effect.annotateLogs({ notice: id }))
  }
}

/** An event as a sentence, e.g. `memory-high on web fires (#2): memoryPercentOfLimit is 84.21, > 80`. */
export const describe = (event: AlertEvent): string => {
  const who = `${event.rule} on ${event.name}`
  const number = `(#${event.episode})`
  switch (event._tag) {
    case "AlertFired":
      return `${who} fires ${number}: ${event.metric} is ${figure(event.value)}, ${event.comparison} ${event.threshold}`
    case "AlertAcknowledged":
      return `${who} is acknowledged by ${event.by} ${number}${event.note === "" ? "" : `: ${event.note}`}`
    case "AlertResolved":
      return event.value === undefined
        ? `${who} is resolved ${number}: the container is gone`
        : `${who} is resolved ${number}: ${figure(event.value)}`
  }
}

const figure = (value: number) => String(Number(value.toFixed(2)))
