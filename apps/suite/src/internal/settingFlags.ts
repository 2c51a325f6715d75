/** Flags of the environment's settings: flag > environment variable > default, read by the same rules as the variables. */
import * as Environment from "@sbx/core/Environment"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Flag } from "effect/cli"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

export const flags = {
  timeout: text(
    "timeout",
    `Of a scenario, exec or wait that names none, e.g. 30s (${Environment.variables.defaultTimeout})`
  ),
  maxConcurrent: text(
    "max-concurrent",
    `Sandboxes alive at the same time (${Environment.variables.maxConcurrentSandboxes})`
  ),
  logLevel: text("log-level", `trace, debug, info, warn, error or none (${Environment.variables.logLevel})`),
  skipLong: text(
    "skip-long",
    `true leaves out scenarios over 5 minutes (${Environment.variables.skipLongRunningTests})`
  ),
  chaos: text("chaos", `false leaves out the chaos category (${Environment.variables.enableChaosTesting})`),
  monitoring: text("monitoring", `false starts no sampler (${Environment.variables.enableMetrics})`)
}

const settings = {
  timeout: ["defaultTimeout", "--timeout"],
  maxConcurrent: ["maxConcurrentSandboxes", "--max-concurrent"],
  logLevel: ["logLevel", "--log-level"],
  skipLong: ["skipLongRunningTests", "--skip-long"],
  chaos: ["enableChaosTesting", "--chaos"],
  monitoring: ["enableMetrics", "--monitoring"]
} as const

export type SettingFlags = { readonly [K in keyof typeof settings]: Option.Option<string> }

const names: ReadonlyArray<keyof SettingFlags> = [
  "timeout",
  "maxConcurrent",
  "logLevel",
  "skipLong",
  "chaos",
  "monitoring"
]

/** What the flags that were given change. */
export const parse = Effect.fnUntraced(function* (given: SettingFlags) {
  let overrides: Partial<Environment.Settings> = {}
  for (const name of names) {
    const [setting, flag] = settings[name]
    const value = given[name]
    if (Option.isSome(value)) {
      overrides = { ...overrides, ...(yield* Environment.parse(setting, flag, value.value)) }
    }
  }
  return overrides
})
