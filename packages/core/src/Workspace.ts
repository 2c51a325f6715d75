/**
 * The workspace of a sandbox: a labelled engine volume that can hold so many bytes and inodes and no more.
 * `disk` is an ext4 image on a loop device of the engine's host; `memory` is a tmpfs. Refuses to pass one off as the other.
 */
import { Engine } from "@sbx/engine/Engine"
import { type CallError, type EngineConflict, EngineTimeout, type InvalidRequest } from "@sbx/engine/EngineError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { runScript } from "./internal/hostCommand.ts"
import * as HostShell from "./internal/hostShell.ts"
import * as LoopVolume from "./internal/loopVolume.ts"
import { WorkspaceKind } from "./SandboxSpec.ts"
import { StateDir } from "./StateDir.ts"

/** The kind of workspace asked for cannot be had with this engine from here. */
export class WorkspaceUnsupported extends Schema.TaggedError<WorkspaceUnsupported>()("WorkspaceUnsupported", {
  kind: WorkspaceKind,
  reason: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return `Could not make a ${this.kind} workspace: ${this.reason}.\nRun as root on the engine's host, use the private engine, or ask for a memory workspace (volatile, charged to memory).`
  }
}

/** A tool of the host failed while the workspace was made or removed. */
export class WorkspaceFailed extends Schema.TaggedError<WorkspaceFailed>()("WorkspaceFailed", {
  operation: Schema.Literals(["make", "remove"]),
  volume: Schema.String,
  detail: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `Could not ${this.operation} workspace ${this.volume}: ${this.detail}.\nCheck free disk space below the state directory and free loop devices (\`losetup -a\`); \`./sbx reap\` removes what is left over.`
  }
}

export interface WorkspaceRequest {
  readonly kind: WorkspaceKind
  /** Name of the volume, unique in the engine. */
  readonly volume: string
  readonly labels: Readonly<Record<string, string>>
  /** Bytes that can be written: exact on disk (up to one block group's rounding), whole pages in memory. */
  readonly limitBytes: number
  readonly inodes: number
  /** Owner and group of the root directory, mode 0700. */
  readonly uid: number
}

/** A workspace whose volume exists, or is described to the container that makes it. */
export interface Made {
  /** To be made by the create of the container; absent where it exists. */
  readonly create?: {
    readonly labels: Readonly<Record<string, string>>
    readonly driverOptions: Readonly<Record<string, string>>
  }
  /** Resolves once there is a disk behind the volume: await it before a container is started with it. */
  readonly ready: Effect.Effect<void, WorkspaceFailed>
}

/** How long the engine may take to make a volume. */
export const volumeDeadlineMillis = 10_000

export type CreateError = CallError | EngineConflict | InvalidRequest | WorkspaceUnsupported | WorkspaceFailed
export type RemoveError = CallError | EngineConflict | WorkspaceFailed

