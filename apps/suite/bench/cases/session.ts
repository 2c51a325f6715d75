/** `/bin/true` through an exec session, to its exit code, against dockerode's exec and inspect in the same container. */
import * as ExecSession from "@sbx/core/ExecSession"
import { Sandboxes } from "@sbx/core/Sandboxes"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark } from "../Benchmark.ts"
import * as Raw from "../competitors/RawDocker.ts"
import { alternate } from "../internal/alternate.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"
import { succeed } from "./exec.ts"

const name = "session-exec"
const limitMillis = 3
const rounds = 200
const least = 50
const inRow = 20

const measure = Effect.fnUntraced(function* (count: number) {
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* (yield* Sandboxes).make({ image, cpus: "2" })
  const session = yield* ExecSession.open(sandbox)
  const { endpoint } = yield* Engine
  const container = Raw.connect(endpoint).getContainer(sandbox.containerId)
  const ours = () => Effect.flatMap(session.exec(["/bin/true"]), ({ exitCode }) => succeed(name, exitCode))
  const theirs = () =>
    Effect.flatMap(
      Raw.attempt(name, () => Raw.execAndInspect(container, ["/bin/true"])),
      (code) => succeed(name, code)
    )
  const timed = yield* alternate({ ours, theirs, rounds: count, warmUps: 5, inRow })
  const mine = summarise(timed.ours)
  return {
    series: [
      { of: "sbx", what: "session.exec(/bin/true)", unit: "ms", figures: mine },
      { of: "dockerode", what: "exec, start, end of output, inspect", unit: "ms", figures: summarise(timed.theirs) }
    ],
    targets: [atMost("p50 in ms", mine.p50, limitMillis, { n: count, least })],
    notes: [
      "both in the same container, which has 2 CPUs: at the default of half a one, its throttling would be measured",
      `${inRow} in a row on each side, one after the other as a session is used`,
      "the program is executed each time, not the shell's own word"
    ]
  }
})

export const session: Benchmark = {
  name,
  description: "/bin/true through an exec session",
  run: (options) => measure(options.rounds ?? rounds).pipe(failing(name))
}
