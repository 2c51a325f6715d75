/**
 * What a host has of the things that leak: memory, open files, processes and zombies, mounts, cgroups, network namespaces, entries of
 * temporary directories, containers. Absent is absent: what was not asked for, may not be read or is gone has no number, and says why.
 */
import { Engine } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import process from "node:process"
import type { Unreadable } from "./internal/hostFiles.ts"
import { isUnreadable } from "./internal/hostFiles.ts"
import type { ProcFiles } from "./internal/procTree.ts"
import { mountsOf, networkNamespacesOf, procFiles, processesOf, treeOf } from "./internal/procTree.ts"

export const LeakCounter = Schema.Literals([
  /** Resident set of the process, bytes (VmRSS). */
  "memoryBytes",
  /** Entries of its /proc/<pid>/fd. For this very process one more, which reads them. */
  "fileDescriptors",
  /** The process and its descendants that live. One whose parent died belongs to somebody else. */
  "processes",
  /** Descendants that are dead and not waited for. */
  "zombies",
  /** Mounts that the process sees. */
  "mounts",
  /** Directories below a cgroup. */
  "cgroups",
  /** Distinct ones, of the process and its descendants (or of all processes), and those kept by a mount it sees. */
  "networkNamespaces",
  /** Entries of directories for temporary files, not of those in them. */
  "temporaryEntries",
  /** Containers of the engine with given labels, in whatever state. */
  "containers"
])
export type LeakCounter = typeof LeakCounter.Type

/** `denied`: this process may not read it. `gone`: the process or directory is not there. `failed`: any other error. */
export const LeakAbsence = Schema.Literals(["not-asked", "denied", "gone", "failed"])
export type LeakAbsence = typeof LeakAbsence.Type

export interface LeakReading {
  /** Operations done before it. */
  readonly operations: number
  /** On a clock that never goes back; only differences mean something. */
  readonly atMillis: number
  readonly values: { readonly [C in LeakCounter]?: number }
  readonly absent: { readonly [C in LeakCounter]?: LeakAbsence }
}

export class LeakSources extends Context.Service<
  LeakSources,
  {
    /** Never fails: a counter that cannot be read is absent. */
    readonly read: (operations: number) => Effect.Effect<LeakReading>
  }
>()("@sbx/monitor/LeakSources") {}

export interface LeakSourcesOptions {
  /** The process that may leak. Default: this one. */
  readonly pid?: number
  /** Of whose processes network namespaces are counted. `host` needs root. Default `tree`. */
  readonly networkNamespaces?: "tree" | "host"
  /** A directory of the cgroup file system. */
  readonly cgroupDirectory?: string
  /** Where temporary files are made; with a prefix, only what begins with it. */
  readonly temporary?: ReadonlyArray<{ readonly directory: string; readonly prefix?: string }>
  /** Default `/proc`. */
  readonly proc?: string
  /** What is read; a test gives its own. */
  readonly files?: ProcFiles
}

/** Counts all but containers. */
export const layerWith = (options: LeakSourcesOptions = {}): Layer.Layer<LeakSources> =>
  Layer.succeed(LeakSources, makeService(options, Effect.succeed("not-asked")))

/** Counts containers with these labels too. */
export const layerEngineWith = (
  options: LeakSourcesOptions & { readonly labels: Readonly<Record<string, string>> }
): Layer.Layer<LeakSources, never, Engine> =>
  Layer.effect(
    LeakSources,
    Effect.map(Engine, (engine) => {
      const containers = Effect.map(engine.listContainers(options.labels), (found): Counted => found.length)
      return makeService(
        options,
        Effect.orElseSucceed(containers, (): Counted => "failed")
      )
    })
  )

type Counted = number | LeakAbsence

