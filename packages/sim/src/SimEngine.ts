/**
 * A container engine in memory with the semantics of Docker: the `Engine` contract over a daemon whose time and chance are Effect's
 * Clock and Random, so that a seed decides everything. The daemon outlives its clients. It executes nothing and isolates nothing:
 * programs are `SimProgram`s, resource figures are made up, permissions of files and health checks are not simulated.
 */
import { Engine, type EngineEndpoint, type EngineInfo, type EngineShape } from "@sbx/engine/Engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { FaultBook } from "./SimFault.ts"
import { basic, type SimProgram } from "./SimProgram.ts"
import { engineOf } from "./internal/engine/client.ts"
import { emptyTree, ensureFolders, node, normal, parentOf } from "./internal/engine/fileTree.ts"
import * as Images from "./internal/engine/images.ts"
import { summary } from "./internal/engine/inspects.ts"
import { strike } from "./internal/engine/lifecycle.ts"
import { findContainer } from "./internal/engine/lookup.ts"
import * as Networks from "./internal/engine/networks.ts"
import { restart } from "./internal/engine/restart.ts"
import { inWorld } from "./internal/engine/wire.ts"
import * as Volumes from "./internal/engine/volumes.ts"
import type { Client, Image, World } from "./internal/engine/world.ts"
import { make as makeWorld } from "./internal/engine/world.ts"
import type { ContainerSummary, NetworkSummary, VolumeSummary } from "@sbx/engine/Engine"

export interface SimImage {
  readonly reference: string
  readonly labels?: Readonly<Record<string, string>>
  readonly entrypoint?: ReadonlyArray<string>
  readonly command?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly workingDir?: string
  /** Absolute path to text; `null` for a folder. `/bin` and `/tmp` are always there. */
  readonly files?: Readonly<Record<string, string | null>>
}

export interface SimEngineOptions {
  /** What command lines run, the first that answers; `SimProgram.basic` comes last. */
  readonly programs?: ReadonlyArray<SimProgram>
  readonly images?: ReadonlyArray<SimImage>
  readonly endpoint?: EngineEndpoint
  readonly info?: Partial<EngineInfo>
  /** Shortest and longest time on the wire, one way, milliseconds. Default: none. */
  readonly wireMillis?: readonly [shortest: number, longest: number]
  /** The daemon's own time for an operation (`create container`). Default: none. */
  readonly workMillis?: (operation: string) => readonly [shortest: number, longest: number]
  /** Exit code of what ran when the engine died. Default 255, as moby without live-restore. */
  readonly restartExitCode?: number
}

/** What the daemon has, asked past the wire: no latency, no fault, no client. For invariants, not for programs under test. */
export interface SimWorldView {
  readonly containers: ReadonlyArray<ContainerSummary>
  /** Names taken by creates that are still under way. */
  readonly pendingNames: ReadonlyArray<string>
  readonly networks: ReadonlyArray<NetworkSummary>
  readonly volumes: ReadonlyArray<VolumeSummary>
  /** Operations that the daemon is working on, whether anybody waits for them or not. */
  readonly inFlight: ReadonlyArray<string>
  readonly openConnections: number
  readonly down: boolean
  /** How often the engine was started: 1 at first. */
  readonly starts: number
  /** Defects of simulated programs; none in a sound simulation. */
  readonly defects: ReadonlyArray<unknown>
}

export interface SimClientOptions {
  readonly name?: string
  /** How long a call waits for its answer, milliseconds, as the Docker adapter's. Default 60,000. */
  readonly timeoutMillis?: number
}

/** One process's connection to the engine. */
export interface SimClient {
  readonly engine: EngineShape
  /** What the kernel does for a process that was killed: its sockets close, its streams end. Its calls go on in the daemon. */
  readonly disconnect: () => void
}

export interface SimEngineShape {
  /** The engine as its first client sees it. */
  readonly engine: EngineShape
  readonly connect: (options?: SimClientOptions) => SimClient
  readonly faults: FaultBook
  readonly view: () => SimWorldView
  /** The engine dies and is back after a time. Resolves when it answers. */
  readonly restart: (options?: { readonly downMillis?: number }) => Effect.Effect<void>
  /** Ends every stream of events now. */
  readonly cutEvents: () => void
  /** PID 1 ends by itself with a code; `oom` marks it as the kernel's doing. False when it does not run. */
  readonly crash: (id: string, exitCode: number, options?: { readonly oom?: boolean }) => boolean
}

