/**
 * Readings straight from the kernel's files, where the engine runs on this machine: the container is inspected once a life, then read
 * without the engine, in about 0.1 ms. Refuses a container whose files this machine does not show to this process.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import type { ContainerInspect, EngineShape } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ContainerReading } from "./ContainerSampler.ts"
import type { ReadError, ReadOptions } from "./ContainerSource.ts"
import { CgroupUnreadable, ContainerSource, TargetGone, TargetNotRunning } from "./ContainerSource.ts"
import { locate, parseMounts } from "./internal/cgroupPaths.ts"
import type { Limits, Located, Read } from "./internal/cgroupReading.ts"
import { readContainer } from "./internal/cgroupReading.ts"
import * as Texts from "./internal/cgroupTexts.ts"
import type { Details } from "./internal/containerDetails.ts"
import { readDetails } from "./internal/containerDetails.ts"
import type { HostFiles } from "./internal/hostFiles.ts"
import { hostFiles, isUnreadable } from "./internal/hostFiles.ts"
import type { Keeper, LifeFiles } from "./internal/keptFiles.ts"
import { defaultLives, makeKeeper } from "./internal/keptFiles.ts"

export interface CgroupOptions {
  /**
   * How often open files and mounts are read in a series; their values are repeated in between. Default 10 seconds, from a
   * second on that the container's id chooses, so that many containers are not all due at once.
   */
  readonly detailsEvery?: Duration.Input
  /**
   * How often the writable layer's tree is walked in a series; up to 0.2 s of this process each time. Default never: then it is
   * walked only for single samples and snapshots.
   */
  readonly writableLayerEvery?: Duration.Input
  /**
   * Containers whose files stay open from one reading to the next, up to 10 descriptors each, until the container or the layer ends or
   * nobody reads it for half a minute; the files of others are opened for each reading. Default 256, or what a quarter of this
   * process's limit of open files (RLIMIT_NOFILE) allows.
   */
  readonly keepOpen?: number
}

/** Limits change only by an `update`, so they are read again after this long. */
const limitsTtlNanos = 5_000_000_000n

/** Containers that are remembered; beyond that all are looked for anew, nothing else changes. */
const capacity = 1024

interface Known {
  readonly located: Located
  readonly life: LifeFiles
  limits: Limits | undefined
  limitsAtNanos: bigint
  details: Details
  /** Absent where it is never due. */
  detailsDueNanos: bigint | undefined
  layerDueNanos: bigint | undefined
}

interface Source {
  readonly engine: EngineShape
  readonly files: HostFiles
  readonly keeper: Keeper
  readonly detailsEveryNanos: bigint
  readonly layerEveryNanos: bigint | undefined
  readonly known: Map<string, Known>
}

type ReadContainer = ContainerSource["Service"]["read"]

/** The reader itself; its descriptors are closed with the scope. `files` is this machine's unless a test gives recorded ones. */
export const make = Effect.fnUntraced(function* (
  engine: EngineShape,
  options?: CgroupOptions & { readonly files?: HostFiles }
): Effect.fn.Return<ReadContainer, never, Scope.Scope> {
  const nanos = (input: Duration.Input) => BigInt(Math.round(Duration.toMillis(input))) * 1_000_000n
  const files = options?.files ?? hostFiles
  const keeper = yield* Effect.acquireRelease(
    Effect.sync(() => makeKeeper(files, options?.keepOpen ?? defaultLives(files))),
    ({ close }) => Effect.sync(close)
  )
  const source: Source = {
    engine,
    files,
    keeper,
    detailsEveryNanos: nanos(options?.detailsEvery ?? "10 seconds"),
    layerEveryNanos: options?.writableLayerEvery === undefined ? undefined : nanos(options.writableLayerEvery),
    known: new Map()
  }
  return (target, o) => read(source, target, o)
})

