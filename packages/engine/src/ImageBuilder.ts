/**
 * Makes the image of a recipe present in the engine, from the distribution's packages and without a registry. A tag that exists is
 * never rebuilt; a built root file system is kept, so a fresh engine imports instead of building.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DistributionPackages, type PackageProgress } from "./DistributionPackages.ts"
import type { PackagesError } from "./PackagesError.ts"
import { Engine } from "./Engine.ts"
import { type CallError, EngineProtocolError, type InvalidRequest } from "./EngineError.ts"
import * as ImageRecipe from "./ImageRecipe.ts"
import { buildBusybox, buildDebian } from "./internal/privateEngine/buildRootFs.ts"
import { isRoot } from "./internal/privateEngine/enginePaths.ts"
import * as StateRoot from "./StateRoot.ts"
import { holdLock, type LockTimeout } from "./internal/privateEngine/fileLock.ts"

export interface ImageRef {
  /** `sbx/<name>:<digest12>` */
  readonly reference: string
  readonly imageId: string
  /** `present`: the engine had it; `imported`: from the kept root file system; `built`: now. */
  readonly origin: "present" | "imported" | "built"
}

/** `fraction` from 0 to 1 of the phase, by steps done, where it is known. */
export type BuildProgress =
  | PackageProgress
  | { readonly phase: "building" | "importing"; readonly detail: string; readonly fraction: number | undefined }

/** The build tool failed; `detail` is the end of what it said. */
export class ImageBuildFailed extends Schema.TaggedError<ImageBuildFailed>()("ImageBuildFailed", {
  reference: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not build ${this.reference}: ${this.detail}.\nCheck the network and the free disk space, then repeat the command.`
  }
}

/** This user cannot build from packages. */
export class ImageBuildUnsupported extends Schema.TaggedError<ImageBuildUnsupported>()("ImageBuildUnsupported", {
  reference: Schema.String,
  reason: Schema.Literals(["not-root"])
}) {
  override get message() {
    return `Could not build ${this.reference}: mmdebstrap needs root here.\nRun \`sudo ./sbx images build\`, or where a registry is reachable \`./sbx images dockerfile ${this.reference.split(/[/:]/)[1]} | docker build -t ${this.reference} -\`.`
  }
}

export type BuildError =
  | ImageBuildFailed
  | ImageBuildUnsupported
  | PackagesError
  | LockTimeout
  | CallError
  | InvalidRequest
  | PlatformError.PlatformError

export interface BuildOptions {
  /** False: fail with `InstallRefused` rather than take build tools from the distribution. Default true. */
  readonly install?: boolean
  readonly onProgress?: (progress: BuildProgress) => Effect.Effect<void>
}

export interface ImageBuilderShape {
  /** Of concurrent callers, in any process, one builds and the others wait. */
  readonly ensure: (recipe: ImageRecipe.ImageRecipe, options?: BuildOptions) => Effect.Effect<ImageRef, BuildError>
}

/** Images from recipes. */
export class ImageBuilder extends Context.Service<ImageBuilder, ImageBuilderShape>()("@sbx/engine/ImageBuilder") {}

export interface ImageBuilderOptions {
  /** Absolute; root file systems are kept in `<stateRoot>/images`. */
  readonly stateRoot: string
}

type Platform = FileSystem.FileSystem | ChildProcessSpawner
type Services = Platform | DistributionPackages | Engine

/** Longer than a slow build by another process. */
const lockWait = Duration.minutes(15)

const present = Effect.fnUntraced(function* (reference: string) {
  const engine = yield* Engine
  return yield* engine.inspectImage(reference).pipe(
    Effect.map((image): ImageRef => ({ reference, imageId: image.id, origin: "present" })),
    Effect.asSome,
    Effect.catchTag("ObjectNotFound", () => Effect.succeedNone)
  )
})

