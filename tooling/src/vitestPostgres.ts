// @effect-diagnostics processEnv:off -- the process edge: vitest hands its settings to workers through the environment
/**
 * vitest's global set-up for tests on PostgreSQL: no server is red with advice, never skipped. `SBX_TEST_POSTGRES_URL` names
 * a database to be used as it is; else a child process keeps a server of our own. The child leads a process group, so that a
 * Ctrl-C or a kill of ours leaves it the time to clean up: it ends when its input does.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** Sets the tests' environment; resolves to what stops the server. `SBX_TEST_POSTGRES_PROGRAM` lets a test start one to kill. */
export const setup = async (): Promise<(() => Promise<void>) | undefined> => {
  const program = fileURLToPath(new URL("testPostgres.ts", import.meta.url))
  process.env["SBX_TEST_POSTGRES_PROGRAM"] = program
  if (process.env["SBX_TEST_POSTGRES_URL"]) return undefined
  const args = ["--conditions=@sbx/source", program]
  const keeper = spawn(process.execPath, args, { detached: true, stdio: ["pipe", "pipe", "inherit"] })
  const closed = once(keeper, "close")
  const { value } = await createInterface({ input: keeper.stdout })[Symbol.asyncIterator]().next()
  if (typeof value !== "string") {
    await closed
    throw new Error("Could not run the PostgreSQL tests: no server. See the message above.")
  }
  Object.assign(process.env, JSON.parse(value))
  return async () => {
    keeper.stdin.end()
    await closed
  }
}