export class Workspaces extends Context.Service<
  Workspaces,
  {
    /** Why `disk` cannot be had here; absent when it can. */
    readonly diskObstacle: string | undefined
    /** The kind to use. `auto` is disk where possible, else memory: the only case in which memory stands in for disk. */
    readonly choose: (requested: WorkspaceKind | "auto") => Effect.Effect<WorkspaceKind, WorkspaceUnsupported>
    /**
     * Not interruptible; ends within 30 s, and what it leaves under way within 40 s more. Not undone on failure: whoever calls removes by name, and after a `CallError` does so
     * until {@link volumeDeadlineMillis} from the call have passed, because the engine may still make the volume.
     */
    readonly create: (request: WorkspaceRequest) => Effect.Effect<Made, CreateError>
    /** Volume, loop device, image; absent is success. The volume must not be in use. Awaits what a create left under way. */
    readonly remove: (volume: string) => Effect.Effect<void, RemoveError>
    /** As `remove` of each, with one look at the loop devices for all. Resolves to those that are left, with the reason. */
    readonly removeAll: (volumes: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>>
    /** Names of volumes of this engine whose image or loop device exists on this machine, wanted or not. */
    readonly images: Effect.Effect<ReadonlyArray<string>>
  }
>()("@sbx/core/Workspace") {}

/** Disk workspaces below the state directory, apart for each engine, so that no engine's clean-up meets another's images. */
export const layer: Layer.Layer<Workspaces, CallError, Engine | StateDir | FileSystem | ChildProcessSpawner> =
  Layer.effect(
    Workspaces,
    Effect.gen(function* () {
      const engine = yield* Engine
      const stateDir = yield* StateDir
      const host: LoopVolume.Host = {
        spawner: yield* ChildProcessSpawner,
        fs: yield* FileSystem,
        shell: yield* HostShell.make(LoopVolume.shellFunctions)
      }
      const info = yield* engine.info
      const volumes = `${stateDir.path}/volumes`
      const directory = `${volumes}/${info.id.replace(/[^A-Za-z0-9]+/g, "-")}`
      const place: Place = {
        engine,
        host,
        directory,
        lock: `${volumes}/loop.lock`,
        templates: yield* LoopVolume.makeTemplates,
        // The only one of which it is known that it sees our files where we do.
        sharesFiles: engine.endpoint.kind === "private",
        underWay: new Map(),
        scope: yield* Effect.scope,
        obstacle: yield* findObstacle(host, engine.endpoint.address, info)
      }
      return Workspaces.of({
        diskObstacle: place.obstacle,
        choose: (requested) => choose(place, requested),
        create: (request) => create(place, request),
        remove: (volume) => remove(place, volume),
        removeAll: (volumes) => removeAll(place, volumes),
        images: images(place)
      })
    })
  )

interface Place {
  readonly engine: Engine["Service"]
  readonly host: LoopVolume.Host
  readonly directory: string
  readonly lock: string
  readonly templates: LoopVolume.Templates
  /** The engine finds a link below `directory` under the same path. */
  readonly sharesFiles: boolean
  /** Devices in the making, by volume. */
  readonly underWay: Map<string, Fiber.Fiber<void, WorkspaceFailed>>
  readonly scope: Scope.Scope
  readonly obstacle: string | undefined
}

const imageOf = (place: Place, volume: string) => `${place.directory}/${volume}.img`

const choose = (place: Place, requested: WorkspaceKind | "auto") => {
  if (requested === "auto") return Effect.succeed<WorkspaceKind>(place.obstacle === undefined ? "disk" : "memory")
  return requested === "disk" && place.obstacle !== undefined
    ? Effect.fail(new WorkspaceUnsupported({ kind: "disk", reason: place.obstacle }))
    : Effect.succeed(requested)
}

const create = Effect.fnUntraced(function* (
  place: Place,
  request: WorkspaceRequest
): Effect.fn.Return<Made, CreateError> {
  const { volume, labels, limitBytes, inodes, uid } = request
  yield* choose(place, request.kind)
  if (request.kind === "memory") {
    const o = `size=${limitBytes},nr_inodes=${inodes},uid=${uid},gid=${uid},mode=0700,nosuid,nodev`
    yield* makeVolume(place, { name: volume, labels, driverOptions: { type: "tmpfs", device: "tmpfs", o } })
    return { ready: Effect.void }
  }
  if (!place.sharesFiles) {
    const device = yield* attach(place, request)
    yield* makeVolume(place, { name: volume, labels, driverOptions: onLoop(device) })
    return { ready: Effect.void }
  }
  // The engine looks at the device when a container is started: until then both work side by side. It makes the volume with the
  // container, which is a call less; an engine that is not known to be Docker might make one without the bound.
  const image = imageOf(place, volume)
  const attached = yield* attach(place, request).pipe(
    Effect.flatMap((device) => Effect.mapError(LoopVolume.link(image, device), failedToMake(volume))),
    Effect.ensuring(Effect.sync(() => void place.underWay.delete(volume))),
    Effect.uninterruptible,
    Effect.forkIn(place.scope)
  )
  place.underWay.set(volume, attached)
  return {
    create: { labels, driverOptions: onLoop(LoopVolume.linkOf(image)) },
    ready: Fiber.join(attached)
  }
}, Effect.uninterruptible)

const onLoop = (device: string) => ({ type: "ext4", device, o: "nosuid,nodev" })

/** Not interruptible: a killed shell would leave a losetup that attaches after the caller's clean-up has looked. */
const attach = (place: Place, { volume, limitBytes, inodes, uid }: WorkspaceRequest) =>
  LoopVolume.attach(place.host, place.templates, {
    image: imageOf(place, volume),
    lock: place.lock,
    limitBytes,
    inodes,
    uid
  }).pipe(Effect.mapError(failedToMake(volume)))

const failedToMake =
  (volume: string) =>
  ({ detail }: { readonly detail: string }) =>
    new WorkspaceFailed({ operation: "make", volume, detail })

/** Until nothing is being attached that a removal would not see. */
const settled = (place: Place, volumes: ReadonlyArray<string>) =>
  Fiber.awaitAll(volumes.flatMap((volume) => place.underWay.get(volume) ?? []))

/** Bounded, as it cannot be interrupted: the engine may finish an aborted call after the caller's clean-up has looked. */
const makeVolume = (place: Place, spec: Parameters<Engine["Service"]["createVolume"]>[0]) =>
  place.engine.createVolume(spec).pipe(
    Effect.interruptible,
    Effect.timeoutOrElse({
      duration: volumeDeadlineMillis,
      orElse: () => Effect.fail(new EngineTimeout({ operation: "create volume", timeoutMillis: volumeDeadlineMillis }))
    })
  )

const remove = Effect.fnUntraced(function* (place: Place, volume: string): Effect.fn.Return<void, RemoveError> {
  yield* settled(place, [volume])
  yield* place.engine.removeVolume(volume)
  // Also for memory workspaces and refused ones: nothing to find costs one look.
  const left = yield* LoopVolume.detachAll(place.host, place.directory, [imageOf(place, volume)])
  for (const detail of left.values()) return yield* new WorkspaceFailed({ operation: "remove", volume, detail })
})

/** What a 20.10 engine removes at a time. */
const parallel = { concurrency: 8 } as const

const removeAll = Effect.fnUntraced(function* (place: Place, volumes: ReadonlyArray<string>) {
  yield* settled(place, volumes)
  const left = new Map<string, string>()
  const removeOne = (volume: string) =>
    Effect.match(place.engine.removeVolume(volume), {
      onSuccess: () => undefined,
      onFailure: (error) => void left.set(volume, error.message)
    })
  yield* Effect.forEach(volumes, removeOne, { ...parallel, discard: true })
  const free = volumes.filter((volume) => !left.has(volume))
  const held = yield* LoopVolume.detachAll(
    place.host,
    place.directory,
    free.map((volume) => imageOf(place, volume))
  )
  for (const volume of free) {
    const detail = held.get(imageOf(place, volume))
    if (detail !== undefined) left.set(volume, new WorkspaceFailed({ operation: "remove", volume, detail }).message)
  }
  return left
})

const images = (place: Place) =>
  Effect.gen(function* () {
    const files = yield* place.host.fs.readDirectory(place.directory).pipe(Effect.orElseSucceed(() => []))
    const loops = yield* LoopVolume.list(place.directory)
    const names = [...files, ...loops.map((loop) => loop.image.slice(place.directory.length + 1))]
    return [...new Set(names.filter((name) => /\.(img|dev)$/.test(name)).map((name) => name.slice(0, -4)))]
  })

/** Prints what disk workspaces stand on, one `name=value` a line. */
const probeScript = `PATH="$PATH:/usr/sbin:/sbin"
echo "uid=$(id -u)"; echo "kernel=$(uname -r)"
while read -r name value _; do [ "$name" = MemTotal: ] && echo "memory=$value"; done < /proc/meminfo
for tool in mkfs.ext4 debugfs losetup flock truncate; do command -v "$tool" >/dev/null || echo "missing=$tool"; done
[ -e /dev/loop-control ] || echo "missing=/dev/loop-control"
exit 0`

/** The engine mounts our loop device, so it must run on this machine's kernel: told by kernel and memory, not by the address alone. */
const findObstacle = Effect.fnUntraced(function* (
  host: LoopVolume.Host,
  address: string,
  info: { readonly kernelVersion: string; readonly memoryBytes: number }
): Effect.fn.Return<string | undefined> {
  if (!address.startsWith("unix://")) return `the engine at ${address} is not local`
  const probe = yield* runScript(host.spawner, probeScript, [])
  const lines = probe.stdout.split("\n").map((line) => line.split("="))
  const value = (name: string) => lines.find(([key]) => key === name)?.[1]
  const missing = lines.filter(([key]) => key === "missing").map(([, tool]) => tool)
  if (probe.code !== 0) return `this host cannot be examined: ${probe.stderr.trim()}`
  if (value("uid") !== "0") return "it takes root to attach loop devices"
  if (missing.length > 0) return `missing on this host: ${missing.join(", ")}`
  const sameKernel = value("kernel") === info.kernelVersion && Number(value("memory")) * 1024 === info.memoryBytes
  return sameKernel ? undefined : "the engine runs on another kernel than this process"
})
