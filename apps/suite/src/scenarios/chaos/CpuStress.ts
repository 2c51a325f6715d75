/**
 * A fault from intent to proven revert: throttling measured against the control, the stressor's processes gone, every fact on record.
 */
import { cpuStress } from "@sbx/chaos/Fault"
import { FailureEvents } from "@sbx/chaos/FailureEvent"
import { FailureInjector } from "@sbx/chaos/FailureInjector"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as SandboxLabels from "@sbx/core/SandboxLabels"
import * as Scenario from "@sbx/core/Scenario"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import { missingInOrder } from "../../internal/factOrder.ts"

const expectedFacts = [
  "FaultIntended",
  "FaultInjected",
  "FaultProven",
  "FaultReverted",
  "FaultRevertProven",
  "FaultEnded"
]

const program = Effect.gen(function* () {
  const { check, evidence, step } = yield* Scenario.ScenarioContext
  const sandboxes = yield* Sandboxes
  const injector = yield* FailureInjector
  const engine = yield* Engine
  const journal = yield* Journal
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step("create", sandboxes.make({ image, cpus: "0.5" }))
  const before = (yield* engine.topContainer(sandbox.containerId)).length
  const handle = yield* step("inject and prove", injector.inject(sandbox, cpuStress(), { duration: "1 second" }))
  const report = yield* step("hold, revert and prove", handle.awaitEnd)
  yield* evidence("proof", [...report.evidence])
  yield* evidence("revert", [...report.revertEvidence])
  yield* check(
    "it was proved against the control",
    report.evidence.length > 0 && report.evidence.every(({ holds }) => holds)
  )
  yield* check(
    "it was proved reverted",
    report.revertEvidence.length > 0 && report.revertEvidence.every(({ holds }) => holds)
  )
  yield* check("it ended by its duration", report.reason === "duration", {
    expected: "duration",
    actual: report.reason
  })
  const after = (yield* engine.topContainer(sandbox.containerId)).length
  yield* check("the target's processes are as before", after === before, { expected: `${before}`, actual: `${after}` })
  const sidecars = yield* engine.listContainers({
    [SandboxLabels.keys.stream]: FailureEvents.stream(handle.faultId)
  })
  yield* check("no sidecar is left", sidecars.length === 0, {
    expected: "none",
    actual: sidecars.map(({ name }) => name).join(", ")
  })
  const facts = yield* Stream.runCollect(FailureEvents.read(journal, FailureEvents.stream(handle.faultId)))
  const missing = missingInOrder(
    expectedFacts,
    facts.map((fact) => fact.payload._tag)
  )
  yield* check("every fact is on record, in order", missing.length === 0, {
    expected: expectedFacts.join(" "),
    actual: `missing or out of order: ${missing.join(" ")}`
  })
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
