/**
 * Where this machine's sbx processes keep what they share: workspace images and uid leases.
 * One directory for all processes; two directories on one machine would lease the same uid twice.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class StateDir extends Context.Service<
  StateDir,
  {
    /** Absolute path; created when first needed. */
    readonly path: string
  }
>()("@sbx/core/StateDir") {}

/** A directory of the caller's choice; absolute. */
export const layerWith = (path: string): Layer.Layer<StateDir> => Layer.succeed(StateDir, { path })

/** `SBX_STATE_DIR`, else `/var/lib/sbx`. */
export const layer: Layer.Layer<StateDir, Config.ConfigError> = Layer.effect(
  StateDir,
  Effect.gen(function* () {
    return { path: yield* Config.String("SBX_STATE_DIR").pipe(Config.withDefault("/var/lib/sbx")) }
  })
)
