/**
 * Where readings of a container come from. One reading is cheap and answers at once; it never waits for a second one.
 * Layers: `@sbx/monitor/EngineSource`; sources that read cgroup files directly take the same place.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { CallError } from "@sbx/engine/EngineError"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ContainerReading } from "./ContainerSampler.ts"

/** The container does not exist (any more). Final: an id never comes back. */
export class TargetGone extends Schema.TaggedError<TargetGone>()("TargetGone", {
  containerId: Schema.String,
  name: Schema.String
}) {
  override get message() {
    return `Could not sample ${this.name}: there is no container ${this.containerId}.\nIt was removed; sample a container that exists.`
  }
}

/** The container exists and does not run, so it uses nothing that could be measured. It may come back. */
export class TargetNotRunning extends Schema.TaggedError<TargetNotRunning>()("TargetNotRunning", {
  containerId: Schema.String,
  name: Schema.String
}) {
  override get message() {
    return `Could not sample ${this.name}: container ${this.containerId} is not running.\nStart it first.`
  }
}

export type TargetError = TargetGone | TargetNotRunning
export type ReadError = TargetError | CallError

export class ContainerSource extends Context.Service<
  ContainerSource,
  {
    readonly read: (target: ContainerTarget) => Effect.Effect<ContainerReading, ReadError>
  }
>()("@sbx/monitor/ContainerSource") {}
