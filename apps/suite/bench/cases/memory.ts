/**
 * Whether a long life grows: resident set size after garbage collection over many create, exec and remove operations. The slope of the
 * line through the readings decides, so that neither a lucky first nor last reading does.
 */
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark } from "../Benchmark.ts"
import { collector, restingBytes } from "../internal/collector.ts"
import { failing } from "../internal/failing.ts"
import { slope, summarise } from "../internal/figures.ts"
import { succeed } from "./exec.ts"

const name = "memory"
/** Megabytes per 1,000 operations. */
const limit = 10
const operations = 1000
const warmUp = 600
const every = 50
const atOnce = 4

const operation = Effect.fnUntraced(function* (image: string) {
  const sandbox = yield* (yield* Sandboxes).make({ image })
  yield* succeed(name, (yield* sandbox.exec(["/bin/true"])).exitCode)
}, Effect.scoped)

const operate = (image: string, count: number) =>
  Effect.forEach(Array.from({ length: count }), () => operation(image), { concurrency: atOnce, discard: true })

const measure = Effect.fnUntraced(function* (count: number) {
  const image = yield* (yield* Images).reference("tiny")
  const collect = yield* collector(name)
  const megabytes = Effect.sync(() => restingBytes(collect) / 1024 ** 2)
  yield* operate(image, warmUp)
  const readings: Array<readonly [number, number]> = [[0, yield* megabytes]]
  const step = Math.min(every, count)
  for (let done = step; done <= count; done += step) {
    yield* operate(image, step)
    readings.push([done, yield* megabytes])
  }
  const growth = slope(readings) * 1000
  return {
    series: [
      {
        of: "sbx",
        what: "resident set size after collection, less the empty young generation",
        unit: "MB",
        figures: summarise(readings.map(([, mb]) => mb))
      }
    ],
    targets: [atMost("MB grown per 1,000 operations", growth, limit, { n: count, least: operations })],
    notes: [
      `${count} operations after ${warmUp} to warm up, ${atOnce} at once, read every ${step}`,
      `readings in MB: ${readings.map(([, mb]) => mb.toFixed(1)).join(" ")}`
    ]
  }
})

export const memory: Benchmark = {
  name,
  description: "growth per 1,000 create, exec and remove operations",
  run: (options) => measure(options.rounds ?? operations).pipe(failing(name))
}
