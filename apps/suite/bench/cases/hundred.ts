/**
 * One hundred sandboxes alive at the same time, each having answered one exec, against dockerode doing the same with as many calls at
 * once as suits it best: that number is found by trying, before the rounds that count.
 */
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark, BenchmarkFailed } from "../Benchmark.ts"
import * as Raw from "../competitors/RawDocker.ts"
import { alternate, time } from "../internal/alternate.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"
import * as RawSandbox from "../internal/rawSandbox.ts"
import { copied } from "./coldStart.ts"
import { succeed } from "./exec.ts"

const name = "hundred"
const limit = 1.1
const count = 100
const tried = [2, 4, 8, 16, 32]
const rounds = 3

const numbers = Array.from({ length: count }, (_, index) => index)

const ours = Effect.fnUntraced(function* (image: string) {
  const sandboxes = yield* Sandboxes
  yield* Effect.forEach(
    numbers,
    () =>
      Effect.gen(function* () {
        const sandbox = yield* sandboxes.make({ image })
        yield* succeed(name, (yield* sandbox.exec(["/bin/true"])).exitCode)
      }),
    { concurrency: "unbounded", discard: true }
  )
  const alive = yield* sandboxes.activeCount
  if (alive !== count) {
    return yield* new BenchmarkFailed({
      benchmark: name,
      detail: `${alive} of ${count} sandboxes were alive at the end`
    })
  }
})

const theirs = (maker: RawSandbox.RawMaker, concurrency: number, round: string) =>
  Effect.forEach(
    numbers,
    (index) =>
      Effect.gen(function* () {
        const container = yield* RawSandbox.make(maker, `bench-hundred-${round}-${index}`)
        yield* succeed(name, yield* Raw.attempt(name, () => Raw.execAndInspect(container, ["/bin/true"])))
      }),
    { concurrency, discard: true }
  )

const measure = Effect.fnUntraced(function* (asked: number) {
  const image = yield* (yield* Images).reference("tiny")
  const maker = yield* copied(name, image)
  const trials = yield* Effect.forEach(tried, (concurrency) =>
    Effect.map(
      time(() => theirs(maker, concurrency, `try${concurrency}`), 0),
      (millis) => ({ concurrency, millis })
    )
  )
  const best = trials.reduce((one, other) => (other.millis < one.millis ? other : one))
  const timed = yield* alternate({
    ours: () => ours(image),
    theirs: (round) => theirs(maker, best.concurrency, String(round)),
    rounds: asked,
    warmUps: 0
  })
  const mine = summarise(timed.ours)
  const raw = summarise(timed.theirs)
  return {
    series: [
      { of: "sbx", what: `${count} × make and exec, all alive`, unit: "ms", figures: mine },
      { of: "dockerode", what: `the same, ${best.concurrency} at once`, unit: "ms", figures: raw }
    ],
    targets: [atMost("p50 over dockerode's", mine.p50 / raw.p50, limit)],
    notes: trials.map(({ concurrency, millis }) => `dockerode with ${concurrency} at once: ${Math.round(millis)} ms`)
  }
})

export const hundred: Benchmark = {
  name,
  description: "100 sandboxes all alive, each answering one exec",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
