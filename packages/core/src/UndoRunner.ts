/**
 * Runs undo plans, for whoever finds one: a reconciler, a watchdog, the injector itself. Every step is idempotent; what is
 * absent counts as undone. A failing step does not keep the next ones from being run.
 */
import type { Engine } from "@sbx/engine/Engine"
import type { CallError, EngineConflict, InvalidRequest, ObjectNotFound } from "@sbx/engine/EngineError"
import type { EventUndecodable } from "@sbx/journal/EventFamily"
import type { AppendError, Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type UndoPlan, UndoStep } from "./UndoPlan.ts"

/** Some steps failed, the others were run. Running the plan again is safe. */
export class UndoFailed extends Schema.TaggedError<UndoFailed>()("UndoFailed", {
  failures: Schema.Array(Schema.Struct({ step: UndoStep, detail: Schema.String }))
}) {
  readonly retryable = true
  override get message() {
    const list = this.failures.map(({ step, detail }) => `${step._tag} ${step.containerId}: ${detail}`)
    return `Could not undo a disturbance: ${list.join("; ")}.\nRun \`./sbx reap\` once the engine answers.`
  }
}

/** A disturbance on record that is not undone. `record` appends that it is. */
export interface PendingUndo {
  readonly id: string
  readonly plan: UndoPlan
  /**
   * Milliseconds since the epoch until which a disturbance that was under way when its owner died may still take effect in the engine.
   * Before that, "not disturbed" may mean "not yet": the undo is run, and neither recorded nor the last. Absent: long past.
   */
  readonly untilMillis?: number
  readonly record: Effect.Effect<void, AppendError | EventUndecodable>
}

/** Finds the pending ones in a journal; core does not know who disturbs. */
export type PendingUndos = (
  journal: Journal["Service"]
) => Effect.Effect<ReadonlyArray<PendingUndo>, JournalUnavailable | EventUndecodable>

type StepError = CallError | ObjectNotFound | EngineConflict | InvalidRequest

/** Whether the object of a step is gone, or already as the step wants it. */
const isUndone = (error: StepError): boolean =>
  error._tag === "ObjectNotFound" ||
  (error._tag === "EngineConflict" &&
    (error.reason === "not-paused" || error.reason === "not-running" || error.reason === "already-running"))

const connect = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  step: Extract<UndoStep, { readonly _tag: "ConnectNetwork" }>
): Effect.fn.Return<void, StepError> {
  const { networks } = yield* engine.inspectContainer(step.containerId)
  const connected = Object.entries(networks).some(
    ([name, network]) => name === step.networkId || network.networkId === step.networkId
  )
  if (!connected) yield* engine.connectNetwork(step.networkId, step.containerId, step.aliases)
})

const runStep = (engine: Engine["Service"], step: UndoStep): Effect.Effect<void, StepError> => {
  switch (step._tag) {
    case "RemoveContainer":
      return engine.removeContainer(step.containerId)
    case "UnpauseContainer":
      return engine.unpauseContainer(step.containerId)
    case "StartContainer":
      return engine.startContainer(step.containerId)
    case "UpdateContainer": {
      const { _tag: _, containerId, ...update } = step
      return engine.updateContainer(containerId, update)
    }
    case "ConnectNetwork":
      return connect(engine, step)
  }
}

/** Runs all steps in order. */
export const runUndoPlan = Effect.fn("runUndoPlan")(function* (
  engine: Engine["Service"],
  plan: UndoPlan
): Effect.fn.Return<void, UndoFailed> {
  const failures: Array<{ readonly step: UndoStep; readonly detail: string }> = []
  for (const step of plan.steps) {
    yield* runStep(engine, step).pipe(
      Effect.catchIf(isUndone, () => Effect.void),
      Effect.catch((error) => Effect.sync(() => void failures.push({ step, detail: error.message })))
    )
  }
  if (failures.length > 0) return yield* new UndoFailed({ failures })
})
