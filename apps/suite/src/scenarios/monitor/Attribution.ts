/**
 * Load in A shows in A's figures and not in B's: cpu against A's quota, memory against the bytes that were touched, both against what
 * the kernel tells inside.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import { Images } from "../../Images.ts"
import * as Effect from "effect/Effect"
import * as KernelView from "../../internal/kernelView.ts"
import { isNear, measured } from "../../internal/measured.ts"
import { hasItsQuota, observe, type Observed } from "../../internal/observePair.ts"
import { withRoomFor } from "../../internal/sandboxRoom.ts"

const quota = 0.5
const touchedBytes = 64 * 1024 ** 2
/** /tmp of a sandbox is a tmpfs: what is written there stays charged to its cgroup. */
const touchMemory = `head -c ${touchedBytes} /dev/zero > /tmp/touched`

const attributesCpu = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  yield* a.spawn(["sh", "-c", "while :; do :; done"])
  const seen = yield* observe(a, b, "2 seconds")
  const used = yield* measured(seen.a.sample, "cpuCores")
  const neighbour = yield* measured(seen.b.sample, "cpuCores")
  yield* evidence("cpuCores", { a: used, b: neighbour, kernelA: seen.a.cores, kernelB: seen.b.cores })
  if (yield* hasItsQuota(seen.a, quota)) {
    yield* check("a busy loop in A uses A's quota", isNear(used, quota, 0.15), {
      expected: `${quota} cores ± 15 %`,
      actual: `${used} cores`
    })
  }
  yield* check("A's cores are the kernel's", Math.abs(used - seen.a.cores) < 0.1, {
    expected: `${seen.a.cores} cores ± 0.1`,
    actual: `${used} cores`
  })
  yield* check("B stays below 5 % of a core", neighbour < 0.05, {
    expected: "< 0.05 cores",
    actual: `${neighbour} cores`
  })
  return seen
}, Effect.scoped)

const attributesMemory = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox, before: Observed) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  const kernelBefore = yield* KernelView.read(a)
  yield* a.execOk(["sh", "-c", touchMemory])
  // Memory is a gauge: the shortest window will do.
  const after = yield* observe(a, b, "10 millis")
  const grown = Effect.fnUntraced(function* (which: "a" | "b") {
    const from = yield* measured(before[which].sample, "memoryBytes")
    return (yield* measured(after[which].sample, "memoryBytes")) - from
  })
  const [inA, inB] = [yield* grown("a"), yield* grown("b")]
  const kernelA = after.a.before.memoryBytes - kernelBefore.memoryBytes
  yield* evidence("memoryGrowthBytes", { a: inA, b: inB, kernelA })
  yield* check("64 MiB touched in A read +64 MiB", isNear(inA, touchedBytes, 0.1), {
    expected: `${touchedBytes} bytes ± 10 %`,
    actual: `${inA} bytes`
  })
  yield* check("A's growth is the kernel's", isNear(inA, kernelA, 0.1), {
    expected: `${kernelA} bytes ± 10 %`,
    actual: `${inA} bytes`
  })
  yield* check("B's memory stays where it was", Math.abs(inB) < touchedBytes * 0.05, {
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
