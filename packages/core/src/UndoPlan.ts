/**
 * How to undo a disturbance, as serialisable data, so that reconcile and the watchdog can run it without knowing what caused it.
 * Every step is idempotent: an absent object, process or setting counts as undone.
 */
import * as Schema from "effect/Schema"

export const UndoStep = Schema.Union([
  Schema.TaggedStruct("RemoveContainer", { containerId: Schema.String }),
  Schema.TaggedStruct("UnpauseContainer", { containerId: Schema.String }),
  Schema.TaggedStruct("StartContainer", { containerId: Schema.String }),
  /** Restores limits read before; bytes and 1e9-per-core units, absent = leave. */
  Schema.TaggedStruct("UpdateContainer", {
    containerId: Schema.String,
    memoryBytes: Schema.optionalKey(Schema.Int),
    memorySwapBytes: Schema.optionalKey(Schema.Int),
    nanoCpus: Schema.optionalKey(Schema.Int),
    pidsLimit: Schema.optionalKey(Schema.Int)
  }),
  Schema.TaggedStruct("ConnectNetwork", {
    networkId: Schema.String,
    containerId: Schema.String,
    aliases: Schema.Array(Schema.String)
  })
])
export type UndoStep = typeof UndoStep.Type

/** Steps in the order in which they are to be run. */
export const UndoPlan = Schema.Struct({ steps: Schema.Array(UndoStep) })
export type UndoPlan = typeof UndoPlan.Type
