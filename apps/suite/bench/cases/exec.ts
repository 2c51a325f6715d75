/** `exec true` in a running sandbox, output read and exit code known, against dockerode's exec and inspect in the same container. */
import { Sandboxes } from "@sbx/core/Sandboxes"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark, BenchmarkFailed } from "../Benchmark.ts"
import * as Raw from "../competitors/RawDocker.ts"
import { alternate } from "../internal/alternate.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"

const name = "exec"
const limit = 1.1
const rounds = 200
const least = 50

/** Another exit code than 0 means that something else was measured. */
export const succeed = (benchmark: string, exitCode: number | null | undefined) =>
  exitCode === 0
    ? Effect.void
    : Effect.fail(new BenchmarkFailed({ benchmark, detail: `the command ended with ${String(exitCode)}` }))

const measure = Effect.fnUntraced(function* (count: number) {
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* (yield* Sandboxes).make({ image })
  const { endpoint } = yield* Engine
  const container = Raw.connect(endpoint).getContainer(sandbox.containerId)
  const ours = () => Effect.flatMap(sandbox.exec(["/bin/true"]), ({ exitCode }) => succeed(name, exitCode))
  const theirs = () =>
    Effect.flatMap(
      Raw.attempt(name, () => Raw.execAndInspect(container, ["/bin/true"])),
      (code) => succeed(name, code)
    )
  const timed = yield* alternate({ ours, theirs, rounds: count, warmUps: 5 })
  const mine = summarise(timed.ours)
  const raw = summarise(timed.theirs)
  return {
    series: [
      { of: "sbx", what: "sandbox.exec(/bin/true)", unit: "ms", figures: mine },
      { of: "dockerode", what: "exec, start, end of output, inspect", unit: "ms", figures: raw }
    ],
    targets: [atMost("p50 over dockerode's", mine.p50 / raw.p50, limit, { n: count, least })],
    notes: ["both in the same container"]
  }
})

export const exec: Benchmark = {
  name,
  description: "exec of /bin/true, to its exit code",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