/** `ContainerSource` over the kernel's files alone; see `AutoSource` for the one that can do without them. */
export const layerWith = (options: CgroupOptions): Layer.Layer<ContainerSource, never, Engine> =>
  Layer.effect(
    ContainerSource,
    Effect.gen(function* () {
      return ContainerSource.of({ read: yield* make(yield* Engine, options) })
    })
  )

export const layer: Layer.Layer<ContainerSource, never, Engine> = layerWith({})

/** Of a container that is known, with the details of before: without a generator and a span, which cost a quarter of the files. */
const read = (
  source: Source,
  target: ContainerTarget,
  options: ReadOptions | undefined
): Effect.Effect<ContainerReading, ReadError> =>
  Clock.clockWith((clock) => {
    const known = source.known.get(target.containerId)
    const nowNanos = clock.monotonicTimeNanosUnsafe()
    if (known !== undefined && options?.details !== "fresh" && !areDetailsDue(known, nowNanos)) {
      const found = look(source, known, clock, nowNanos)
      if (found !== "gone" && "reading" in found) return Effect.succeed(withDetails(found, known.details))
    }
    return readAny(source, target, options, clock)
  })

const readAny = Effect.fn("ContainerSource.read")(function* (
  source: Source,
  target: ContainerTarget,
  options: ReadOptions | undefined,
  clock: Clock.Clock
): Effect.fn.Return<ContainerReading, ReadError> {
  // Twice: a process that is gone may be that of a container that was restarted since.
  for (const attempt of ["known", "anew"] as const) {
    const known = source.known.get(target.containerId) ?? (yield* find(source, target))
    const startedNanos = clock.monotonicTimeNanosUnsafe()
    const found = look(source, known, clock, startedNanos)
    if (found === "gone") forget(source, target)
    else if ("unreadable" in found) {
      forget(source, target)
      return yield* unreadable(target, found.unreadable)
    } else return withDetails(found, yield* detailsOf(source, known, found, options, startedNanos))
    if (attempt === "anew") break
  }
  return yield* new TargetNotRunning(target)
})

/** One reading of the files; limits where they are old. */
const look = (source: Source, known: Known, clock: Clock.Clock, nowNanos: bigint) => {
  const limits = nowNanos - known.limitsAtNanos < limitsTtlNanos ? known.limits : undefined
  const found = readContainer(source.files, known.life, known.located, clock, limits)
  if (limits === undefined && found !== "gone" && "reading" in found) {
    known.limits = found.limits
    known.limitsAtNanos = nowNanos
  }
  return found
}

const withDetails = ({ reading }: Read, details: Details): ContainerReading => ({
  ...reading,
  details: { ...details, ...reading.details }
})

const forget = ({ known }: Source, { containerId }: ContainerTarget) => {
  known.get(containerId)?.life.close()
  known.delete(containerId)
}

const unreadable = ({ containerId, name }: ContainerTarget, detail: string) =>
  new CgroupUnreadable({ containerId, name, detail })

const isDue = (dueNanos: bigint | undefined, nowNanos: bigint) => dueNanos !== undefined && nowNanos >= dueNanos

const areDetailsDue = ({ detailsDueNanos, layerDueNanos }: Known, nowNanos: bigint) =>
  isDue(detailsDueNanos, nowNanos) || isDue(layerDueNanos, nowNanos)

/** Those of before where they are young enough; a fresh reading takes all of them anew. */
const detailsOf = Effect.fnUntraced(function* (
  source: Source,
  known: Known,
  { processes }: Read,
  options: ReadOptions | undefined,
  nowNanos: bigint
) {
  const isFresh = options?.details === "fresh"
  const layerDue = isFresh || isDue(known.layerDueNanos, nowNanos)
  if (!isFresh && !areDetailsDue(known, nowNanos)) return known.details
  const details = yield* readDetails(source.files, known.located, processes, layerDue)
  // A layer that nobody asked for in this series has no value to repeat.
  const keepsLayer = !layerDue && source.layerEveryNanos !== undefined
  const repeated = keepsLayer ? known.details.writableLayerBytes : undefined
  const all = repeated === undefined ? details : { ...details, writableLayerBytes: repeated }
  if (layerDue && source.layerEveryNanos !== undefined)
    known.layerDueNanos = nextDue(known.located, nowNanos, source.layerEveryNanos)
  known.detailsDueNanos = nextDue(known.located, nowNanos, source.detailsEveryNanos)
  known.details = source.layerEveryNanos === undefined ? { ...all, writableLayerBytes: "not-requested" } : all
  return all
})

