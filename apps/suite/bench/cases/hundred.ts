/**
 * One hundred sandboxes alive at the same time, each having answered one exec, against dockerode doing the same with as many calls at
 * once as suits it best: that number is found by trying, before the rounds that count.
 */
import * as SandboxLabels from "@sbx/core/SandboxLabels"
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
const least = 3

const numbers = Array.from({ length: count }, (_, index) => index)

/** What the engine says, to either side: as many run at this moment as were made. */
const allAlive = Effect.fnUntraced(function* ({ docker, labels }: RawSandbox.RawMaker) {
  const label = [`${SandboxLabels.keys.journal}=${labels[SandboxLabels.keys.journal]}`]
  const { length } = yield* Raw.attempt(name, () => docker.listContainers({ filters: { label } }))
  if (length === count) return
  return yield* new BenchmarkFailed({ benchmark: name, detail: `${length} of ${count} sandboxes ran at the end` })
})

const ours = Effect.fnUntraced(function* (image: string, maker: RawSandbox.RawMaker) {
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
  yield* allAlive(maker)
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
  ).pipe(Effect.andThen(allAlive(maker)))

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
    ours: () => ours(image, maker),
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
    targets: [atMost("p50 over dockerode's", mine.p50 / raw.p50, limit, { n: asked, least })],
    notes: trials.map(({ concurrency, millis }) => `dockerode with ${concurrency} at once: ${Math.round(millis)} ms`)
  }
})

export const hundred: Benchmark = {
  name,
  description: "100 sandboxes all alive, each answering one exec",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
