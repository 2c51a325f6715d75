/**
 * A `dockerd` of our own in its own network and mount namespaces, shared by all processes of the machine, started on demand and
 * stopped when unused. Refuses hosts that are not Linux with root. Never touches another engine, service or interface.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as PlatformError from "effect/PlatformError"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { DistributionPackages, type DistributionPackagesShape, type PackageProgress } from "./DistributionPackages.ts"
import type { PackagesError } from "./PackagesError.ts"
import { type EnginePaths, enginePaths, isRoot, resolveExisting } from "./internal/privateEngine/enginePaths.ts"
import { becomesServing, isServing, logTail, lookAtEngine } from "./internal/privateEngine/engineState.ts"
import { holdLock, type LockTimeout } from "./internal/privateEngine/fileLock.ts"
import { lockClients } from "./internal/privateEngine/lockHolders.ts"
import { listLeftovers } from "./internal/privateEngine/leftovers.ts"
import { ensureId, ensureSupervisor, launch } from "./internal/privateEngine/launch.ts"
import { sweep } from "./internal/privateEngine/sweep.ts"
import * as StateRoot from "./StateRoot.ts"

export interface PrivateEngineStatus {
  readonly kind: "private"
  /** `unix:///…/docker.sock`; where it is or would be. */
  readonly endpoint: string
  readonly running: boolean
  /** Of the daemon; absent when not running, and when it runs and its socket is not for this user. */
  readonly version: string | undefined
}

export interface PrivateEngineUp extends PrivateEngineStatus {
  /** False when it was running already. */
  readonly started: boolean
  /** E.g. that the slow `vfs` storage driver is in use, and why. */
  readonly warnings: ReadonlyArray<string>
}

/** This host or user cannot run a private engine. */
export class PrivateEngineUnsupported extends Schema.TaggedError<PrivateEngineUnsupported>()(
  "PrivateEngineUnsupported",
  { reason: Schema.Literals(["not-linux", "not-root"]), platform: Schema.String }
) {
  override get message() {
    return this.reason === "not-root"
      ? "Could not start the private engine: it needs root (own namespaces, mounts and cgroups).\nRun `sudo ./sbx engine up`, or set DOCKER_HOST to an engine you may use."
      : `Could not start the private engine: it needs Linux, this is ${this.platform}.\nSet DOCKER_HOST to a running engine.`
  }
}

/** The daemon died or did not answer; `log` is the end of what it said. */
export class PrivateEngineStartFailed extends Schema.TaggedError<PrivateEngineStartFailed>()(
  "PrivateEngineStartFailed",
  {
    detail: Schema.String,
    log: Schema.String,
    logFile: Schema.String
  }
) {
  override get message() {
    return `Could not start the private engine: ${this.detail}.\n${this.log}\nThe whole log is ${this.logFile}.`
  }
}

/** Something of the engine would not go away. */
export class PrivateEngineLeftovers extends Schema.TaggedError<PrivateEngineLeftovers>()("PrivateEngineLeftovers", {
  leftovers: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not remove all of the private engine: ${this.leftovers.length} left.\n${this.leftovers.join("\n")}\nA process in uninterruptible sleep or a foreign process inside its namespaces holds them; end it and run \`./sbx engine down\` again.`
  }
}

/** Live clients hold leases: ending it would end what they run. */
export class PrivateEngineInUse extends Schema.TaggedError<PrivateEngineInUse>()("PrivateEngineInUse", {
  endpoint: Schema.String,
  /** Empty when the kernel does not show them, e.g. those of another pid namespace. */
  holders: Schema.Array(Schema.Struct({ pid: Schema.Finite, command: Schema.String }))
}) {
  override get message() {
    const holders = this.holders.map(({ pid, command }) => `  process ${pid}: ${command}`)
    return [
      `Could not stop the private engine at ${this.endpoint}: ${this.holders.length || "some"} process(es) use it.`,
      ...holders,
      "Wait until they end, or stop it under them with `./sbx engine down --force`."
    ].join("\n")
  }
}

export type UpError =
  | PrivateEngineUnsupported
  | PrivateEngineStartFailed
  | PrivateEngineLeftovers
  | LockTimeout
  | PackagesError

export type DownError =
  | PrivateEngineUnsupported
  | PrivateEngineInUse
  | PrivateEngineLeftovers
  | LockTimeout
  | PlatformError.PlatformError

/** `fraction` from 0 to 1 where it is known. */
export type EngineProgress =
  | PackageProgress
  | { readonly phase: "starting"; readonly detail: string; readonly fraction: undefined }

