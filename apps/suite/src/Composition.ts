/**
 * The one place that wires layers. A scenario may yield every service of {@link Services}; a new one is a line in
 * {@link scenarioServices}.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as FailureInjector from "@sbx/chaos/FailureInjector"
import { Environment } from "@sbx/core/Environment"
import * as MachineLock from "@sbx/core/MachineLock"
import * as Owner from "@sbx/core/Owner"
import * as Reconciler from "@sbx/core/Reconciler"
import * as Sandboxes from "@sbx/core/Sandboxes"
import * as StateDir from "@sbx/core/StateDir"
import * as UidLease from "@sbx/core/UidLease"
import * as Watchdog from "@sbx/core/Watchdog"
import * as Workspace from "@sbx/core/Workspace"
import * as DistributionPackages from "@sbx/engine/DistributionPackages"
import * as Docker from "@sbx/engine/Docker"
import { Engine, type EngineEndpoint } from "@sbx/engine/Engine"
import * as EngineLocator from "@sbx/engine/EngineLocator"
import * as ImageBuilder from "@sbx/engine/ImageBuilder"
import * as ImageRecipe from "@sbx/engine/ImageRecipe"
import * as Located from "@sbx/engine/Located"
import * as PrivateEngine from "@sbx/engine/PrivateEngine"
import type { Journal } from "@sbx/journal/Journal"
import * as HostSampler from "@sbx/monitor/HostSampler"
import * as Monitor from "@sbx/monitor/Monitor"
import * as RunnerSampler from "@sbx/monitor/RunnerSampler"
import * as BoundaryAudit from "@sbx/security/BoundaryAudit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ExitStatus from "./ExitStatus.ts"
import * as Images from "./Images.ts"
import { absentEngine } from "./internal/absentEngine.ts"
import { dockerHost } from "./internal/dockerHost.ts"
import { report } from "./internal/stepProgress.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"

/** Of every command: files, programs and the terminal. */
export const terminal = Layer.mergeAll(Output.layer, Progress.layer, ExitStatus.layer).pipe(
  Layer.provideMerge(NodeServices.layer)
)

/** Refuses a `DOCKER_HOST` that cannot be one. */
const locator = EngineLocator.layer.pipe(Layer.provide(Layer.effectDiscard(dockerHost)))

/** Where engines come from; building it asks nobody. */
export const engines = locator.pipe(
  Layer.provideMerge(PrivateEngine.layer),
  Layer.provideMerge(DistributionPackages.layer)
)

/** As {@link engines}, but the private engine is taken as it is: locating never starts it nor takes packages. */
export const enginesAsTheyAre = locator.pipe(
  Layer.provide(
    Layer.effect(
      PrivateEngine.PrivateEngine,
      Effect.map(PrivateEngine.PrivateEngine, (engine) => ({
        ...engine,
        lease: () => Effect.map(engine.status, (status) => ({ ...status, started: false, warnings: [] }))
      }))
    )
  ),
  Layer.provideMerge(PrivateEngine.layer),
  Layer.provideMerge(DistributionPackages.layer)
)

export interface EngineOptions {
  /** False refuses to take packages from the distribution. */
  readonly install: boolean
}

/** The engine in use, leased while the layer lives, and the images on it. */
export const engine = (options: EngineOptions) =>
  Layer.unwrap(
    Effect.map(Progress.Progress, (progress) => {
      const steps = { install: options.install, onProgress: report(progress) }
      return Images.layerWith(steps).pipe(
        Layer.provideMerge(ImageBuilder.layer),
        Layer.provideMerge(Located.layer(steps))
      )
    })
  ).pipe(Layer.provideMerge(engines))

const monitor = Layer.unwrap(
  Effect.map(Environment, ({ enableMetrics }) => (enableMetrics ? Monitor.layerEngine : Monitor.layerDisabled))
)

/** The recipe whose image chaos works from; a scenario of another category that injects faults names it in its `images`. */
export const sidecarRecipe = "tiny" satisfies Images.RecipeName

export interface RunPlace {
  readonly runId: string
  /** Absolute. */
  readonly journalPath: string
  /** Weakened sandboxes on any engine, not only on the private one. */
  readonly allowDangerous: boolean
}

/** What removes the remains of dead runs, and what knows of workspaces and uids. */
const reconciler = Reconciler.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Workspace.layer, UidLease.layer)),
  Layer.provideMerge(StateDir.layer)
)

/** The engine in use, and what clears it. */
export const recovery = (options: EngineOptions) => reconciler.pipe(Layer.provideMerge(engine(options)))

/** As {@link recovery}, for an engine that is known already. */
export const recoveryOf = (endpoint: EngineEndpoint) => reconciler.pipe(Layer.provide(Docker.layer(endpoint)))

/** As {@link recovery}, for what an engine that is no more left on this machine. */
export const recoveryWithout = (engineId: string) =>
  reconciler.pipe(Layer.provide(Layer.succeed(Engine, absentEngine(engineId))))

/** In the sources, and beside the one file of the bundle: see `rolldown.config.ts`. */
const watchdogEntry = import.meta.url.endsWith(".ts")
  ? new URL("./internal/watchdogMain.ts", import.meta.url)
  : new URL("./watchdog.js", import.meta.url)

/** Spawned at once, and told to guard as soon as the engine is known. `logFile`: absolute. */
export const watchdog = (logFile: string) => Watchdog.layerWith({ entry: watchdogEntry, logFile })

/** As {@link watchdog}, guarding from the start; the journal and the engine are there already. */
export const guarded = (options: { readonly logFile: string; readonly journalPath: string }) =>
  Watchdog.layer({ entry: watchdogEntry, ...options }).pipe(Layer.provide(StateDir.layer))

/** What makes containers of its own says whose they are, so that a later process can remove what a killed one left. */
const owned = ({ runId: run, journalPath }: RunPlace) =>
  Layer.unwrap(
    Effect.map(Owner.current, (current) => {
      const owner = { run, journalPath, owner: Owner.toLabel(current) }
      const sidecarImage = ImageRecipe.reference(Images.recipes[sidecarRecipe])
      return Layer.merge(BoundaryAudit.layerJournaled(owner), FailureInjector.layerWith({ ...owner, sidecarImage }))
    })
  )

/** What scenarios use besides the engine, the journal and the environment. */
export const scenarioServices = (place: RunPlace) =>
  Layer.mergeAll(
    Sandboxes.layerWith({
      run: place.runId,
      journalPath: place.journalPath,
      workspace: "auto",
      allowDangerous: place.allowDangerous
    }),
    monitor,
    HostSampler.layer,
    RunnerSampler.layer,
    owned(place),
    MachineLock.layer
  ).pipe(Layer.provideMerge(reconciler))

/** Every service that a scenario may yield, besides its own context and scope. */
export type Services =
  | Layer.Success<typeof terminal>
  | Layer.Success<ReturnType<typeof engine>>
  | Layer.Success<ReturnType<typeof scenarioServices>>
  | Environment
  | Journal