/**
 * When a container's details are due after they were read now: on a grid of its own, placed by its id, which is random. So those of many
 * containers come one after the other, even after all were read at the same time.
 */
const nextDue = ({ containerId }: Located, nowNanos: bigint, everyNanos: bigint): bigint => {
  if (everyNanos <= 0n) return nowNanos
  const part = Number.parseInt(containerId.slice(-6), 16) / 2 ** 24
  const phaseNanos = part >= 0 ? BigInt(Math.floor(Number(everyNanos) * part)) : 0n
  return nowNanos + everyNanos - ((nowNanos + phaseNanos) % everyNanos)
}

/** Asks the engine for the container's first process, and the kernel for its cgroup. */
const find = Effect.fnUntraced(function* (source: Source, target: ContainerTarget) {
  const inspect = yield* inspected(source, target)
  const located = locateIn(source.files, inspect)
  if (typeof located !== "string") {
    const known: Known = {
      located,
      life: source.keeper.life(),
      limits: undefined,
      limitsAtNanos: 0n,
      details: {},
      detailsDueNanos: 0n,
      layerDueNanos: source.layerEveryNanos === undefined ? undefined : 0n
    }
    // Two that look for it at the same time both find it.
    forget(source, target)
    if (source.known.size >= capacity) {
      for (const { life } of source.known.values()) life.close()
      source.known.clear()
    }
    source.known.set(target.containerId, known)
    return known
  }
  // It may have ended since the engine's answer; then that is what there is to say.
  const again = yield* inspected(source, target)
  return again.state.hostPid === inspect.state.hostPid
    ? yield* unreadable(target, located)
    : yield* new TargetNotRunning(target)
})

/** The engine's word on a container that runs. */
const inspected = (source: Source, target: ContainerTarget) =>
  source.engine.inspectContainer(target.containerId).pipe(
    Effect.catchTag("ObjectNotFound", () => Effect.fail(new TargetGone(target))),
    Effect.filterOrFail(
      ({ state }) => state.running && state.hostPid !== undefined,
      () => new TargetNotRunning(target)
    )
  )

/** Networks without counters of the container's own: the engine's, whose counters are not, and none. */
const sharedOrNone: ReadonlySet<string> = new Set(["host", "none"])

/** Where the kernel shows it, or why it does not. */
const locateIn = (files: HostFiles, { host, id, state: { hostPid } }: ContainerInspect): Located | string => {
  if (hostPid === undefined) return "the engine knows no process of it"
  const stat = files.read(`/proc/${hostPid}/stat`)
  const cgroup = files.readAll(`/proc/${hostPid}/cgroup`)
  const mounts = files.readAll("/proc/self/mountinfo")
  if (isUnreadable(stat)) return `/proc/${hostPid}/stat: ${stat.code}`
  if (isUnreadable(cgroup)) return `/proc/${hostPid}/cgroup: ${cgroup.code}`
  if (isUnreadable(mounts)) return `/proc/self/mountinfo: ${mounts.code}`
  const identity = Texts.identity(stat)
  const directories = locate(id, cgroup, parseMounts(mounts))
  if (directories === undefined) return `process ${hostPid} of this machine is none of its processes`
  if (identity === undefined) return `process ${hostPid} has ended`
  return { containerId: id, hostPid, identity, directories, ownNetwork: !sharedOrNone.has(host.networkMode ?? "") }
}