const makeService = (options: LeakSourcesOptions, containers: Effect.Effect<Counted>): LeakSources["Service"] => ({
  read: Effect.fn("LeakSources.read")(function* (operations: number) {
    const nanos = yield* Clock.monotonicTimeNanos
    const counted: Record<LeakCounter, Counted> = { ...count(options), containers: yield* containers }
    const values: { [C in LeakCounter]?: number } = {}
    const absent: { [C in LeakCounter]?: LeakAbsence } = {}
    for (const counter of LeakCounter.literals) {
      const found = counted[counter]
      if (typeof found === "number") values[counter] = found
      else absent[counter] = found
    }
    return { operations, atMillis: Number(nanos) / 1e6, values, absent }
  })
})

const absence = ({ code }: Unreadable): LeakAbsence => {
  if (code === "EACCES" || code === "EPERM") return "denied"
  return code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR" ? "gone" : "failed"
}

const lengthOf = (found: { readonly names: ReadonlyArray<string> } | Unreadable): Counted =>
  isUnreadable(found) ? absence(found) : found.names.length

const count = (options: LeakSourcesOptions): Record<Exclude<LeakCounter, "containers">, Counted> => {
  const { cgroupDirectory, files = procFiles, pid = process.pid, proc = "/proc", temporary } = options
  return {
    memoryBytes: residentBytes(files.read(`${proc}/${pid}/status`)),
    fileDescriptors: lengthOf(files.list(`${proc}/${pid}/fd`)),
    ...below(files, proc, pid, options.networkNamespaces ?? "tree"),
    cgroups: cgroupDirectory === undefined ? "not-asked" : directoriesBelow(files, cgroupDirectory),
    temporaryEntries: temporary === undefined ? "not-asked" : temporaryEntries(files, temporary)
  }
}

/** A zombie has no VmRSS. */
const residentBytes = (status: string | Unreadable): Counted => {
  if (typeof status !== "string") return absence(status)
  const kilobytes = /^VmRSS:\s+([0-9]+) kB$/m.exec(status)?.[1]
  return kilobytes === undefined ? "gone" : Number(kilobytes) * 1024
}

const below = (files: ProcFiles, proc: string, pid: number, scope: "tree" | "host") => {
  const mounted = mountsOf(files, proc, pid)
  const mounts: Counted = isUnreadable(mounted) ? absence(mounted) : mounted.mounts
  const all = processesOf(files, proc)
  const tree = isUnreadable(all) ? all : treeOf(all, pid)
  if (isUnreadable(all) || isUnreadable(tree) || tree.length === 0) {
    const why = isUnreadable(all) ? absence(all) : "gone"
    return { mounts, processes: why, zombies: why, networkNamespaces: why }
  }
  const used = networkNamespacesOf(files, proc, scope === "host" ? all : tree)
  const networkNamespaces: Counted = isUnreadable(used)
    ? absence(used)
    : isUnreadable(mounted)
      ? absence(mounted)
      : new Set([...used, ...mounted.networkNamespaces]).size
  const zombies = tree.filter(({ isZombie }) => isZombie).length
  return { mounts, processes: tree.length - zombies, zombies, networkNamespaces }
}

/** A directory that goes away while it is counted is none; the first one has to be there. */
const directoriesBelow = (files: ProcFiles, directory: string): Counted => {
  const listed = files.list(directory)
  if (isUnreadable(listed)) return absence(listed)
  let directories = 0
  // A file answers ENOTDIR, and counts as gone.
  for (const name of listed.names) {
    const inner = directoriesBelow(files, `${directory}/${name}`)
    if (typeof inner === "number") directories += 1 + inner
    else if (inner !== "gone") return inner
  }
  return directories
}

const temporaryEntries = (
  files: ProcFiles,
  places: ReadonlyArray<{ readonly directory: string; readonly prefix?: string }>
): Counted => {
  let entries = 0
  for (const { directory, prefix = "" } of places) {
    const listed = files.list(directory)
    if (isUnreadable(listed)) return absence(listed)
    entries += listed.names.filter((name) => name.startsWith(prefix)).length
  }
  return entries
}
