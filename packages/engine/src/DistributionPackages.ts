/**
 * Takes programs from the host's distribution without installing them: resolves what is missing, downloads the packages and
 * unpacks them into a prefix of ours. No maintainer script runs, so no service is enabled. Refuses hosts without apt.
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
import * as Apt from "./internal/privateEngine/apt.ts"
import { holdLock, type LockTimeout } from "./internal/privateEngine/fileLock.ts"
import { stateRootConfig } from "./internal/privateEngine/enginePaths.ts"
import { unpackPackages } from "./internal/privateEngine/unpackPackages.ts"

/** What would be taken, before anything but package lists is downloaded. */
export interface PackagePlan {
  readonly requested: ReadonlyArray<string>
  /** Requested packages and dependencies that the host lacks, in apt's order. Empty: the host has everything. */
  readonly packages: ReadonlyArray<Apt.ResolvedPackage>
  /** Bytes still to be downloaded. */
  readonly downloadBytes: number
  /** Complaints of sources that were left out. */
  readonly warnings: ReadonlyArray<string>
}

/** An unpacked set. `prefix` is laid out like `/`; programs of packages that the host has are not in it. */
export interface UnpackedPackages {
  readonly prefix: string
  readonly packages: ReadonlyArray<Apt.ResolvedPackage>
}

/** `fraction` from 0 to 1 where it is known. */
export interface PackageProgress {
  readonly phase: "resolving" | "downloading" | "unpacking"
  readonly detail: string
  readonly fraction: number | undefined
}

/** The host has no apt: sbx takes packages from Debian and its derivatives only. */
export class NotDebian extends Schema.TaggedError<NotDebian>()("NotDebian", {
  program: Schema.String,
  requested: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not take ${this.requested.join(", ")} from the distribution: there is no ${this.program}.\nInstall these programs with your package manager, or set DOCKER_HOST to a running engine.`
  }
}

/** No source of the distribution answered and no list from an earlier time is there. */
export class NoPackageSource extends Schema.TaggedError<NoPackageSource>()("NoPackageSource", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not read the distribution's package lists: ${this.detail}.\nCheck the network and /etc/apt/sources.list*, then try \`apt-get update\`.`
  }
}

/** The distribution lacks a package, or its dependencies cannot be met. `detail` is apt's own words. */
export class PackageUnavailable extends Schema.TaggedError<PackageUnavailable>()("PackageUnavailable", {
  requested: Schema.Array(Schema.String),
  detail: Schema.String
}) {
  override get message() {
    return `Could not resolve ${this.requested.join(", ")}: ${this.detail}.\nCheck that /etc/apt/sources.list* names the distribution's main component.`
  }
}

/** A download or an unpacking broke off; what was complete is kept, the prefix is untouched. */
export class PackageFetchFailed extends Schema.TaggedError<PackageFetchFailed>()("PackageFetchFailed", {
  step: Schema.Literals(["download", "unpack"]),
  detail: Schema.String
}) {
  override get message() {
    return `Could not ${this.step} packages: ${this.detail}.\nCheck the network and the free disk space, then repeat the command: it goes on where it stopped.`
  }
}

