/** Builds the root file system of a recipe as one tar file: by hand for busybox, with mmdebstrap for Debian. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import { groupLines, type ImageRecipe, passwdLines, slimCommands } from "../../ImageRecipe.ts"
import { busyboxEntries } from "./busyboxImage.ts"
import { runCommand } from "./command.ts"
import { type TarEntry, writeTar } from "./tarWriter.ts"

export class RootFsFailed extends Schema.TaggedError<RootFsFailed>()("RootFsFailed", { detail: Schema.String }) {}

type Platform = FileSystem.FileSystem | ChildProcessSpawner
type Built = Effect.fn.Return<void, RootFsFailed | PlatformError.PlatformError, Platform>

const tarOf = (entries: ReadonlyArray<TarEntry>) =>
  Effect.try({ try: () => writeTar(entries), catch: (cause) => new RootFsFailed({ detail: String(cause) }) })

/** The binary comes from the prefix, or from the host where the package is installed there. */
export const buildBusybox = Effect.fnUntraced(function* (recipe: ImageRecipe, prefix: string, target: string): Built {
  const fs = yield* FileSystem.FileSystem
  const unpacked = `${prefix}/bin/busybox`
  const binary = (yield* fs.exists(unpacked)) ? unpacked : "/bin/busybox"
  const applets = yield* runCommand(binary, ["--list-full"])
  if (applets.exitCode !== 0) {
    return yield* new RootFsFailed({ detail: `${binary} --list-full: ${applets.stderr.trim()}` })
  }
  const busybox = yield* fs.readFile(binary)
  const tar = yield* tarOf(busyboxEntries(recipe, busybox, applets.stdout.trim().split("\n")))
  yield* fs.writeFile(target, tar)
})

export interface DebianBuild {
  readonly prefix: string
  /** `deb URI SUITE COMPONENT` lines; the first one's suite is the release. */
  readonly sources: ReadonlyArray<string>
  /** Empty folder for temporary files. */
  readonly work: string
  readonly target: string
  readonly onProgress: (progress: {
    readonly phase: "building"
    readonly detail: string
    readonly fraction: number
  }) => Effect.Effect<void>
}

/** mmdebstrap's messages and the share of the time that is over when each appears, measured for `base`. */
const steps: ReadonlyArray<readonly [text: string, fraction: number]> = [
  ["running apt-get update", 0.05],
  ["downloading packages", 0.15],
  ["extracting archives", 0.2],
  ["installing essential packages", 0.35],
  ["installing remaining packages", 0.6],
  ["running --customize-hook", 0.9],
  ["creating tarball", 0.95]
]

const reportSteps = (build: DebianBuild) => (line: string) => {
  const step = steps.find(([text]) => line.startsWith(`I: ${text}`))
  return step === undefined ? Effect.void : build.onProgress({ phase: "building", detail: step[0], fraction: step[1] })
}

/** For programs of an unpacked prefix; folders that are not there are harmless. */
const prefixEnvironment = (prefix: string, triplets: ReadonlyArray<string>): Readonly<Record<string, string>> => ({
  PATH: `${prefix}/usr/sbin:${prefix}/usr/bin:${prefix}/sbin:${prefix}/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin`,
  ...(triplets.length === 0
    ? {}
    : { LD_LIBRARY_PATH: triplets.map((triplet) => `${prefix}/usr/lib/${triplet}`).join(":") }),
  PERL5LIB: `${prefix}/usr/share/perl5`
})

/** Accounts, files and slimming, in the order in which they depend on each other. `$1` is the chroot. */
const customize = [
  'cat "$SBX_WORK/passwd" >>"$1/etc/passwd"',
  'cat "$SBX_WORK/group" >>"$1/etc/group"',
  'tar -C "$1" --no-overwrite-dir -xf "$SBX_WORK/files.tar"',
  'rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
  ...slimCommands("$1")
].join(" && ")

const mmdebstrapArgs = (recipe: ImageRecipe, build: DebianBuild, hooks: string): ReadonlyArray<string> => [
  "mmdebstrap",
  "--mode=root",
  "--variant=minbase",
  "--format=tar",
  `--hook-dir=${hooks}/merged-usr`,
  `--include=${recipe.packages.join(",")}`,
  "--dpkgopt=force-unsafe-io",
  `--customize-hook=${customize}`,
  build.sources[0]?.split(" ")[2] ?? "stable",
  build.target,
  ...build.sources
]

/** A mount namespace of its own: what a killed build had mounted goes with it. */
export const buildDebian = Effect.fnUntraced(function* (recipe: ImageRecipe, build: DebianBuild): Built {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(`${build.work}/passwd`, passwdLines(recipe))
  yield* fs.writeFileString(`${build.work}/group`, groupLines(recipe))
  const encoder = new TextEncoder()
  const files = yield* tarOf(
    recipe.files.map(({ path, mode, content }) => ({ type: "file", path, mode, content: encoder.encode(content) }))
  )
  yield* fs.writeFile(`${build.work}/files.tar`, files)
  const unpackedHooks = `${build.prefix}/usr/share/mmdebstrap/hooks`
  const hooks = (yield* fs.exists(unpackedHooks)) ? unpackedHooks : "/usr/share/mmdebstrap/hooks"
  const libraries = `${build.prefix}/usr/lib`
  const names = (yield* fs.exists(libraries)) ? yield* fs.readDirectory(libraries) : []
  const triplets = names.filter((name) => name.includes("-linux-gnu"))
  const result = yield* runCommand(
    "unshare",
    ["--mount", "--propagation", "slave", "--"].concat(mmdebstrapArgs(recipe, build, hooks)),
    {
      env: { ...prefixEnvironment(build.prefix, triplets), TMPDIR: build.work, SBX_WORK: build.work },
      onLine: reportSteps(build)
    }
  )
  if (result.exitCode !== 0) {
    const said = result.stderr.trim().split("\n").slice(-5).join("; ")
    return yield* new RootFsFailed({ detail: said || `mmdebstrap exited ${result.exitCode}` })
  }
})
