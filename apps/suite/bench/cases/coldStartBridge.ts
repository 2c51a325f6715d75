/** A cold start on the engine's default bridge, hardened, with its workspace, against a plain container of testcontainers-node. */
import { Sandboxes } from "@sbx/core/Sandboxes"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark } from "../Benchmark.ts"
import { attempt } from "../competitors/RawDocker.ts"
import * as Testcontainers from "../competitors/Testcontainers.ts"
import { alternate } from "../internal/alternate.ts"
import { failing } from "../internal/failing.ts"
import { summarise } from "../internal/figures.ts"
import { copied } from "./coldStart.ts"

const name = "cold-start-bridge"
const limit = 1
const least = 50

const measure = Effect.fnUntraced(function* (rounds: number) {
  const { endpoint } = yield* Engine
  const image = yield* (yield* Images).reference("tiny")
  const sandboxes = yield* Sandboxes
  const { labels } = yield* copied(name, image)
  Testcontainers.useEngine(endpoint)
  const ours = () => sandboxes.make({ image, network: "bridge" })
  const theirs = () =>
    Effect.acquireRelease(
      attempt(name, () => Testcontainers.start(image, labels)),
      (container) => Effect.orDie(attempt(name, () => container.remove()))
    )
  const timed = yield* alternate({ ours, theirs, rounds, warmUps: 3 })
  const mine = summarise(timed.ours)
  const other = summarise(timed.theirs)
  return {
    series: [
      { of: "sbx", what: "Sandboxes.make({ network: bridge })", unit: "ms", figures: mine },
      { of: "testcontainers", what: "GenericContainer.start(), no reaper", unit: "ms", figures: other }
    ],
    targets: [atMost("p50 over testcontainers'", mine.p50 / other.p50, limit, { n: rounds, least })],
    notes: ["ours has a bounded disk volume, seccomp and limits; theirs is a container with the engine's defaults"]
  }
})

export const coldStartBridge: Benchmark = {
  name,
  description: "cold start on a bridge: create → started",
  run: ({ rounds = least }) => measure(rounds).pipe(failing(name))
}
