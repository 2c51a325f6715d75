/** Node's garbage collector as a function, reached without a flag on the command line. Refuses a Node that has none to call. */
import * as Effect from "effect/Effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { BenchmarkFailed } from "../Benchmark.ts"

export const collector = (benchmark: string): Effect.Effect<() => void, BenchmarkFailed> =>
  Effect.suspend(() => {
    setFlagsFromString("--expose-gc")
    const collect: unknown = runInNewContext("gc")
    return typeof collect === "function"
      ? Effect.succeed(() => void collect())
      : Effect.fail(new BenchmarkFailed({ benchmark, detail: "this Node has no collector to call" }))
  })