export class SimEngine extends Context.Service<SimEngine, SimEngineShape>()("@sbx/sim/SimEngine") {}

const simulated: EngineEndpoint = { kind: "explicit", address: "sim://engine" }

const addImage = (world: World, image: SimImage) => {
  const tree = emptyTree()
  for (const [path, text] of Object.entries({ "/bin": null, "/tmp": null, ...image.files })) {
    const key = normal(path)
    ensureFolders(tree, parentOf(key))
    tree.set(key, text === null ? node("directory") : node("file", { bytes: new TextEncoder().encode(text) }))
  }
  const given: Partial<Omit<Image, "id" | "references">> = {
    tree,
    labels: image.labels ?? {},
    entrypoint: image.entrypoint ?? [],
    command: image.command ?? [],
    user: image.user ?? "",
    workingDir: image.workingDir ?? "/",
    ...(image.env && { env: Object.entries(image.env).map(([key, value]) => `${key}=${value}`) })
  }
  Images.add(world, image.reference, given)
}

const viewOf = (world: World): SimWorldView => ({
  containers: [...world.containers.values()].map(summary),
  pendingNames: [...world.names].filter(([, id]) => !world.containers.has(id)).map(([name]) => name),
  networks: [...world.networks.values()].filter(({ builtIn }) => !builtIn).map(Networks.summary),
  volumes: [...world.volumes.values()].map(Volumes.summary),
  inFlight: [...world.inFlight].map(({ operation }) => operation),
  openConnections: world.connections.size,
  down: world.down,
  starts: world.starts,
  defects: [...world.defects]
})

const connectTo =
  (world: World) =>
  (options: SimClientOptions = {}): SimClient => {
    const client: Client = {
      name: options.name ?? "client",
      timeoutMillis: options.timeoutMillis ?? 60_000,
      connections: new Set(),
      connected: true
    }
    return {
      engine: engineOf(world, client),
      disconnect: () => {
        client.connected = false
        for (const connection of client.connections) connection.sever()
      }
    }
  }

/** A world of its own. It lives on the clock, randomness and scheduler of the fiber that makes it, and stays when that fiber ends. */
export const make = Effect.fnUntraced(function* (options: SimEngineOptions = {}) {
  const world = yield* makeWorld({
    programs: [...(options.programs ?? []), ...basic],
    endpoint: options.endpoint ?? simulated,
    info: options.info ?? {},
    wireMillis: options.wireMillis ?? [0, 0],
    workMillis: options.workMillis ?? (() => [0, 0]),
    restartExitCode: options.restartExitCode ?? 255
  })
  Networks.addBuiltIn(world)
  for (const image of options.images ?? []) addImage(world, image)
  const connect = connectTo(world)
  const shape: SimEngineShape = {
    engine: connect({ name: "first" }).engine,
    connect,
    faults: world.faults,
    view: () => viewOf(world),
    restart: ({ downMillis = 0 } = {}) => inWorld(world, restart(world, downMillis)),
    cutEvents: () => {
      for (const { connection } of world.subscribers) connection.sever()
    },
    crash: (id, exitCode, { oom = false } = {}) => {
      const found = findContainer(world, id)
      return found !== undefined && strike(world, found, exitCode, oom)
    }
  }
  return shape
})

/** The simulated engine, and the `Engine` that its first client sees. */
export const layerWith = (options: SimEngineOptions = {}): Layer.Layer<SimEngine | Engine> =>
  Layer.unwrap(
    Effect.map(make(options), (sim) => Layer.merge(Layer.succeed(SimEngine, sim), Layer.succeed(Engine, sim.engine)))
  )

/** With the default options and one image, `sim:latest`, whose command sleeps. */
export const layer: Layer.Layer<SimEngine | Engine> = layerWith({
  images: [{ reference: "sim:latest", command: ["sleep", "infinity"] }]
})
