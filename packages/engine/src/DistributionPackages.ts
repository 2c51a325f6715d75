/**
 * Takes programs from the host's distribution without installing them: resolves what is missing, downloads the packages and
 * unpacks them into a prefix of ours. No maintainer script runs, so no service is enabled. Refuses hosts without apt.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Apt from "./internal/privateEngine/apt.ts"
import * as StateRoot from "./StateRoot.ts"
import {
  ensure,
  type EnsureOptions,
  exclusively,
  type Folders,
  type PackagePlan,
  planned,
  sources,
  type UnpackedPackages
} from "./internal/privateEngine/takePackages.ts"
import type { PackagesError } from "./PackagesError.ts"

export type { ResolvedPackage } from "./internal/privateEngine/apt.ts"
export type {
  EnsureOptions,
  PackagePlan,
  PackageProgress,
  UnpackedPackages
} from "./internal/privateEngine/takePackages.ts"

type Platform = FileSystem.FileSystem | ChildProcessSpawner

export interface DistributionPackagesShape {
  /** Downloads package lists at most, never a package. */
  readonly plan: (
    names: ReadonlyArray<string>,
    options?: Pick<EnsureOptions, "onProgress">
  ) => Effect.Effect<PackagePlan, PackagesError>
  /** Unpacked once per set of versions; later calls with the same names answer from a stamp without asking apt. */
  readonly ensure: (
    names: ReadonlyArray<string>,
    options?: EnsureOptions
  ) => Effect.Effect<UnpackedPackages, PackagesError>
  /** The distribution's own sources as `deb URI SUITE COMPONENT` lines. */
  readonly sources: Effect.Effect<ReadonlyArray<string>, PackagesError>
}

/** Packages of the host's distribution, unpacked beside it. */
export class DistributionPackages extends Context.Service<DistributionPackages, DistributionPackagesShape>()(
  "@sbx/engine/DistributionPackages"
) {}

export interface DistributionPackagesOptions {
  /** Absolute; prefixes go to `<stateRoot>/packages`. */
  readonly stateRoot: string
  /** Package lists and `.deb` files. Default `<stateRoot>/packages/apt`. */
  readonly cache?: string
  /** Further apt.conf(5) lines, e.g. a proxy or another list of sources. */
  readonly aptConfig?: string
  /** Folder of `apt-get` and `dpkg-deb`. Default `/usr/bin`. */
  readonly programs?: string
}

/** Requires the platform's `FileSystem` and `ChildProcessSpawner`. */
export const layerWith = (options: DistributionPackagesOptions): Layer.Layer<DistributionPackages, never, Platform> =>
  Layer.effect(
    DistributionPackages,
    Effect.gen(function* () {
      const platform = yield* Effect.context<Platform>()
      const root = `${options.stateRoot}/packages`
      const folders: Folders = {
        root,
        programs: options.programs ?? "/usr/bin",
        apt: Apt.aptState(options.cache ?? `${root}/apt`, options.aptConfig)
      }
      return {
        plan: (names, planOptions) =>
          Effect.provide(
            exclusively(
              folders,
              planned(folders, names, planOptions?.onProgress ?? (() => Effect.void), Effect.succeed)
            ),
            platform
          ),
        ensure: (names, ensureOptions) => Effect.provide(ensure(folders, names, ensureOptions), platform),
        sources: Effect.provide(exclusively(folders, sources(folders)), platform)
      }
    })
  )

/** State root from `SBX_STATE_DIR`; lists and `.deb` files may be shared between state roots with `SBX_PACKAGES_CACHE`. */
export const layer: Layer.Layer<DistributionPackages, Config.ConfigError, Platform> = Layer.unwrap(
  Effect.gen(function* () {
    const stateRoot = yield* StateRoot.config
    const cache = yield* Config.NonEmptyString("SBX_PACKAGES_CACHE").pipe(
      Config.withDefault(`${stateRoot}/packages/apt`)
    )
    return layerWith({ stateRoot, cache })
  })
)
