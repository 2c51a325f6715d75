/**
 * A snapshot before some operations, one after, and the difference bounded by 100 MB; then more than that, which the same bound must
 * refuse. Every metric of the comparison has a value or a reason, and the snapshots are on record.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as SeededBytes from "@sbx/data/SeededBytes"
import { Journal } from "@sbx/journal/Journal"
import { ContainerMetric } from "@sbx/monitor/ContainerSampler"
import { memoryBounded } from "@sbx/monitor/MemoryBound"
import { family } from "@sbx/monitor/ResourceEvent"
import { compare, type Snapshot, takeFullSnapshot } from "@sbx/monitor/Snapshot"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import * as KernelView from "../../internal/kernelView.ts"
import { caught, isNear, measured } from "../../internal/measured.ts"

const bound = { megabytes: 100 }
const keptBytes = 32 * 1024 ** 2
const beyondBytes = 96 * 1024 ** 2
const window = "500 millis"

const fill = (sandbox: Sandbox, name: string, bytes: number) =>
  sandbox.execOk(["sh", "-c", `head -c ${bytes} /dev/zero > /tmp/${name}`])

/** Files both ways, commands, and memory that is kept. */
const operate = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { seed } = yield* Scenario.ScenarioContext
  const bytes = yield* SeededBytes.bytes(seed, 500_000)
  for (const name of ["a", "b", "c"]) {
    yield* sandbox.files.write(`/workspace/${name}`, bytes)
    yield* sandbox.execOk(["sha256sum", `/workspace/${name}`])
  }
  yield* fill(sandbox, "kept", keptBytes)
})

/** Each has a snapshot, and the kernel's view right after it. */
const look = Effect.fnUntraced(function* (sandbox: Sandbox, label: string) {
  const snapshot = yield* takeFullSnapshot(sandbox, { label, window })
  return { snapshot, kernel: yield* KernelView.read(sandbox) }
})
type Look = Effect.Success<ReturnType<typeof look>>

const comparesAll = Effect.fnUntraced(function* (before: Look, after: Look) {
  const { check, evidence, finding, unknown } = yield* Scenario.ScenarioContext
  for (const sample of [...before.snapshot.containers, ...after.snapshot.containers])
    yield* measured(sample, "memoryBytes")
  const delta = yield* compare(before.snapshot, after.snapshot)
  const [container] = delta.containers
  if (container === undefined) return yield* unknown("the comparison holds no container")
  yield* evidence("delta", { memoryUsedMb: delta.memoryUsedMb, cpuCores: delta.cpuCores, pids: delta.pids })
  yield* evidence("notCompared", { ...container.absent })
  const silent = ContainerMetric.literals.filter(
    (metric) => container.values[metric] === undefined && container.absent[metric] === undefined
  )
  yield* check("every metric has a difference or a reason", silent.length === 0, {
    expected: `${ContainerMetric.literals.length} metrics`,
    actual: `none of ${silent.join(", ")}`
  })
  yield* check("host and runner are compared too", delta.host !== undefined && delta.runner !== undefined)
  const [grown, byKernel] = [delta.memoryUsedMb * 1e6, after.kernel.memoryBytes - before.kernel.memoryBytes]
  yield* check("the growth is what was kept", isNear(grown, keptBytes, 0.1), {
    expected: `${keptBytes} bytes ± 10 %`,
    actual: `${grown} bytes`
  })
  yield* check("the growth is the kernel's", isNear(grown, byKernel, 0.1), {
    expected: `${byKernel} bytes ± 10 %`,
    actual: `${grown} bytes`
  })
  yield* finding("memory usage is bounded by 100 MB", yield* memoryBounded(before.snapshot, after.snapshot, bound))
})

const refusesMore = Effect.fnUntraced(function* (sandbox: Sandbox, before: Look) {
  const { finding } = yield* Scenario.ScenarioContext
  yield* fill(sandbox, "beyond", beyondBytes)
  const beyond = yield* look(sandbox, "beyond")
  const verdict = yield* memoryBounded(before.snapshot, beyond.snapshot, bound)
  yield* finding("the same bound refuses a growth of 128 MiB", caught(verdict))
  return beyond
})

const recorded = Effect.fnUntraced(function* (snapshots: ReadonlyArray<Snapshot>) {
  const { check } = yield* Scenario.ScenarioContext
  const events = yield* Stream.runCollect(family.replay(yield* Journal, { types: ["SnapshotTaken"] }))
  const said = snapshots.map(
    ({ containers, id }) => `${id} ${containers.map((one) => one.values.memoryBytes).join(" ")}`
  )
  const found = events.flatMap(({ payload }) => {
    if (payload._tag !== "SnapshotTaken" || !snapshots.some(({ id }) => id === payload.snapshotId)) return []
    const containers = payload.subjects.filter(({ subject }) => subject === "container")
    return [`${payload.snapshotId} ${containers.map(({ metrics }) => metrics["memoryBytes"]).join(" ")}`]
  })
  yield* check("each is on record once with its figures", found.join("; ") === said.join("; "), {
    expected: said.join("; "),
    actual: found.join("; ")
  })
})

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step("create", (yield* Sandboxes).make({ image, memory: "256M", tmp: "192M" }))
  const baseline = yield* step("baseline", look(sandbox, "baseline"))
  yield* step("operate", operate(sandbox))
  const final = yield* step("final", look(sandbox, "final"))
  yield* step("compare", comparesAll(baseline, final))
  const beyond = yield* step("go beyond the bound", refusesMore(sandbox, baseline))
  yield* step("replay", recorded([baseline.snapshot, final.snapshot, beyond.snapshot]))
})

export const snapshotCompare = Scenario.make(
  "monitor/snapshot-compare",
  {
    description:
      "snapshots before and after operations, all metrics compared, memory bounded by 100 MB and a larger growth refused",
    images: ["tiny"]
  },
  program
)
