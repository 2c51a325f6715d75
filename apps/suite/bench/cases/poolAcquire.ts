/**
 * Taking a sandbox from a warm pool. A measurement is taken only while one is idle, so that it shows the pool and not the making; the
 * sandbox taken then answers an exec, outside of the time, or it was none.
 */
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as SandboxPool from "@sbx/core/SandboxPool"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark, BenchmarkFailed } from "../Benchmark.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"
import { succeed } from "./exec.ts"

const name = "pool-acquire"
const rounds = 200
/** Idle ones; taken in bursts of half of them. */
const stock = 10
const p50Millis = 5
const p99Millis = 25

const warm = Effect.gen(function* () {
  const pool = yield* SandboxPool.SandboxPool
  while (((yield* pool.stats)[0]?.idle ?? 0) < stock) yield* Effect.sleep("20 millis")
}).pipe(
  Effect.timeoutOrElse({
    duration: "2 minutes",
    orElse: () => Effect.fail(new BenchmarkFailed({ benchmark: name, detail: "the pool did not fill in 2 minutes" }))
  })
)

const acquire = Effect.gen(function* () {
  const pool = yield* SandboxPool.SandboxPool
  const start = yield* Clock.currentTimeNanos
  const sandbox = yield* pool.acquire()
  const millis = Number((yield* Clock.currentTimeNanos) - start) / 1e6
  return { millis, sandbox }
})

/** As many as half the stock, one after the other. */
const burst = Effect.scoped(
  Effect.gen(function* () {
    yield* warm
    const taken = yield* Effect.forEach(Arr.range(1, stock / 2), () => acquire)
    for (const { sandbox } of taken) yield* succeed(name, (yield* sandbox.exec(["/bin/true"])).exitCode)
    return taken.map(({ millis }) => millis)
  })
)

const measure = Effect.fnUntraced(function* (count: number) {
  const image = yield* (yield* Images).reference("tiny")
  const sandboxes = yield* Sandboxes
  const bursts = Math.ceil(count / (stock / 2))
  const millis = yield* Effect.andThen(
    burst,
    Effect.forEach(Arr.range(1, bursts), () => burst)
  ).pipe(
    Effect.provide(SandboxPool.layerWith({ spec: { image }, min: stock })),
    Effect.provideService(Sandboxes, sandboxes)
  )
  const figures = summarise(millis.flat())
  const sample = { n: figures.n, least: 100 }
  return {
    series: [{ of: "sbx", what: `acquire from a stock of ${stock}`, unit: "ms", figures }],
    targets: [atMost("p50 in ms", figures.p50, p50Millis, sample), atMost("p99 in ms", figures.p99, p99Millis, sample)],
    notes: [`bursts of ${stock / 2}; the pool refills in the background meanwhile`]
  }
})

export const poolAcquire: Benchmark = {
  name,
  description: "a sandbox from a warm pool",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
