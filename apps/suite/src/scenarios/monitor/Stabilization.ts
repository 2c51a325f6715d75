/**
 * A sandbox under load is not at rest, nor is one whose memory goes up and down below the threshold; once the load has ended it is, a
 * whole window later and not before.
 */
import { Undecidable } from "@sbx/core/Expect"
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Verdict from "@sbx/core/Verdict"
import { type Criteria, type StabilizationError, waitForStabilization } from "@sbx/monitor/Stabilization"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { Images } from "../../Images.ts"
import * as KernelView from "../../internal/kernelView.ts"

const MiB = 1024 ** 2
const quota = 0.5
const [windowMillis, intervalMillis] = [1000, 200]
const sampling = { window: windowMillis, interval: intervalMillis }
const calmCpu = { ...sampling, metric: "cpuCores", below: 0.15, maxDeviation: 0.05 } as const
const calmMemory = {
  ...sampling,
  interval: 100,
  metric: "memoryBytes",
  below: 128 * MiB,
  maxDeviation: 4 * MiB
} as const
/** An engine that answers for its containers takes up to a second a reading. */
const patience = "15 seconds"

const wave = `while :; do head -c ${32 * MiB} /dev/zero > /tmp/wave; usleep 200000; : > /tmp/wave; usleep 200000; done`
const busyLoop = "while :; do :; done"

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Holes in the samples, which a busy host leaves: a run without one spans the window long before the time is up. */
const hasHoles = (finding: string): boolean => /^(no sample|no value|at rest for)/.test(finding)

/** The wait has to give up, for the right reason; without a value, or without enough of them, it has seen nothing. */
export const judgeUnrest = Effect.fnUntraced(function* (
  result: Result.Result<unknown, StabilizationError>,
  reason: RegExp
) {
  if (Result.isSuccess(result)) return Verdict.fail("it was taken for stable")
  const error = result.failure
  if (error._tag !== "NotStabilized") return yield* error
  const [target] = error.targets
  if (target === undefined || target.values.length === 0)
    return yield* new Undecidable({ what: error.metric, detail: target?.finding ?? "no container was looked at" })
  if (hasHoles(target.finding)) return Verdict.unknown(`it could not be sampled well enough: ${target.finding}`)
  return reason.test(target.finding) ? Verdict.pass : Verdict.fail(`it was found not at rest: ${target.finding}`)
})

const restless = Effect.fnUntraced(function* (
  sandbox: Sandbox,
  what: string,
  criteria: Omit<Criteria, "timeout">,
  reason: RegExp
) {
  const { evidence, finding } = yield* Scenario.ScenarioContext
  const waited = yield* Effect.result(waitForStabilization(sandbox, { ...criteria, timeout: "2500 millis" }))
  const verdict = yield* judgeUnrest(waited, reason)
  if (Result.isFailure(waited) && waited.failure._tag === "NotStabilized") {
    yield* evidence(what, {
      finding: waited.failure.targets[0]?.finding ?? "",
      values: waited.failure.targets[0]?.values ?? []
    })
  }
  yield* finding(`${what} is not rest`, verdict)
})

const wavers = Effect.fnUntraced(function* (sandbox: Sandbox) {
  yield* sandbox.spawn(["sh", "-c", wave])
  yield* restless(sandbox, "unsteady memory below the threshold", calmMemory, /^deviates/)
}, Effect.scoped)

/** Whether the loop runs, by the kernel: a host without cpu to give would make any wait right. */
const loadSeen = Effect.fnUntraced(function* (before: KernelView.KernelView, after: KernelView.KernelView) {
  const { evidence, unknown } = yield* Scenario.ScenarioContext
  const cores = KernelView.cores(before, after)
  yield* evidence("loadCores", cores)
  if (cores < 2 * calmCpu.below)
    yield* unknown(`the host is too busy: by the kernel the loop got ${cores.toFixed(2)} cores`)
})

const comesToRest = Effect.fnUntraced(function* (sandbox: Sandbox) {
  const { budget, check, evidence, step, unknown } = yield* Scenario.ScenarioContext
  const load = yield* sandbox.spawn(["sh", "-c", busyLoop])
  const before = yield* KernelView.read(sandbox)
  // Held back by others, the loop may stay below, but not steadily.
  yield* step("under load", restless(sandbox, "load", calmCpu, /^(up to|deviates)/))
  yield* loadSeen(before, yield* KernelView.read(sandbox))
  const wait = waitForStabilization(sandbox, { ...calmCpu, timeout: patience })
  const waiting = yield* Effect.forkScoped(Effect.all([Effect.result(wait), monotonicMillis]))
  yield* load.kill("KILL")
  const ended = yield* monotonicMillis
  const idle = yield* KernelView.read(sandbox)
  const [waited, stableAt] = yield* step("at rest", Fiber.join(waiting))
  if (Result.isFailure(waited)) {
    const { failure } = waited
    if (failure._tag !== "NotStabilized") return yield* failure
    const [target] = failure.targets
    if (target !== undefined && hasHoles(target.finding))
      return yield* unknown(`it could not be sampled well enough to come to rest: ${target.finding}`)
    yield* check("it comes to rest", false, { expected: `at rest within ${patience}`, actual: failure.message })
    return
  }
  const cores = KernelView.cores(idle, yield* KernelView.read(sandbox))
  const [stable] = waited.success
  const took = stableAt - ended
  yield* evidence("rest", { afterMillis: took, deviation: stable?.deviation ?? null, kernelCores: cores })
  yield* check("a whole window after the load", took >= windowMillis - intervalMillis, {
    expected: `${windowMillis - intervalMillis} ms or more`,
    actual: `${took} ms`
  })
  yield* check("the kernel finds it at rest too", cores < calmCpu.below, {
    expected: `< ${calmCpu.below} cores`,
    actual: `${cores} cores`
  })
  const limit = windowMillis + 3000
  yield* budget("soon after the load", took < limit, { expected: `< ${limit} ms`, actual: `${took} ms` })
}, Effect.scoped)

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step("create", (yield* Sandboxes).make({ image, cpus: quota, memory: "256M", tmp: "64M" }))
  yield* step("go up and down", wavers(sandbox))
  yield* step("load and rest", comesToRest(sandbox))
})

export const stabilization = Scenario.make(
  "monitor/stabilization",
  {
    description:
      "a sandbox under load or with unsteady memory is not at rest; once the load has ended it is, a whole window later",
    images: ["tiny"],
    exclusive: true,
    timeout: "60 seconds"
  },
  program
)
