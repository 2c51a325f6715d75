/**
 * The settings that a run is made under: the seven of the original framework, what its environment variables add, and nothing else.
 * Precedence: override (a flag) > environment variable > default. A bad value is an error with name, value and expectation;
 * it is never replaced by a default.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { textSettings } from "./internal/settings.ts"
import * as SandboxOptions from "./SandboxOptions.ts"

export const LogLevelSetting = Schema.Literals(["trace", "debug", "info", "warn", "error", "none"])
export type LogLevelSetting = typeof LogLevelSetting.Type

export interface Settings {
  /** Sandboxes alive at the same time in this process; the next one waits. Default 10. */
  readonly maxConcurrentSandboxes: number
  /** Of an exec, a wait and a scenario that name none. Default 30 s. */
  readonly defaultTimeout: Duration.Duration
  /** Limits of sandboxes that name none. */
  readonly resourceLimits: SandboxOptions.SandboxDefaults["limits"]
  /** Default true. */
  readonly enableLogging: boolean
  /** Default `info`. */
  readonly logLevel: LogLevelSetting
  /** Samplers run. Default true. */
  readonly enableMetrics: boolean
  /** When false, what a failed scenario made is kept and its place is printed. Default true. */
  readonly cleanupOnFailure: boolean
  /** Leave out scenarios that take more than 5 minutes. Default false. */
  readonly skipLongRunningTests: boolean
  /** Default true. */
  readonly enableChaosTesting: boolean
}

export const defaults: Settings = {
  maxConcurrentSandboxes: 10,
  defaultTimeout: Duration.seconds(30),
  resourceLimits: SandboxOptions.defaults.limits,
  enableLogging: true,
  logLevel: "info",
  enableMetrics: true,
  cleanupOnFailure: true,
  skipLongRunningTests: false,
  enableChaosTesting: true
}

/** Variable of each setting that has one. */
export const variables = {
  defaultTimeout: "INTEGRATION_TEST_TIMEOUT",
  maxConcurrentSandboxes: "MAX_CONCURRENT_SANDBOXES",
  skipLongRunningTests: "SKIP_LONG_RUNNING_TESTS",
  enableChaosTesting: "ENABLE_CHAOS_TESTING",
  logLevel: "INTEGRATION_LOG_LEVEL",
  enableMetrics: "ENABLE_RESOURCE_MONITORING"
} as const
type VariableSetting = keyof typeof variables

/** A setting's value does not say what it should. */
export class InvalidSetting extends Schema.TaggedError<InvalidSetting>()("InvalidSetting", {
  name: Schema.String,
  value: Schema.String,
  expectation: Schema.String
}) {
  override get message() {
    return `Could not use ${this.name}: it is "${this.value}", expected ${this.expectation}.\nCorrect or unset it.`
  }
}

export class Environment extends Context.Service<Environment, Settings>()("@sbx/core/Environment") {}

/** The defaults, whatever the process's environment says. */
export const layer: Layer.Layer<Environment> = Layer.succeed(Environment, defaults)

/** Defaults with changes. Fails like {@link layerConfig} on a value that makes no sense. */
export const layerWith = (overrides: Partial<Settings>): Layer.Layer<Environment, InvalidSetting> =>
  Layer.effect(Environment, check({ ...defaults, ...overrides }))

/** `overrides` (flags), else environment variables, else defaults. */
export const layerConfig = (overrides: Partial<Settings> = {}): Layer.Layer<Environment, InvalidSetting> =>
  Layer.effect(
    Environment,
    Effect.flatMap(fromVariables, (found) => check({ ...defaults, ...found, ...overrides }))
  )

/** Reads a flag or variable by the rules of its setting; the CLI uses it for flags. `name` is for the error. */
export const parse = (
  setting: VariableSetting,
  name: string,
  text: string
): Effect.Effect<Partial<Settings>, InvalidSetting> => {
  const { expectation, read } = textSettings[setting]
  const change = read(text)
  return change === undefined
    ? Effect.fail(new InvalidSetting({ name, value: text, expectation }))
    : Effect.succeed(change)
}

const fromVariables = Effect.gen(function* () {
  let found: Partial<Settings> = {}
  for (const setting of settingNames) {
    const name = variables[setting]
    const text = yield* Config.option(Config.String(name)).pipe(
      Effect.mapError((error) => new InvalidSetting({ name, value: "", expectation: `text (${error.message})` }))
    )
    // An empty variable counts as unset, as in most tools.
    if (Option.isSome(text) && text.value !== "") found = { ...found, ...(yield* parse(setting, name, text.value)) }
  }
  return found
})

const settingNames: ReadonlyArray<VariableSetting> = [
  "defaultTimeout",
  "maxConcurrentSandboxes",
  "skipLongRunningTests",
  "enableChaosTesting",
  "logLevel",
  "enableMetrics"
]

/** Values given in code are checked by the same limits as text. */
const check = Effect.fnUntraced(function* (settings: Settings): Effect.fn.Return<Settings, InvalidSetting> {
  const bad = (name: string, value: unknown, expectation: string) =>
    new InvalidSetting({ name, value: String(value), expectation })
  const { maxConcurrentSandboxes: max, defaultTimeout: timeout } = settings
  if (!Number.isInteger(max) || max < 1 || max > 10_000)
    return yield* bad("maxConcurrentSandboxes", max, "a whole number from 1 to 10000")
  const millis = Duration.toMillis(timeout)
  if (!(millis >= 1 && millis <= 86_400_000))
    return yield* bad("defaultTimeout", Duration.format(timeout), "a duration from 1 ms to 24 hours")
  yield* SandboxOptions.resolve(
    { image: "checked" },
    { ...SandboxOptions.defaults, limits: settings.resourceLimits }
  ).pipe(
    Effect.mapError(({ issues }) => {
      const issue = issues[0]
      return bad(`resourceLimits.${issue?.field}`, issue?.value, issue?.expectation ?? "valid limits")
    })
  )
  return settings
})
