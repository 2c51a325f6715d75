/** How the text of each setting is read: strict, with what a good value looks like. */
import * as Duration from "effect/Duration"
import type { Settings } from "../Environment.ts"

interface Reader<A> {
  readonly expectation: string
  readonly read: (text: string) => A | undefined
}

const flag: Reader<boolean> = {
  expectation: "true or false (also 1, 0, yes, no, on, off)",
  read: (text) => {
    const word = text.toLowerCase()
    if (["true", "1", "yes", "on"].includes(word)) return true
    return ["false", "0", "no", "off"].includes(word) ? false : undefined
  }
}

const unitMillis: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Durations as Go programs and people write them, one unit: `30s`, `500ms`, `5m`, `1.5h`; a bare number is seconds. */
const duration: Reader<Duration.Duration> = {
  expectation: "a duration from 1ms to 24h, e.g. 30s, 500ms, 5m (a bare number is seconds)",
  read: (text) => {
    const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
    const millis = Number(amount) * (unitMillis[unit ?? "s"] ?? Number.NaN)
    return millis >= 1 && millis <= 86_400_000 ? Duration.millis(millis) : undefined
  }
}

const concurrency: Reader<number> = {
  expectation: "a whole number from 1 to 10000",
  read: (text) => {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
    return value >= 1 && value <= 10_000 ? value : undefined
  }
}

const levels: ReadonlyArray<Settings["logLevel"]> = ["trace", "debug", "info", "warn", "error", "none"]
const level: Reader<Settings["logLevel"]> = {
  expectation: `one of ${levels.join(", ")}`,
  read: (text) => levels.find((known) => known === text.toLowerCase())
}

/** A setting that text can give: what it should look like, and the change it makes. */
export interface TextSetting {
  readonly expectation: string
  readonly read: (text: string) => Partial<Settings> | undefined
}

const setting = <A>(reader: Reader<A>, patch: (value: A) => Partial<Settings>): TextSetting => ({
  expectation: reader.expectation,
  read: (text) => {
    const value = reader.read(text)
    return value === undefined ? undefined : patch(value)
  }
})

export const textSettings = {
  defaultTimeout: setting(duration, (defaultTimeout) => ({ defaultTimeout })),
  maxConcurrentSandboxes: setting(concurrency, (maxConcurrentSandboxes) => ({ maxConcurrentSandboxes })),
  skipLongRunningTests: setting(flag, (skipLongRunningTests) => ({ skipLongRunningTests })),
  enableChaosTesting: setting(flag, (enableChaosTesting) => ({ enableChaosTesting })),
  logLevel: setting(level, (logLevel) => ({ logLevel })),
  enableMetrics: setting(flag, (enableMetrics) => ({ enableMetrics }))
}
