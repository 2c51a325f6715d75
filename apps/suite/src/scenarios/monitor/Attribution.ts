/**
 * Load in A shows in A's figures and not in B's: cpu against A's quota, memory against the bytes that were touched.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Wait from "@sbx/core/Wait"
import { Monitor } from "@sbx/monitor/Monitor"
import * as Effect from "effect/Effect"
import { Images } from "../../Images.ts"

const quota = 0.5
const touchedBytes = 64 * 1024 ** 2
/** /tmp of a sandbox is a tmpfs: what is written there stays charged to its cgroup. */
const touchMemory = `head -c ${touchedBytes} /dev/zero > /tmp/touched && touch /workspace/touched`

const within = (actual: number | undefined, expected: number, tolerance: number): boolean =>
  actual !== undefined && Math.abs(actual - expected) <= expected * tolerance

const attributesCpu = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  const monitor = yield* Monitor
  yield* a.spawn(["sh", "-c", "while :; do :; done"])
  const [inA, inB] = yield* Effect.all(
    [monitor.sample(a, { window: "2 seconds" }), monitor.sample(b, { window: "2 seconds" })],
    {
      concurrency: "unbounded"
    }
  )
  yield* evidence("cpuCores", { a: inA.values.cpuCores ?? null, b: inB.values.cpuCores ?? null })
  yield* check("a busy loop in A uses A's quota", within(inA.values.cpuCores, quota, 0.15), {
    expected: `${quota} cores ± 15 %`,
    actual: `${inA.values.cpuCores} cores`
  })
  const neighbour = inB.values.cpuCores
  yield* check("B stays below 5 % of a core", neighbour !== undefined && neighbour < 0.05, {
    expected: "< 0.05 cores",
    actual: `${neighbour} cores`
  })
}, Effect.scoped)

const attributesMemory = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  const monitor = yield* Monitor
  const both = Effect.all([monitor.sample(a), monitor.sample(b)], { concurrency: "unbounded" })
  const [beforeA, beforeB] = yield* both
  yield* a.execOk(["sh", "-c", touchMemory])
  yield* a.wait(Wait.command(["test", "-e", "/workspace/touched"]))
  const [afterA, afterB] = yield* both
  const grown = (before: number | undefined, after: number | undefined) =>
    before === undefined || after === undefined ? undefined : after - before
  const inA = grown(beforeA.values.memoryBytes, afterA.values.memoryBytes)
  const inB = grown(beforeB.values.memoryBytes, afterB.values.memoryBytes)
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
  yield* step("cpu", attributesCpu(a, b))
  yield* step("memory", attributesMemory(a, b))
})

export const attribution = Scenario.make(
  "monitor/attribution",
  {
    description: "load in one sandbox shows in its own figures and not in its neighbour's",
    tags: ["smoke"],
    images: ["tiny"],
    exclusive: true
  },
  program
)