/** Builds into a work folder and renames: a kept tar is always whole. */
const build = Effect.fnUntraced(function* (
  recipe: ImageRecipe.ImageRecipe,
  images: string,
  tar: string,
  options: BuildOptions
): Effect.fn.Return<void, BuildError, Platform | DistributionPackages> {
  const fs = yield* FileSystem.FileSystem
  const reference = ImageRecipe.reference(recipe)
  if (recipe.base === "debian" && !(yield* isRoot)) {
    return yield* new ImageBuildUnsupported({ reference, reason: "not-root" })
  }
  const packages = yield* DistributionPackages
  const { prefix } = yield* packages.ensure(recipe.base === "debian" ? ["mmdebstrap"] : ["busybox-static"], options)
  const work = `${images}/building-${ImageRecipe.digest(recipe).slice(0, 12)}`
  // What an earlier builder left when it was killed; the lock says that none is running.
  yield* fs.remove(work, { recursive: true, force: true })
  yield* fs.makeDirectory(work, { recursive: true, mode: 0o755 })
  const onProgress = options.onProgress ?? (() => Effect.void)
  const rootFs =
    recipe.base === "busybox"
      ? buildBusybox(recipe, prefix, `${work}/root.tar`)
      : Effect.flatMap(packages.sources, (sources) =>
          buildDebian(recipe, { prefix, sources, work, target: `${work}/root.tar`, onProgress })
        )
  yield* rootFs.pipe(
    Effect.catchTag("RootFsFailed", ({ detail }) => Effect.fail(new ImageBuildFailed({ reference, detail }))),
    Effect.andThen(fs.rename(`${work}/root.tar`, tar)),
    Effect.ensuring(Effect.ignore(fs.remove(work, { recursive: true, force: true })))
  )
})

const importTar = Effect.fnUntraced(function* (recipe: ImageRecipe.ImageRecipe, tar: string) {
  const engine = yield* Engine
  const fs = yield* FileSystem.FileSystem
  const bytes = fs
    .stream(tar, { chunkSize: 256 * 1024 })
    .pipe(Stream.mapError((error) => new EngineProtocolError({ operation: `read ${tar}`, detail: error.message })))
  return yield* engine.importImage(bytes, {
    reference: ImageRecipe.reference(recipe),
    changes: ImageRecipe.changes(recipe)
  })
})

const ensureLocked = Effect.fnUntraced(function* (
  recipe: ImageRecipe.ImageRecipe,
  images: string,
  options: BuildOptions
): Effect.fn.Return<ImageRef, BuildError, Services> {
  const reference = ImageRecipe.reference(recipe)
  const found = yield* present(reference)
  if (Option.isSome(found)) return found.value
  const fs = yield* FileSystem.FileSystem
  const tar = `${images}/${recipe.name}-${ImageRecipe.digest(recipe).slice(0, 12)}.tar`
  const kept = yield* fs.exists(tar)
  if (!kept) yield* build(recipe, images, tar, options)
  yield* (options.onProgress ?? (() => Effect.void))({ phase: "importing", detail: reference, fraction: undefined })
  const imageId = yield* importTar(recipe, tar)
  return { reference, imageId, origin: kept ? "imported" : "built" }
})

const ensure = Effect.fnUntraced(function* (
  recipe: ImageRecipe.ImageRecipe,
  images: string,
  options: BuildOptions = {}
): Effect.fn.Return<ImageRef, BuildError, Services> {
  const reference = ImageRecipe.reference(recipe)
  const found = yield* present(reference)
  if (Option.isSome(found)) return found.value
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(images, { recursive: true })
  const lock = holdLock(`${images}/${recipe.name}.lock`, "exclusive", lockWait)
  return yield* Effect.scoped(Effect.andThen(lock, ensureLocked(recipe, images, options)))
})

/** Requires `Engine`, `DistributionPackages` and the platform's `FileSystem` and `ChildProcessSpawner`. */
export const layerWith = (options: ImageBuilderOptions): Layer.Layer<ImageBuilder, never, Services> =>
  Layer.effect(
    ImageBuilder,
    Effect.gen(function* () {
      const services = yield* Effect.context<Services>()
      return {
        ensure: (recipe, buildOptions) =>
          Effect.provide(ensure(recipe, `${options.stateRoot}/images`, buildOptions), services)
      }
    })
  )

/** State root from `SBX_STATE_DIR`. */
export const layer: Layer.Layer<ImageBuilder, Config.ConfigError, Services> = Layer.unwrap(
  Effect.map(StateRoot.config, (stateRoot) => layerWith({ stateRoot }))
)
