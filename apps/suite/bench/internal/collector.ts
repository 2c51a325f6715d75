/**
 * What makes the resident set of this process comparable over time: Node's garbage collector as a function, reached without a flag
 * on the command line, and a young generation at its full size. Refuses a Node that has no collector to call.
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

/** Resident bytes of the space that new objects are made in. */
const youngBytes = () =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.physical_space_size ?? 0

/** Some 20 MB of objects, of which a part lives through a few collections. */
const churn = () => {
  let kept: Array<object> = []
  for (let n = 0; n < 400_000; n++) {
    kept.push({ n, more: [n] })
    if (kept.length > 60_000) kept = []
  }
}

/** V8 doubles its young generation when it sees fit, up to a cap, and a collection leaves its empty pages resident. */
export const fillYoungGeneration: Effect.Effect<void> = Effect.sync(() => {
  let steady = 0
  for (let round = 0; round < 60 && steady < 5; round++) {
    const before = youngBytes()
    churn()
    steady = youngBytes() > before ? 0 : steady + 1
  }
})
