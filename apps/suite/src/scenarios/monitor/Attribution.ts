/**
 * Load in A shows in A's figures and not in B's: cpu against A's quota, memory against the bytes that were touched.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import type { ContainerSample } from "@sbx/monitor/ContainerSampler"
import { Monitor } from "@sbx/monitor/Monitor"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Images } from "../../Images.ts"
import { withRoomFor } from "../../internal/sandboxRoom.ts"

const quota = 0.5
/** Of the 20 and more periods of 100 ms in the window; a loop that has its quota is held back in nearly all. */
const leastThrottled = 10
const touchedBytes = 64 * 1024 ** 2
/** /tmp of a sandbox is a tmpfs: what is written there stays charged to its cgroup. */
const touchMemory = `head -c ${touchedBytes} /dev/zero > /tmp/touched`

const within = (actual: number | undefined, expected: number, tolerance: number): boolean =>
  actual !== undefined && Math.abs(actual - expected) <= expected * tolerance

type Samples = readonly [a: ContainerSample, b: ContainerSample]

const both = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox, window: Duration.Input) {
  const monitor = yield* Monitor
  const options = { window }
  const samples: Samples = yield* Effect.all([monitor.sample(a, options), monitor.sample(b, options)], {
    concurrency: "unbounded"
  })
  return samples
})

/** Below the quota and not held back by it: the host had no cpu to give, which says nothing about attribution. */
const judgeQuota = Effect.fnUntraced(function* ({ values }: ContainerSample) {
  const { check, unknown } = yield* Scenario.ScenarioContext
  const { cpuCores, cpuThrottledPeriods } = values
  if (cpuCores !== undefined && cpuCores < quota * 0.85 && (cpuThrottledPeriods ?? 0) < leastThrottled) {
    return yield* unknown(
      `the host is too busy: A's loop got ${cpuCores.toFixed(2)} cores and its quota held it back in ${cpuThrottledPeriods} periods only`
    )
  }
  yield* check("a busy loop in A uses A's quota", within(cpuCores, quota, 0.15), {
    expected: `${quota} cores ± 15 %`,
    actual: `${cpuCores} cores`
  })
})

const attributesCpu = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  yield* a.spawn(["sh", "-c", "while :; do :; done"])
  const samples = yield* both(a, b, "2 seconds")
  const [used, neighbour] = samples.map((sample) => sample.values.cpuCores)
  yield* evidence("cpuCores", { a: used ?? null, b: neighbour ?? null })
  yield* judgeQuota(samples[0])
  yield* check("B stays below 5 % of a core", neighbour !== undefined && neighbour < 0.05, {
    expected: "< 0.05 cores",
    actual: `${neighbour} cores`
  })
  return samples
}, Effect.scoped)

const attributesMemory = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox, before: Samples) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  yield* a.execOk(["sh", "-c", touchMemory])
  // Memory is a gauge: the shortest window will do.
  const after = yield* both(a, b, "10 millis")
  const grown = (index: 0 | 1): number | undefined => {
    const [from, to] = [before[index].values.memoryBytes, after[index].values.memoryBytes]
    return from === undefined || to === undefined ? undefined : to - from
  }
  const [inA, inB] = [grown(0), grown(1)]
  yield* evidence("memoryGrowthBytes", { a: inA ?? null, b: inB ?? null })
  yield* check("64 MiB touched in A read +64 MiB", within(inA, touchedBytes, 0.1), {
    expected: `${touchedBytes} bytes ± 10 %`,
    actual: `${inA} bytes`
  })
  yield* check("B's memory stays where it was", inB !== undefined && Math.abs(inB) < touchedBytes * 0.05, {
    expected: "within 5 % of what A touched",
    actual: `${inB} bytes`
  })
})

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const image = yield* (yield* Images).reference("tiny")
  const options = { image, cpus: quota, memory: "256M", tmp: "128M" } as const
  const [a, b] = yield* step(
    "create",
    Effect.all([sandboxes.make(options), sandboxes.make(options)], { concurrency: "unbounded" })
  )
  const before = yield* step("cpu", attributesCpu(a, b))
  yield* step("memory", attributesMemory(a, b, before))
})

export const attribution = Scenario.make(
  "monitor/attribution",
  {
    description: "load in one sandbox shows in its own figures and not in its neighbour's",
    tags: ["smoke"],
    images: ["tiny"],
    exclusive: true
  },
  withRoomFor(2, program)
)
