import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Environment from "../src/Environment.ts"

const settingsOf = <E>(layer: Layer.Layer<Environment.Environment, E>) =>
  Effect.provide(Effect.service(Environment.Environment), layer)

const withVariables = (env: Record<string, string>, overrides: Partial<Environment.Settings> = {}) =>
  settingsOf(Layer.provide(Environment.layerConfig(overrides), ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

describe("the environment", () => {
  it.effect("has the original's defaults", () =>
    Effect.gen(function* () {
      const found = yield* settingsOf(Environment.layer)
      assert.strictEqual(found.maxConcurrentSandboxes, 10)
      assert.strictEqual(Duration.toMillis(found.defaultTimeout), 30_000)
      assert.strictEqual(found.logLevel, "info")
      assert.isTrue(found.enableLogging && found.enableMetrics && found.cleanupOnFailure)
      assert.isTrue(found.enableChaosTesting && !found.skipLongRunningTests)
      assert.deepStrictEqual(yield* withVariables({}), found)
    })
  )

  it.effect("reads its six variables", () =>
    Effect.gen(function* () {
      const found = yield* withVariables({
        INTEGRATION_TEST_TIMEOUT: "5m",
        MAX_CONCURRENT_SANDBOXES: "20",
        SKIP_LONG_RUNNING_TESTS: "true",
        ENABLE_CHAOS_TESTING: "0",
        INTEGRATION_LOG_LEVEL: "debug",
        ENABLE_RESOURCE_MONITORING: "false"
      })
      assert.strictEqual(Duration.toMillis(found.defaultTimeout), 300_000)
      assert.strictEqual(found.maxConcurrentSandboxes, 20)
      assert.isTrue(found.skipLongRunningTests)
      assert.isFalse(found.enableChaosTesting)
      assert.strictEqual(found.logLevel, "debug")
      assert.isFalse(found.enableMetrics)
    })
  )

  it.effect("lets a flag win over a variable, and a variable over the default", () =>
    Effect.gen(function* () {
      const env = { MAX_CONCURRENT_SANDBOXES: "20" }
      assert.strictEqual((yield* withVariables(env, { maxConcurrentSandboxes: 3 })).maxConcurrentSandboxes, 3)
      assert.strictEqual((yield* withVariables(env)).maxConcurrentSandboxes, 20)
      assert.strictEqual((yield* withVariables({ MAX_CONCURRENT_SANDBOXES: "" })).maxConcurrentSandboxes, 10)
    })
  )

  it.effect.each([
    ["INTEGRATION_TEST_TIMEOUT", "soon"],
    ["INTEGRATION_TEST_TIMEOUT", "-1s"],
    ["INTEGRATION_TEST_TIMEOUT", "0"],
    ["INTEGRATION_TEST_TIMEOUT", "25h"],
    ["MAX_CONCURRENT_SANDBOXES", "0"],
    ["MAX_CONCURRENT_SANDBOXES", "1.5"],
    ["MAX_CONCURRENT_SANDBOXES", "many"],
    ["MAX_CONCURRENT_SANDBOXES", "10001"],
    ["SKIP_LONG_RUNNING_TESTS", "maybe"],
    ["ENABLE_CHAOS_TESTING", "2"],
    ["INTEGRATION_LOG_LEVEL", "loud"],
    ["ENABLE_RESOURCE_MONITORING", " true"]
  ] as const)("refuses %s=%s by name, value and expectation", ([name, value]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(withVariables({ [name]: value }))
      assert.strictEqual(error.name, name)
      assert.strictEqual(error.value, value)
      assert.include(error.message, `Could not use ${name}: it is "${value}", expected `)
    })
  )

  it.effect("refuses bad values given in code", () =>
    Effect.gen(function* () {
      const refusal = (overrides: Partial<Environment.Settings>) =>
        Effect.map(Effect.flip(settingsOf(Environment.layerWith(overrides))), (error) => error.name)
      assert.strictEqual(yield* refusal({ maxConcurrentSandboxes: 0 }), "maxConcurrentSandboxes")
      assert.strictEqual(yield* refusal({ defaultTimeout: Duration.infinity }), "defaultTimeout")
      const limits = { ...Environment.defaults.resourceLimits, memoryBytes: -1 }
      assert.strictEqual(yield* refusal({ resourceLimits: limits }), "resourceLimits.memory")
    })
  )

  it.effect("reads a flag by its setting's rules, under the flag's name", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Environment.parse("maxConcurrentSandboxes", "--max", "4"), {
        maxConcurrentSandboxes: 4
      })
      const error = yield* Effect.flip(Environment.parse("logLevel", "--log-level", "x"))
      assert.strictEqual(error.name, "--log-level")
    })
  )

  it.effect.each([
    ["90", 90_000],
    ["500ms", 500],
    ["1.5h", 5_400_000],
    ["30s", 30_000]
  ] as const)("reads %s as %d ms", ([text, millis]) =>
    Effect.gen(function* () {
      const found = yield* withVariables({ INTEGRATION_TEST_TIMEOUT: text })
      assert.strictEqual(Duration.toMillis(found.defaultTimeout), millis)
    })
  )
})
