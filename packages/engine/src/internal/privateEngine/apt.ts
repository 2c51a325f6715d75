/**
 * Speaks to apt with a state of our own, so that the host's lists, caches and hooks stay as they are. Reads the host's sources,
 * keyrings, proxy settings and dpkg status; installs nothing.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { type CommandOptions, type CommandResult, runCommand } from "./command.ts"

/** A package that would be taken, as `apt-get --simulate` resolved it. */
export interface ResolvedPackage {
  readonly name: string
  readonly version: string
}

/** Lists and archives of ours. Shared between users of one cache directory; apt's own lock files keep them apart. */
export interface AptState {
  readonly directory: string
  readonly config: string
  readonly lists: string
  readonly archives: string
  /** Lines after ours. */
  readonly furtherConfig: string
}

export const aptState = (directory: string, furtherConfig: string = ""): AptState => ({
  directory,
  config: `${directory}/apt.conf`,
  lists: `${directory}/lists`,
  archives: `${directory}/archives`,
  furtherConfig
})

/**
 * Given with `--config-file` it is read after the host's settings (apt.conf(5)), so it can clear hooks such as docker-clean's
 * that would change the host, and keep apt's binary cache, which docker-clean switches off (measured: 2.0 s a call without, 0.9 s
 * with). Unreachable third-party sources must not hold us up: short timeouts, few retries.
 */
const aptConfig = (state: AptState): string => `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
Dir::State::lists "${state.lists}/";
Dir::Cache "${state.directory}/cache/";
Dir::Cache::archives "${state.archives}/";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Log "${state.directory}/log/";
APT::Sandbox::User "root";
APT::Status-Fd "1";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "10";
Acquire::https::Timeout "10";
${state.furtherConfig}
`

type AptCall<A> = Effect.Effect<A, PlatformError.PlatformError, ChildProcessSpawner>

const apt = (
  program: "apt-get" | "apt-cache",
  state: AptState,
  args: ReadonlyArray<string>,
  options?: CommandOptions
): AptCall<CommandResult> => runCommand(program, ["--quiet=2", `--config-file=${state.config}`, ...args], options)

/** Creates the folders and writes the configuration; safe to repeat. */
export const prepareApt = Effect.fnUntraced(function* (
  state: AptState
): Effect.fn.Return<void, PlatformError.PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  for (const directory of [`${state.lists}/partial`, `${state.archives}/partial`, `${state.directory}/cache`]) {
    yield* fs.makeDirectory(directory, { recursive: true })
  }
  yield* fs.writeFileString(state.config, aptConfig(state))
})

/** Fetches the package lists. A source that fails is ignored; its complaint is in the result. */
export const updateLists = (state: AptState, onLine: CommandOptions["onLine"]): AptCall<ReadonlyArray<string>> =>
  Effect.map(apt("apt-get", state, ["update"], onLine === undefined ? {} : { onLine }), (result) =>
    `${result.stdout}\n${result.stderr}`.split("\n").filter((line) => /^(?:W|E|Err):?/.test(line))
  )

/** `Inst tini (0.19.0-1+b3 Debian:12.15/oldstable [amd64])`, or with `[old version]` before the bracket for an upgrade. */
export const parseSimulation = (output: string): ReadonlyArray<ResolvedPackage> =>
  output.split("\n").flatMap((line) => {
    const found = /^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) /.exec(line)
    return found?.[1] === undefined || found[2] === undefined ? [] : [{ name: found[1], version: found[2] }]
  })

/** What of `names` and their hard dependencies the host lacks. What it has is used as it is (`--no-upgrade`), however old. */
export const simulateInstall = (state: AptState, names: ReadonlyArray<string>): AptCall<CommandResult> =>
  apt("apt-get", state, ["install", "--simulate", "--no-upgrade", "--no-install-recommends", ...names])

/** One package file: `'uri' name size SHA256:digest`. */
export interface PackageFile {
  readonly file: string
  readonly sizeBytes: number
}

export const parseUris = (output: string): ReadonlyArray<PackageFile> =>
  output.split("\n").flatMap((line) => {
    const found = /^'[^']*' (\S+) (\d+)/.exec(line)
    return found?.[1] === undefined ? [] : [{ file: found[1], sizeBytes: Number(found[2]) }]
  })

const versioned = (packages: ReadonlyArray<ResolvedPackage>): ReadonlyArray<string> =>
  packages.map(({ name, version }) => `${name}=${version}`)

/** Files and sizes of the packages; apt leaves out those that already lie in `cwd` with the right digest. */
export const printUris = (
  state: AptState,
  packages: ReadonlyArray<ResolvedPackage>,
  cwd: string
): AptCall<CommandResult> => apt("apt-get", state, ["download", "--print-uris", ...versioned(packages)], { cwd })

/** Status lines of APT::Status-Fd: `dlstatus:<item>:<percent>:<text>` (apt's README.progress-reporting). Whole percents, once each. */
const reportPercents = (onFraction: (fraction: number) => Effect.Effect<void>) => {
  let last = -1
  return (line: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const percent = Math.floor(Number(/^dlstatus:\d+:([\d.]+):/.exec(line)?.[1] ?? Number.NaN))
      if (!(percent > last)) return Effect.void
      last = percent
      return onFraction(percent / 100)
    })
}

/** Downloads into `cwd`; apt verifies the digests against the signed lists. */
export const downloadPackages = (
  state: AptState,
  packages: ReadonlyArray<ResolvedPackage>,
  cwd: string,
  onFraction: (fraction: number) => Effect.Effect<void>
): AptCall<CommandResult> =>
  apt("apt-get", state, ["download", ...versioned(packages)], { cwd, onLine: reportPercents(onFraction) })

/** Sources of the distribution itself as one-line entries, for tools that want their own list. */
export const distributionSources = (state: AptState): AptCall<ReadonlyArray<string>> =>
  Effect.map(
    apt("apt-get", state, [
      "indextargets",
      "--format",
      "$(ORIGIN)|deb $(SITE) $(RELEASE) $(COMPONENT)",
      "Created-By: Packages"
    ]),
    (result) => [
      ...new Set(
        result.stdout.split("\n").flatMap((line) => {
          const [origin, source] = line.split("|")
          return source !== undefined && (origin === "Debian" || origin === "Ubuntu") ? [source] : []
        })
      )
    ]
  )

/** Name of the unpacked set: the same packages in the same versions give the same folder. */
export const setDigest = (packages: ReadonlyArray<ResolvedPackage>): string =>
  createHash("sha256")
    .update(["1", ...versioned(packages).toSorted()].join("\n"))
    .digest("hex")
    .slice(0, 16)