export interface UpOptions {
  /** False: fail with `InstallRefused` rather than take packages. Default true. */
  readonly install?: boolean
  readonly onProgress?: (progress: EngineProgress) => Effect.Effect<void>
}

export interface DownOptions {
  /** True: end it even while clients hold leases. Default false. */
  readonly force?: boolean
}

export interface PrivateEngineShape {
  /** Where the engine listens when it runs. */
  readonly endpoint: string
  /** Files beneath it are the engine's. `down` detaches loop devices here and in `<state>/volumes/<engine id>`. Created by `up`. */
  readonly home: string
  /** Makes sure that it runs. Idempotent; of concurrent starters one starts and the others wait. Resets the idle clock. */
  readonly up: (options?: UpOptions) => Effect.Effect<PrivateEngineUp, UpError>
  /** `up`, and the engine does not stop for idleness while the scope is open. The kernel ends the lease if we die. */
  readonly lease: (options?: UpOptions) => Effect.Effect<PrivateEngineUp, UpError, Scope.Scope>
  /**
   * Ends it with all containers, shims, mounts, cgroups and loop devices. Success when it does not run. Images stay. Fails with
   * `PrivateEngineInUse`, and changes nothing, while a client holds a lease.
   */
  readonly down: (options?: DownOptions) => Effect.Effect<void, DownError>
  readonly status: Effect.Effect<PrivateEngineStatus>
  /** What of the engine is on the machine now, one line each; empty when it is down. */
  readonly leftovers: Effect.Effect<ReadonlyArray<string>>
}

/** The machine's private engine. */
export class PrivateEngine extends Context.Service<PrivateEngine, PrivateEngineShape>()("@sbx/engine/PrivateEngine") {}

export interface PrivateEngineOptions {
  /** Absolute. One engine a state root. */
  readonly stateRoot: string
  /** Unused for this long, it stops. Default 30 minutes. */
  readonly idle?: Duration.Input
}

/** What the engine is made of. apt leaves out what the host has; busybox brings `ip`, procps the `ps` that `docker top` runs. */
export const enginePackages: ReadonlyArray<string> = ["docker.io", "busybox-static", "procps"]

type Platform = FileSystem.FileSystem | ChildProcessSpawner

interface Settings {
  readonly paths: EnginePaths
  readonly idleSeconds: number
}

/** Longer than a slow download and a slow start by another process. */
const starterWait = Duration.minutes(10)
/** Longer than the supervisor's stop, which holds all leases. */
const leaseWait = Duration.seconds(60)
/** Longer than the supervisor's look at the lease and than the end of a client that was killed; a client's lease lasts longer. */
const idleWait = Duration.seconds(1)

const requireSupport = Effect.gen(function* () {
  if (process.platform !== "linux") {
    return yield* new PrivateEngineUnsupported({ reason: "not-linux", platform: process.platform })
  }
  if (!(yield* isRoot)) return yield* new PrivateEngineUnsupported({ reason: "not-root", platform: process.platform })
})

const status = Effect.fnUntraced(function* (paths: EnginePaths) {
  const seen = yield* lookAtEngine(paths)
  return { kind: "private" as const, endpoint: `unix://${paths.socket}`, ...seen }
})

const storageWarnings = Effect.fnUntraced(function* (paths: EnginePaths) {
  const fs = yield* FileSystem.FileSystem
  const driver = yield* fs.readFileString(`${paths.run}/storage-driver`).pipe(Effect.orElseSucceed(() => ""))
  return driver.trim() === "vfs"
    ? [
        `The file system of ${paths.dataRoot} cannot carry overlay mounts (it may be one itself): the vfs storage driver copies every image, slowly. Set SBX_STATE_DIR to a folder on ext4 or xfs.`
      ]
    : []
})

const startFailed = Effect.fnUntraced(function* (paths: EnginePaths, failure: string) {
  return yield* new PrivateEngineStartFailed({ detail: failure, log: yield* logTail(paths), logFile: paths.log })
})

const start = Effect.fnUntraced(function* ({ paths, idleSeconds }: Settings, prefix: string, options: UpOptions) {
  yield* (options.onProgress ?? (() => Effect.void))({
    phase: "starting",
    detail: "starting the private engine",
    fraction: undefined
  })
  const failure = yield* launch(paths, prefix, idleSeconds)
  if (failure === undefined) return
  const failed = yield* Effect.flip(startFailed(paths, failure))
  yield* sweep(paths, { graceful: false, detach: false })
  return yield* failed
})

