/** The competitor of sampling: the `docker stats` of the command line client, streaming, as a process of its own. */
import type { EngineEndpoint } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { BenchmarkFailed } from "../Benchmark.ts"

/** Its process id once it is started; ended with the scope, and awaited. */
export const start = (benchmark: string, endpoint: EngineEndpoint, containerIds: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly pid: number; readonly end: () => Promise<void> }, BenchmarkFailed>((resume) => {
      const args = ["-H", endpoint.address, "stats", "--no-trunc", ...containerIds]
      const child = spawn("docker", args, { stdio: "ignore" })
      const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
      const end = () => (child.kill("SIGKILL"), ended)
      child.once("error", (error) =>
        resume(Effect.fail(new BenchmarkFailed({ benchmark, detail: `docker stats: ${error.message}` })))
      )
      child.once("spawn", () => resume(Effect.succeed({ pid: child.pid ?? 0, end })))
    }),
    ({ end }) => Effect.promise(end)
  )
