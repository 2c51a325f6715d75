/** A cold start with no network, hardened: from the call to a started container, against dockerode with the same body and volume. */
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as SandboxOptions from "@sbx/core/SandboxOptions"
import * as Effect from "effect/Effect"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark } from "../Benchmark.ts"
import { alternate } from "../internal/alternate.ts"
import { summarise } from "../internal/figures.ts"
import * as RawSandbox from "../internal/rawSandbox.ts"
import { failing } from "../internal/failing.ts"

const name = "cold-start"
const limit = 1.05
/** The least that the target is judged on. */
const least = 50

const diskOf = { bytes: 70 * 1024 ** 2, inodes: 4106 } satisfies RawSandbox.Disk

/** One sandbox made and thrown away, for the competitor to copy. */
export const copied = Effect.fnUntraced(function* (benchmark: string, image: string) {
  const sandboxes = yield* Sandboxes
  const sandbox = yield* sandboxes.make({ image })
  return yield* RawSandbox.maker(benchmark, sandbox.containerId, diskOf)
}, Effect.scoped)

const measure = Effect.fnUntraced(function* (rounds: number) {
  const image = yield* (yield* Images).reference("tiny")
  const sandboxes = yield* Sandboxes
  const maker = yield* copied(name, image)
  const ours = () => sandboxes.make({ image })
  const theirs = (round: number) => RawSandbox.make(maker, `bench-cold-${round + 100}`)
  const withVolume = yield* alternate({ ours, theirs, rounds, warmUps: 3 })
  const mine = summarise(withVolume.ours)
  const raw = summarise(withVolume.theirs)
  return {
    series: [
      { of: "sbx", what: "Sandboxes.make: intent, volume, create, start", unit: "ms", figures: mine },
      { of: "dockerode", what: "volume, create, start; same body", unit: "ms", figures: raw }
    ],
    targets: [atMost("p50 over dockerode's", mine.p50 / raw.p50, limit, { n: rounds, least })],
    notes: [
      `a ${SandboxOptions.defaults.limits.diskBytes / 1024 ** 2} MiB ext4 volume is made inside the time on both sides: a copy of an empty one, attached`
    ]
  }
})

export const coldStart: Benchmark = {
  name,
  description: "cold start without network, hardened: create → started",
  run: ({ rounds = least }) => measure(rounds).pipe(failing(name))
}
