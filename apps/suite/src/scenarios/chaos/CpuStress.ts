/**
 * A fault from intent to proven revert: throttling measured against the control, the stressor's processes gone, every fact on record.
 */
import { cpuStress } from "@sbx/chaos/Fault"
import { FailureEvents } from "@sbx/chaos/FailureEvent"
import { FailureInjector } from "@sbx/chaos/FailureInjector"
import type { FaultHandle, FaultReport } from "@sbx/chaos/FaultHandle"
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import { missingInOrder } from "../../internal/factOrder.ts"
import * as Standing from "../../internal/standing.ts"

const expectedFacts = [
  "FaultIntended",
  "FaultInjected",
  "FaultProven",
  "FaultReverted",
  "FaultRevertProven",
  "FaultEnded"
]

const sidecarOnly: Standing.Counts = { containers: 1, volumes: 0, images: 0 }

const processesOf = Effect.fnUntraced(function* (sandbox: Sandbox) {
  return (yield* (yield* Engine).topContainer(sandbox.containerId)).length
})

/** What must be gone later is there now, by the same looks. A sidecar nested in the target's cgroup shows among its processes. */
const disturbs = Effect.fnUntraced(function* (sandbox: Sandbox, handle: FaultHandle, before: number) {
  const { check, unknown } = yield* Scenario.ScenarioContext
  const standing = yield* Standing.look(FailureEvents.stream(handle.faultId))
  const during = yield* processesOf(sandbox)
  const { _tag } = yield* handle.status
  if (_tag !== "Active") return yield* unknown(`the fault was ${_tag} before it could be looked at`)
  const { holds, facts } = Standing.compare(standing, sidecarOnly)
  yield* check("the sidecar is found while the fault is active", holds, facts)
  yield* check("the target's cgroup has more processes while the fault is active", during > before, {
    expected: `more than ${before}`,
    actual: `${during}`
  })
})

const isProven = (evidence: ReadonlyArray<{ readonly holds: boolean }>): boolean =>
  evidence.length > 0 && evidence.every(({ holds }) => holds)

const judgeReport = Effect.fnUntraced(function* (report: FaultReport) {
  const { check, evidence } = yield* Scenario.ScenarioContext
  yield* evidence("proof", [...report.evidence])
  yield* evidence("revert", [...report.revertEvidence])
  yield* check("it was proved against the control", isProven(report.evidence))
  yield* check("it was proved reverted", isProven(report.revertEvidence))
  yield* check("it ended by its duration", report.reason === "duration", {
    expected: "duration",
    actual: report.reason
  })
})

const leavesNothing = Effect.fnUntraced(function* (sandbox: Sandbox, faultId: string, before: number) {
  const { check } = yield* Scenario.ScenarioContext
  const after = yield* processesOf(sandbox)
  yield* check("the target's processes are as before", after === before, { expected: `${before}`, actual: `${after}` })
  const { holds, facts } = Standing.compare(yield* Standing.look(FailureEvents.stream(faultId)), Standing.nothing)
  yield* check("no sidecar is left", holds, facts)
})

const recordsEverything = Effect.fnUntraced(function* (faultId: string) {
  const { check } = yield* Scenario.ScenarioContext
  const facts = yield* Stream.runCollect(FailureEvents.read(yield* Journal, FailureEvents.stream(faultId)))
  const missing = missingInOrder(
    expectedFacts,
    facts.map((fact) => fact.payload._tag)
  )
  yield* check("every fact is on record, in order", missing.length === 0, {
    expected: expectedFacts.join(" "),
    actual: `missing or out of order: ${missing.join(" ")}`
  })
})

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const injector = yield* FailureInjector
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step("create", sandboxes.make({ image, cpus: "0.5" }))
  const before = yield* processesOf(sandbox)
  const handle = yield* step("inject and prove", injector.inject(sandbox, cpuStress(), { duration: "2 seconds" }))
  yield* disturbs(sandbox, handle, before)
  yield* judgeReport(yield* step("hold, revert and prove", handle.awaitEnd))
  yield* leavesNothing(sandbox, handle.faultId, before)
  yield* recordsEverything(handle.faultId)
})

export const cpuStressScenario = Scenario.make(
  "chaos/cpu-stress",
  {
    description: "cpu stress proved against the control, reverted, processes gone, events complete",
    tags: ["smoke"],
    images: ["tiny"],
    timeout: "60 seconds"
  },
  program
)
