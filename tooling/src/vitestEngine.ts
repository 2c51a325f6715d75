// @effect-diagnostics processEnv:off -- the process edge: vitest hands its settings to workers through the environment
/**
 * vitest's global set-up for `*.integration.test.ts`: no engine is red with advice, never skipped. The engine is kept by a child
 * process, because vitest loads this file without the condition under which the packages' sources are found.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** A verdict that turbo caches without knowing the engine would be shown for another one. */
const refuseUnknownEngine = (): void => {
  if (process.env["TURBO_HASH"] !== undefined && !process.env["SBX_ENGINE_FINGERPRINT"]) {
    throw new Error(
      "Could not run real-engine tests: turbo does not know the engine that they run on.\nRun `pnpm turbo test` or `./sbx test`, which tell it."
    )
  }
}

/** Sets the tests' environment; resolves to what gives the engine back. `SBX_TEST_ENGINE` names one to be used as it is. */
export const setup = async (): Promise<(() => Promise<void>) | undefined> => {
  refuseUnknownEngine()
  if (process.env["SBX_TEST_ENGINE"]) return undefined
  const program = fileURLToPath(new URL("testEngine.ts", import.meta.url))
  const keeper = spawn(process.execPath, ["--conditions=@sbx/source", program], { stdio: ["pipe", "pipe", "inherit"] })
  const closed = once(keeper, "close")
  const answer = createInterface({ input: keeper.stdout })[Symbol.asyncIterator]().next()
  const { value } = await answer
  if (typeof value !== "string") {
    await closed
    throw new Error("Could not run real-engine tests: no engine. See the message above, or run `./sbx doctor`.")
  }
  Object.assign(process.env, JSON.parse(value))
  return async () => {
    keeper.stdin.end()
    await closed
  }
}
