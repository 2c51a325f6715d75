/**
 * A takes all it may have of cpu, memory and processes while B works at its own pace: A's figures rise, B's do not move, and B works on.
 */
import { that, eventually } from "@sbx/core/Expect"
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Effect from "effect/Effect"
import { Images } from "../../Images.ts"
import * as KernelView from "../../internal/kernelView.ts"
import { isNear, measured } from "../../internal/measured.ts"
import { hasItsQuota, observe, type Observed } from "../../internal/observePair.ts"
import { withRoomFor } from "../../internal/sandboxRoom.ts"

const quota = 0.5
const hogBytes = 64 * 1024 ** 2
const hogProcesses = 24
const window = "2 seconds"

/** A beat every 20 ms: a small load that does not change, and a count of what was done. */
const work = "while :; do printf . >> /tmp/beats; usleep 20000; done"
const takeMemory = `head -c ${hogBytes} /dev/zero > /tmp/hog`
const takeCpu = `i=0; while [ $i -lt ${hogProcesses - 4} ]; do sleep 600 & i=$((i + 1)); done
for i in 1 2 3; do while :; do :; done & done; while :; do :; done`

const beats = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { stdout } = yield* sandbox.execOk(["sh", "-c", "read -r up idle < /proc/uptime; echo $up; wc -c < /tmp/beats"])
  const [seconds = Number.NaN, count = Number.NaN] = stdout.trim().split(/\s+/).map(Number)
  return { seconds, count }
})

/** What both use, and how many beats a second B does. */
const measure = Effect.fnUntraced(function* (a: Sandbox, b: Sandbox) {
  const before = yield* beats(b)
  const seen = yield* observe(a, b, window)
  const after = yield* beats(b)
  return { ...seen, beatsPerSecond: (after.count - before.count) / (after.seconds - before.seconds) }
})

const works = Effect.fnUntraced(function* (b: Sandbox) {
  yield* b.spawn(["sh", "-c", work])
  const begun = Effect.flatMap(b.exec(["test", "-s", "/tmp/beats"]), ({ exitCode }) =>
    that(exitCode === 0, { what: "B's work", expected: "begun", actual: "no beat" })
  )
  yield* eventually("B's work", begun, { within: "5 seconds" })
})

const isNoisy = Effect.fnUntraced(function* (a: Sandbox) {
  yield* a.execOk(["sh", "-c", takeMemory])
  yield* a.spawn(["sh", "-c", takeCpu])
  const running = Effect.flatMap(KernelView.read(a), ({ tasks }) =>
    that(tasks >= hogProcesses, { what: "A's tasks", expected: `${hogProcesses} or more`, actual: `${tasks}` })
  )
  yield* eventually("A's tasks", running, { within: "5 seconds" })
})

const rise = Effect.fnUntraced(function* (
  before: Observed,
  after: Observed,
  which: "a" | "b",
  metric: "cpuCores" | "memoryBytes" | "pids"
) {
  const from = yield* measured(before[which].sample, metric)
  return (yield* measured(after[which].sample, metric)) - from
})

const risesInA = Effect.fnUntraced(function* (before: Observed, after: Observed) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  const cpu = yield* measured(after.a.sample, "cpuCores")
  const memory = yield* rise(before, after, "a", "memoryBytes")
  const pids = yield* rise(before, after, "a", "pids")
  yield* evidence("hog", { cpuCores: cpu, kernelCores: after.a.cores, memoryBytes: memory, pids })
  if (yield* hasItsQuota(after.a, quota)) {
    yield* check("A's cores are its quota", isNear(cpu, quota, 0.15), {
      expected: `${quota} cores ± 15 %`,
      actual: `${cpu} cores`
    })
  }
  yield* check("A's memory grows by what it took", memory > hogBytes * 0.95 && memory < hogBytes * 1.25, {
    expected: `${hogBytes} bytes − 5 % + 25 %`,
    actual: `${memory} bytes`
  })
  yield* check(
    "A's tasks are the kernel's",
    pids >= hogProcesses && pids === after.a.after.tasks - before.a.after.tasks,
    {
      expected: `${after.a.after.tasks - before.a.after.tasks} more, ${hogProcesses} at least`,
      actual: `${pids} more`
    }
  )
})

const staysInB = Effect.fnUntraced(function* (before: Observed, after: Observed) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  const cpu = yield* measured(after.b.sample, "cpuCores")
  const moved = {
    cpuCores: yield* rise(before, after, "b", "cpuCores"),
    memoryBytes: yield* rise(before, after, "b", "memoryBytes"),
    pids: yield* rise(before, after, "b", "pids")
  }
  yield* evidence("neighbourMoved", { ...moved, cpuCores: moved.cpuCores, kernelCores: after.b.cores - before.b.cores })
  yield* check("B's work shows in its cores", cpu > 0, { expected: "> 0 cores", actual: `${cpu} cores` })
  yield* check("B's cores are the kernel's", Math.abs(cpu - after.b.cores) < 0.05, {
    expected: `${after.b.cores} cores ± 0.05`,
    actual: `${cpu} cores`
  })
  yield* check("B's cores move by less than 5 % of a core", Math.abs(moved.cpuCores) < 0.05, {
    expected: "within 0.05 cores",
    actual: `${moved.cpuCores} cores`
  })
  yield* check("B's memory moves by less than 5 % of what A took", Math.abs(moved.memoryBytes) < hogBytes * 0.05, {
    expected: `within ${hogBytes * 0.05} bytes`,
    actual: `${moved.memoryBytes} bytes`
  })
  // Between two beats B has one process fewer.
  yield* check("B's tasks do not move", Math.abs(moved.pids) <= 1, {
    expected: "by 1 at most",
    actual: `${moved.pids}`
  })
})

const program = Effect.gen(function* () {
  const { budget, evidence, step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const image = yield* (yield* Images).reference("tiny")
  const options = { image, cpus: quota, memory: "128M", tmp: "96M", pids: 64 } as const
  const [a, b] = yield* step(
    "create",
    Effect.all([sandboxes.make(options), sandboxes.make(options)], { concurrency: "unbounded" })
  )
  yield* works(b)
  const quiet = yield* step("a quiet neighbour", measure(a, b))
  yield* step("make noise", isNoisy(a))
  const loud = yield* step("a noisy neighbour", measure(a, b))
  yield* step("judge the noise", risesInA(quiet, loud))
  yield* step("judge the neighbour", staysInB(quiet, loud))
  yield* evidence("beatsPerSecond", { quiet: quiet.beatsPerSecond, loud: loud.beatsPerSecond })
  yield* budget("B works on at 70 % of its pace or more", loud.beatsPerSecond >= quiet.beatsPerSecond * 0.7, {
    expected: `≥ 70 % of ${quiet.beatsPerSecond.toFixed(1)} beats a second`,
    actual: loud.beatsPerSecond.toFixed(1)
  })
})

export const noisyNeighbour = Scenario.make(
  "monitor/noisy-neighbour",
  {
    description: "a sandbox that takes all it may have does not move its neighbour's figures, nor stop its work",
    images: ["tiny"],
    exclusive: true
  },
  withRoomFor(2, program)
)