/** Taking packages was forbidden (`--no-install`). */
export class InstallRefused extends Schema.TaggedError<InstallRefused>()("InstallRefused", {
  requested: Schema.Array(Schema.String),
  missing: Schema.Array(Schema.String),
  /** Exact commands, in order. */
  commands: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not use ${this.requested.join(", ")}: not present, and taking packages was refused.\nRun:\n${this.commands.map((command) => `  ${command}`).join("\n")}\nor repeat without --no-install: sbx then unpacks them into a folder of its own and starts no service.`
  }
}

export type PackagesError =
  | NotDebian
  | NoPackageSource
  | PackageUnavailable
  | PackageFetchFailed
  | InstallRefused
  | LockTimeout
  | PlatformError.PlatformError

export interface EnsureOptions {
  /** False: never download a package; fail with `InstallRefused` instead. Default true. */
  readonly install?: boolean
  readonly onProgress?: (progress: PackageProgress) => Effect.Effect<void>
}

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

/** Longer than a slow download by another process. */
const lockWait = Duration.minutes(10)

type Platform = FileSystem.FileSystem | ChildProcessSpawner

/** Commands that give the host the same programs without starting their services. */
const manualCommands = (names: ReadonlyArray<string>): ReadonlyArray<string> => [
  "apt-get update",
  ...(names.includes("docker.io") ? ["systemctl mask docker.service docker.socket containerd.service"] : []),
  `apt-get install --yes --no-install-recommends ${names.join(" ")}`
]

const Stamp = Schema.fromJsonString(
  Schema.Struct({
    prefix: Schema.String,
    packages: Schema.Array(Schema.Struct({ name: Schema.String, version: Schema.String }))
  })
)
const decodeStamp = Schema.decodeUnknownEffect(Stamp)
const encodeStamp = Schema.encodeEffect(Stamp)

interface Folders {
  readonly root: string
  readonly programs: string
  readonly apt: Apt.AptState
}

const stampFile = (folders: Folders, names: ReadonlyArray<string>): string =>
  `${folders.root}/${names.toSorted().join("+")}.json`

/** Absent when never unpacked, or when the stamp or its prefix was removed by hand. */
const readStamp = Effect.fnUntraced(function* (folders: Folders, names: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const stamp = yield* fs.readFileString(stampFile(folders, names)).pipe(
    Effect.flatMap(decodeStamp),
    Effect.orElseSucceed(() => undefined)
  )
  return stamp !== undefined && (yield* fs.exists(stamp.prefix)) ? stamp : undefined
})

const requireApt = Effect.fnUntraced(function* (folders: Folders, requested: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  for (const program of ["apt-get", "dpkg-deb"]) {
    if (!(yield* fs.exists(`${folders.programs}/${program}`))) return yield* new NotDebian({ program, requested })
  }
})

const plan = Effect.fnUntraced(function* (
  folders: Folders,
  names: ReadonlyArray<string>,
  onProgress: EnsureOptions["onProgress"] = () => Effect.void
): Effect.fn.Return<PackagePlan, PackagesError, Platform> {
  yield* requireApt(folders, names)
  yield* Apt.prepareApt(folders.apt)
  yield* onProgress({ phase: "resolving", detail: "reading the distribution's package lists", fraction: undefined })
  const warnings = yield* Apt.updateLists(folders.apt, undefined)
  const simulated = yield* Apt.simulateInstall(folders.apt, names)
  if (simulated.exitCode !== 0) {
    const detail = simulated.stderr.replaceAll(/^E: /gm, "").trim().replaceAll("\n", "; ")
    const sources = yield* Apt.distributionSources(folders.apt)
    if (sources.length === 0) return yield* new NoPackageSource({ detail: warnings.join("; ") || detail })
    return yield* new PackageUnavailable({ requested: names, detail })
  }
  const packages = Apt.parseSimulation(simulated.stdout)
  const uris = packages.length === 0 ? "" : (yield* Apt.printUris(folders.apt, packages, folders.apt.archives)).stdout
  const downloadBytes = Apt.parseUris(uris).reduce((sum, file) => sum + file.sizeBytes, 0)
  return { requested: names, packages, downloadBytes, warnings }
})

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** One user of a cache at a time: apt refuses a second one, and a broken-off unpacking can then be told from a running one. */
const exclusively = <A>(
  folders: Folders,
  use: Effect.Effect<A, PackagesError, Platform>
): Effect.Effect<A, PackagesError, Platform> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* fs.makeDirectory(folders.root, { recursive: true })
      yield* fs.makeDirectory(folders.apt.directory, { recursive: true })
      yield* holdLock(`${folders.apt.directory}/lock`, "exclusive", lockWait)
      return yield* use
    })
  )

const download = Effect.fnUntraced(function* (
  folders: Folders,
  planned: PackagePlan,
  onProgress: NonNullable<EnsureOptions["onProgress"]>
) {
  const detail = `${planned.packages.map(({ name, version }) => `${name} ${version}`).join(", ")} (${megabytes(planned.downloadBytes)})`
  const report = (fraction: number) => onProgress({ phase: "downloading", detail, fraction })
  const result = yield* Apt.downloadPackages(folders.apt, planned.packages, folders.apt.archives, report)
  if (result.exitCode !== 0) {
    const said = result.stderr.trim().replaceAll("\n", "; ")
    return yield* new PackageFetchFailed({ step: "download", detail: said || `apt-get exited ${result.exitCode}` })
  }
})

const unpackMissing = Effect.fnUntraced(function* (
  folders: Folders,
  names: ReadonlyArray<string>,
  options: EnsureOptions
): Effect.fn.Return<UnpackedPackages, PackagesError, Platform> {
  // Another process may have done it while we waited for the lock.
  const known = yield* readStamp(folders, names)
  if (known !== undefined) return known
  const fs = yield* FileSystem.FileSystem
  const onProgress = options.onProgress ?? (() => Effect.void)
  const planned = yield* plan(folders, names, onProgress)
  const missing = planned.packages.map(({ name }) => name)
  if (missing.length > 0 && options.install === false) {
    return yield* new InstallRefused({ requested: names, missing, commands: manualCommands(names) })
  }
  if (missing.length > 0) yield* download(folders, planned, onProgress)
  yield* onProgress({ phase: "unpacking", detail: `${missing.length} packages`, fraction: undefined })
  const prefix = `${folders.root}/${Apt.setDigest(planned.packages)}`
  yield* unpackPackages(folders.apt.archives, planned.packages, prefix).pipe(
    Effect.catchTag("UnpackFailed", (error) =>
      Effect.fail(new PackageFetchFailed({ step: "unpack", detail: error.detail }))
    )
  )
  const stamp = { prefix, packages: planned.packages }
  const text = yield* Effect.orDie(encodeStamp(stamp))
  yield* fs.writeFileString(`${stampFile(folders, names)}.new`, text)
  yield* fs.rename(`${stampFile(folders, names)}.new`, stampFile(folders, names))
  return stamp
})

const ensure = Effect.fnUntraced(function* (
  folders: Folders,
  names: ReadonlyArray<string>,
  options: EnsureOptions = {}
): Effect.fn.Return<UnpackedPackages, PackagesError, Platform> {
  const known = yield* readStamp(folders, names)
  return known ?? (yield* exclusively(folders, unpackMissing(folders, names, options)))
})

const sources = Effect.fnUntraced(function* (
  folders: Folders
): Effect.fn.Return<ReadonlyArray<string>, PackagesError, Platform> {
  yield* requireApt(folders, [])
  yield* Apt.prepareApt(folders.apt)
  const known = yield* Apt.distributionSources(folders.apt)
  if (known.length > 0) return known
  const warnings = yield* Apt.updateLists(folders.apt, undefined)
  const found = yield* Apt.distributionSources(folders.apt)
  if (found.length > 0) return found
  return yield* new NoPackageSource({ detail: warnings.join("; ") || "no source of the distribution is configured" })
})

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
          Effect.provide(exclusively(folders, plan(folders, names, planOptions?.onProgress)), platform),
        ensure: (names, ensureOptions) => Effect.provide(ensure(folders, names, ensureOptions), platform),
        sources: Effect.provide(exclusively(folders, sources(folders)), platform)
      }
    })
  )

/** State root from `SBX_STATE_DIR`; lists and `.deb` files may be shared between state roots with `SBX_PACKAGES_CACHE`. */
export const layer: Layer.Layer<DistributionPackages, Config.ConfigError, Platform> = Layer.unwrap(
  Effect.gen(function* () {
    const stateRoot = yield* stateRootConfig
    const cache = yield* Config.NonEmptyString("SBX_PACKAGES_CACHE").pipe(
      Config.withDefault(`${stateRoot}/packages/apt`)
    )
    return layerWith({ stateRoot, cache })
  })
)
