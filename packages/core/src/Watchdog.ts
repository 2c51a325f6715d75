/**
 * A process beside ours that outlives our death, also the death of our whole process group, and then removes what we owned,
 * without waiting for a next command. It learns of the death by the end of a pipe, makes sure of it in /proc, and touches
 * nothing while we live. Told goodbye, it ends at once. What it cannot clear within its time it leaves to the next reconcile.
 */
import { Engine } from "@sbx/engine/Engine"
import * as Docker from "@sbx/engine/Docker"
import { Journal } from "@sbx/journal/Journal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { Stdio } from "effect/Stdio"
import { keep } from "./internal/watchdogKeeper.ts"
import type { WardOrder } from "./internal/watchdogOrder.ts"
import { watch } from "./internal/watchdogWatch.ts"
import * as Owner from "./Owner.ts"
import * as Reconciler from "./Reconciler.ts"
import { StateDir, layerWith as stateDirAt } from "./StateDir.ts"
import * as UidLease from "./UidLease.ts"
import type { PendingUndos } from "./UndoRunner.ts"
import * as Workspace from "./Workspace.ts"

export { runMain } from "./internal/watchdogProcess.ts"
export type { WardOrder }

/** `starting`: spawned or about to be. `watching`: it said that it works. `lost`: none, and there will be none. */
export type WatchdogStatus =
  | { readonly _tag: "starting" }
  | { readonly _tag: "watching"; readonly pid: number }
  | { readonly _tag: "lost"; readonly reason: string }

export class Watchdog extends Context.Service<
  Watchdog,
  {
    /**
     * Makes it answer for what this process makes on an engine. The order is in the pipe when this resolves, so that a kill from
     * then on is followed by a sweep, also when the watchdog is still starting. Resolves too when the watchdog is lost.
     */
    readonly guard: (order: WardOrder) => Effect.Effect<void>
    readonly status: Effect.Effect<WatchdogStatus>
    /** Resolves to the reason once there is no watchdog any more and none can be started; else never. */
    readonly lost: Effect.Effect<string>
  }
>()("@sbx/core/Watchdog") {}

export interface WatchdogOptions {
  /**
   * The program that the process runs: a module which calls {@link runMain} with {@link main}, e.g.
   * `new URL("./watchdog.ts", import.meta.url)`. TypeScript is run as it is, with the condition `@sbx/source`.
   */
  readonly entry: URL
  /** Absolute. The watchdog appends to it; its directory must exist. */
  readonly logFile: string
}

/**
 * Spawns it without waiting for it, and another one when it ends unasked, five in all. Closing the scope tells it goodbye:
 * build this layer before what makes sandboxes, so that those are gone by then.
 */
export const layerWith = (options: WatchdogOptions): Layer.Layer<Watchdog, never, ChildProcessSpawner> =>
  Layer.effect(Watchdog, Effect.map(keep(options), Watchdog.of))

/** The order for this process: its engine, its state directory, its journal. `journalPath` as for `Sandboxes.layerWith`. */
export const orderOf = Effect.fnUntraced(function* (
  journalPath: string
): Effect.fn.Return<WardOrder, Owner.OwnerUnknown, Engine | StateDir | Journal | FileSystem> {
  const { endpoint } = yield* Engine
  const { path: stateDir } = yield* StateDir
  const { id: journalId } = yield* Journal
  return { owner: Owner.toLabel(yield* Owner.current), endpoint, stateDir, journalId, journalPath }
})

/** {@link layerWith}, guarding from the start what this process makes with the journal at `journalPath` (absolute). */
export const layer = (
  options: WatchdogOptions & { readonly journalPath: string }
): Layer.Layer<Watchdog, Owner.OwnerUnknown, Engine | StateDir | Journal | FileSystem | ChildProcessSpawner> =>
  Layer.effect(
    Watchdog,
    Effect.gen(function* () {
      const watchdog = yield* keep(options)
      yield* watchdog.guard(yield* orderOf(options.journalPath))
      return Watchdog.of(watchdog)
    })
  )

export interface MainOptions {
  /** Finds the disturbances of a journal that are to be undone; see `@sbx/chaos/FailureEvent`. */
  readonly pendingUndos?: PendingUndos
}

/** The watchdog's own program: reads its orders from standard input. Its exit code says whether anything was left. */
export const main = (
  options: MainOptions = {}
): Effect.Effect<number, never, Stdio | FileSystem | ChildProcessSpawner> =>
  watch({ ...options, reconciler: reconcilerFor })

const reconcilerFor = ({ endpoint, stateDir }: WardOrder) =>
  Layer.build(
    Reconciler.layer.pipe(
      Layer.provide(Layer.mergeAll(Workspace.layer, UidLease.layer)),
      Layer.provide(Layer.mergeAll(Docker.layer(endpoint), stateDirAt(stateDir)))
    )
  ).pipe(Effect.map((services) => Context.get(services, Reconciler.Reconciler)))
