// @effect-diagnostics processEnv:off -- the process edge: vitest hands its settings to workers through the environment
/**
 * vitest's global set-up for `*.integration.test.ts`: no engine is red with advice, never skipped.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestEngine from "./testEngine.ts"

/** A verdict that turbo caches without knowing the engine would be shown for another one. */
const refuseUnknownEngine = (): void => {
  if (process.env["TURBO_HASH"] !== undefined && !process.env["SBX_ENGINE_FINGERPRINT"]) {
    throw new Error(
      "Could not run real-engine tests: turbo does not know the engine that they run on.\nRun `pnpm turbo test` or `./sbx test`, which tell it."
    )
  }
}

export const setup = async (): Promise<(() => Promise<void>) | undefined> => {
  refuseUnknownEngine()
  if (process.env["SBX_TEST_ENGINE"]) return undefined
  const scope = Scope.makeUnsafe()
  const environment = Effect.gen(function* () {
    const services = yield* Layer.buildWithScope(TestEngine.layer, scope)
    return yield* Effect.provide(TestEngine.testEnvironment, services)
  })
  try {
    Object.assign(process.env, await Effect.runPromise(environment))
  } catch (cause) {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw cause
  }
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
