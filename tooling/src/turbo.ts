/**
 * Runs turbo with the engine's fingerprint in its environment, so that a cached verdict of a real-engine test holds only for the
 * engine that gave it. Tasks other than `test` need no engine and go straight through.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { runsTests, turboArguments } from "./turboArguments.ts"

const args = process.argv.slice(2)
const isTest = runsTests(args)

const locate = async (): Promise<string> => {
  const [Effect, TestEngine] = await Promise.all([import("effect/Effect"), import("./testEngine.ts")])
  return Effect.runPromise(Effect.scoped(Effect.provide(TestEngine.fingerprint, TestEngine.layer)))
}

const fingerprint = async (): Promise<string | undefined> => {
  try {
    return await locate()
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : String(cause))
    return undefined
  }
}

const engine = isTest ? await fingerprint() : ""
if (engine === undefined) process.exit(4)
const turbo = fileURLToPath(new URL("../../node_modules/.bin/turbo", import.meta.url))
const child = spawn(turbo, turboArguments(args), {
  stdio: "inherit",
  env: {
    ...process.env,
    TURBO_TELEMETRY_DISABLED: "1",
    ...(isTest ? { SBX_ENGINE_FINGERPRINT: engine } : {})
  }
})
// turbo gets the terminal's signals itself; this process waits for its answer.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal))
child.on("error", (cause) => {
  console.error(`Could not run ${turbo}: ${cause.message}.\nRun ./sbx, which installs it.`)
  process.exit(3)
})
child.on("close", (code) => process.exit(code ?? 130))