/** Under the starters' lock: looks again, clears what an earlier engine left, starts. */
const startLocked = Effect.fnUntraced(function* (settings: Settings, options: UpOptions) {
  const { paths } = settings
  const packages = yield* DistributionPackages
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(paths.home, { recursive: true })
  return yield* Effect.scoped(
    Effect.gen(function* () {
      yield* holdLock(paths.lock, "exclusive", starterWait)
      if (yield* becomesServing(paths)) return false
      const { prefix } = yield* packages.ensure(enginePackages, options)
      const left = yield* sweep(paths, { graceful: false, detach: false })
      if (left.length > 0) return yield* new PrivateEngineLeftovers({ leftovers: left })
      yield* start(settings, prefix, options)
      return true
    })
  )
})

const lease = Effect.fnUntraced(function* (settings: Settings, options: UpOptions = {}) {
  const { paths } = settings
  const fs = yield* FileSystem.FileSystem
  yield* requireSupport
  yield* fs.makeDirectory(paths.home, { recursive: true })
  yield* holdLock(paths.lease, "shared", leaseWait)
  const started = (yield* isServing(paths)) ? false : yield* startLocked(settings, options)
  yield* fs.writeFileString(paths.used, "")
  if (!started) yield* ensureSupervisor(paths, settings.idleSeconds)
  const failure = yield* ensureId(paths)
  if (failure !== undefined) return yield* startFailed(paths, failure)
  return { ...(yield* status(paths)), started, warnings: yield* storageWarnings(paths) }
})

/** Holds every lease, so that no client comes in while the engine goes. */
const claimAllLeases = (paths: EnginePaths) =>
  holdLock(paths.lease, "exclusive", idleWait).pipe(
    Effect.catchTag("LockTimeout", () =>
      Effect.flatMap(lockClients(paths.lease), (holders) =>
        Effect.fail(new PrivateEngineInUse({ endpoint: `unix://${paths.socket}`, holders }))
      )
    )
  )

const down = Effect.fnUntraced(function* (paths: EnginePaths, options: DownOptions = {}) {
  yield* requireSupport
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(paths.home, { recursive: true })
  const left = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* holdLock(paths.lock, "exclusive", starterWait)
      if (options.force !== true) yield* claimAllLeases(paths)
      return yield* sweep(paths, { graceful: true, detach: true })
    })
  )
  if (left.length > 0) return yield* new PrivateEngineLeftovers({ leftovers: left })
})

const make = (settings: Settings, packages: DistributionPackagesShape, platform: Context.Context<Platform>) => {
  const { paths } = settings
  const context = Context.add(platform, DistributionPackages, packages)
  const leaseWith = (options?: UpOptions) => Effect.provideContext(lease(settings, options), context)
  return PrivateEngine.of({
    endpoint: `unix://${paths.socket}`,
    home: paths.home,
    up: (options) => Effect.scoped(leaseWith(options)),
    lease: leaseWith,
    down: (options) => Effect.provide(down(paths, options), context),
    status: Effect.provide(status(paths), context),
    leftovers: listLeftovers(paths)
  })
}

/** Requires `DistributionPackages` and the platform's `FileSystem` and `ChildProcessSpawner`. */
export const layerWith = (
  options: PrivateEngineOptions
): Layer.Layer<PrivateEngine, never, DistributionPackages | Platform> =>
  Layer.effect(
    PrivateEngine,
    Effect.gen(function* () {
      // Not the layer's own scope, which is in the context too: a lease ends with the scope of its caller.
      const platform = Context.pick(FileSystem.FileSystem, ChildProcessSpawner)(yield* Effect.context<Platform>())
      const packages = yield* DistributionPackages
      const paths = enginePaths(yield* resolveExisting(options.stateRoot))
      const idleSeconds = Math.max(1, Math.round(Duration.toSeconds(options.idle ?? Duration.minutes(30))))
      return make({ paths, idleSeconds }, packages, platform)
    })
  )

/** Minutes without activity, above 0; fractions are allowed. */
const idleMinutesConfig = Config.schema(
  Schema.FiniteFromString.check(Schema.isGreaterThan(0, { expected: "minutes above 0, e.g. 30" })),
  "SBX_ENGINE_IDLE_MINUTES"
).pipe(Config.withDefault(30))

/** State root from `SBX_STATE_DIR`, else root's for every user, since only root can have an engine; idle time from `SBX_ENGINE_IDLE_MINUTES`. */
export const layer: Layer.Layer<PrivateEngine, Config.ConfigError, DistributionPackages | Platform> = Layer.unwrap(
  Effect.gen(function* () {
    const stateRoot = yield* StateRoot.configFor({ root: true })
    const idle = Duration.minutes(yield* idleMinutesConfig)
    return layerWith({ stateRoot, idle })
  })
)
