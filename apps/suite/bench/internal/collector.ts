/**
 * What makes the resident set of this process comparable over time: Node's garbage collector as a function, reached without a flag
 * on the command line, and a reading without what comes and goes. Refuses a Node that has no collector to call.
 */
import * as Effect from "effect/Effect"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"
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

/**
 * Resident bytes after a collection, less what V8 holds for new objects: that space is empty then, and V8 lets its size double and
 * shrink with the rate of allocation, by tens of megabytes, whether a program leaks or not.
 */
export const restingBytes = (collect: () => void): number => {
  collect()
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")
  return process.memoryUsage.rss() - (young?.physical_space_size ?? 0)
}
