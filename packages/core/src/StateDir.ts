/**
 * Where this machine's sbx processes keep what they share: workspace images and uid leases.
 * One directory for all processes; two directories on one machine would lease the same uid twice.
 */
import * as StateRoot from "@sbx/engine/StateRoot"
import type { ConfigError } from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/** The directory cannot be made or reached. */
export class StateDirUnusable extends Schema.TaggedError<StateDirUnusable>()("StateDirUnusable", {
  path: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not use the state directory ${this.path}: ${this.detail}.\nMake it writable, or name another one in SBX_STATE_DIR.`
  }
}

export class StateDir extends Context.Service<
  StateDir,
  {
    /** Absolute, without symlinks, as the kernel reports what lies below it; exists. */
    readonly path: string
  }
>()("@sbx/core/StateDir") {}

/** A directory of the caller's choice, made if absent; a relative one is one of the working directory. */
export const layerWith = (path: string): Layer.Layer<StateDir, StateDirUnusable, FileSystem> =>
  Layer.effect(
    StateDir,
    StateRoot.resolve(path).pipe(
      Effect.map((real) => ({ path: real })),
      Effect.mapError((error) => new StateDirUnusable({ path, detail: error.message }))
    )
  )

/** Where the private engine is, too: see `@sbx/engine/StateRoot`. */
export const layer: Layer.Layer<StateDir, ConfigError | StateDirUnusable, FileSystem> = Layer.unwrap(
  Effect.map(StateRoot.config, layerWith)
)
