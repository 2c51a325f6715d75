/**
 * Where readings of a container come from. One reading is cheap and answers at once; it never waits for a second one.
 * Layers: `AutoSource` (what `Monitor.layerEngine` uses), `CgroupSource` and `EngineSource`, of `@sbx/monitor`.
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

/**
 * This machine shows no cgroup files of the container to this process: the engine runs elsewhere (another machine, a virtual one), or
 * they may not be read. Another source may do; `AutoSource` takes the engine's statistics then.
 */
export class CgroupUnreadable extends Schema.TaggedError<CgroupUnreadable>()("CgroupUnreadable", {
  containerId: Schema.String,
  name: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not read the cgroup of ${this.name} (${this.containerId}): ${this.detail}.\nUse the engine's statistics (AutoSource or EngineSource).`
  }
}

export type TargetError = TargetGone | TargetNotRunning
export type ReadError = TargetError | CgroupUnreadable | CallError

export interface ReadOptions {
  /**
   * What costs more than a counter: open files, mounts, the writable layer, processes by an engine's `top`. `paced` (default) reads
   * it now and then, as the layer says, and repeats it in between; `fresh` reads all of it now.
   */
  readonly details?: "paced" | "fresh"
}

export class ContainerSource extends Context.Service<
  ContainerSource,
  {
    readonly read: (target: ContainerTarget, options?: ReadOptions) => Effect.Effect<ContainerReading, ReadError>
  }
>()("@sbx/monitor/ContainerSource") {}
