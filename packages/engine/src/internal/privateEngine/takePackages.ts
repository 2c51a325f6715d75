/** Resolves, downloads and unpacks packages: the work behind `DistributionPackages`. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import {
  InstallRefused,
  NoPackageSource,
  NotDebian,
  PackageFetchFailed,
  type PackagesError,
  PackageUnavailable
} from "../../PackagesError.ts"
import * as Apt from "./apt.ts"
import { holdLock } from "./fileLock.ts"
import { unpackPackages } from "./unpackPackages.ts"

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

export interface EnsureOptions {
  /** False: never download a package; fail with `InstallRefused` instead. Default true. */
  readonly install?: boolean
  readonly onProgress?: (progress: PackageProgress) => Effect.Effect<void>
}

type Platform = FileSystem.FileSystem | ChildProcessSpawner

/** Longer than a slow download by another process. */
const lockWait = Duration.minutes(10)

/** Package lists this young are used as they are. */
const listsLifetime = Duration.hours(1)

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

export interface Folders {
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

const listsFile = (folders: Folders): string => `${folders.apt.directory}/updated`

/** Undefined when the lists are younger than an hour and were not fetched, else the complaints of sources that failed. */
const refreshLists = Effect.fnUntraced(function* (folders: Folders) {
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.option(fs.stat(listsFile(folders)))
  const updated = Option.flatMap(info, ({ mtime }) => mtime)
  const now = yield* Clock.currentTimeMillis
  if (Option.isSome(updated) && now - updated.value.getTime() < Duration.toMillis(listsLifetime)) return undefined
  const warnings = yield* Apt.updateLists(folders.apt, undefined)
  if (warnings.length === 0) yield* fs.writeFileString(listsFile(folders), "")
  return warnings
})

const resolve = Effect.fnUntraced(function* (
  folders: Folders,
  names: ReadonlyArray<string>,
  warnings: ReadonlyArray<string>
): Effect.fn.Return<PackagePlan, PackagesError, Platform> {
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

/** Plans and then uses the plan. With lists that turn out to be too old (a package was superseded) it tries once more with new ones. */
export const planned = <A>(
  folders: Folders,
  names: ReadonlyArray<string>,
  onProgress: NonNullable<EnsureOptions["onProgress"]>,
  use: (plan: PackagePlan) => Effect.Effect<A, PackagesError, Platform>
): Effect.Effect<A, PackagesError, Platform> =>
  Effect.gen(function* () {
    yield* requireApt(folders, names)
    yield* Apt.prepareApt(folders.apt)
    yield* onProgress({ phase: "resolving", detail: "reading the distribution's package lists", fraction: undefined })
    const warnings = yield* refreshLists(folders)
    const attempt = Effect.flatMap(resolve(folders, names, warnings ?? []), use)
    if (warnings !== undefined) return yield* attempt
    const fs = yield* FileSystem.FileSystem
    const again = Effect.gen(function* () {
      yield* fs.remove(listsFile(folders), { force: true })
      return yield* Effect.flatMap(resolve(folders, names, (yield* refreshLists(folders)) ?? []), use)
    })
    return yield* attempt.pipe(
      Effect.catchTags({
        PackageUnavailable: () => again,
        PackageFetchFailed: () => again,
        NoPackageSource: () => again
      })
    )
  })

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** One user of a cache at a time: apt refuses a second one, and a broken-off unpacking can then be told from a running one. */
export const exclusively = <A>(
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

const unpackPlan = Effect.fnUntraced(function* (
  folders: Folders,
  plan: PackagePlan,
  options: EnsureOptions
): Effect.fn.Return<UnpackedPackages, PackagesError, Platform> {
  const fs = yield* FileSystem.FileSystem
  const onProgress = options.onProgress ?? (() => Effect.void)
  const missing = plan.packages.map(({ name }) => name)
  if (missing.length > 0 && options.install === false) {
    const commands = manualCommands(plan.requested)
    return yield* new InstallRefused({ requested: plan.requested, missing, commands })
  }
  if (missing.length > 0) yield* download(folders, plan, onProgress)
  yield* onProgress({ phase: "unpacking", detail: missing.join(", "), fraction: undefined })
  const prefix = `${folders.root}/${Apt.setDigest(plan.packages)}`
  yield* unpackPackages(folders.apt.archives, plan.packages, prefix).pipe(
    Effect.catchTag("UnpackFailed", (error) =>
      Effect.fail(new PackageFetchFailed({ step: "unpack", detail: error.detail }))
    )
  )
  const stamp = { prefix, packages: plan.packages }
  const file = stampFile(folders, plan.requested)
  yield* fs.writeFileString(`${file}.new`, yield* Effect.orDie(encodeStamp(stamp)))
  yield* fs.rename(`${file}.new`, file)
  return stamp
})

const unpackMissing = Effect.fnUntraced(function* (
  folders: Folders,
  names: ReadonlyArray<string>,
  options: EnsureOptions
): Effect.fn.Return<UnpackedPackages, PackagesError, Platform> {
  // Another process may have done it while we waited for the lock.
  const known = yield* readStamp(folders, names)
  if (known !== undefined) return known
  const onProgress = options.onProgress ?? (() => Effect.void)
  return yield* planned(folders, names, onProgress, (plan) => unpackPlan(folders, plan, options))
})

export const ensure = Effect.fnUntraced(function* (
  folders: Folders,
  names: ReadonlyArray<string>,
  options: EnsureOptions = {}
): Effect.fn.Return<UnpackedPackages, PackagesError, Platform> {
  const known = yield* readStamp(folders, names)
  return known ?? (yield* exclusively(folders, unpackMissing(folders, names, options)))
})

export const sources = Effect.fnUntraced(function* (
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
