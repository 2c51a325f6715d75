/**
 * The state of the simulated daemon. It outlives its clients: its fibers run on the context that the world was made in, and nothing
 * a client does to its own fibers reaches them.
 */
import type { ContainerSpec, HostSettings } from "@sbx/engine/ContainerSpec"
import type { EngineEndpoint, EngineEvent, EngineInfo, ExecSpec, LabelFilter, OutputFrame } from "@sbx/engine/Engine"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import type { SimBody, SimProgram } from "../../SimProgram.ts"
import * as SimFaults from "./faults.ts"
import { Connection, Feed } from "./feed.ts"
import type { Tree } from "./fileTree.ts"

export type Millis = readonly [shortest: number, longest: number]

export interface Settings {
  readonly programs: ReadonlyArray<SimProgram>
  readonly endpoint: EngineEndpoint
  readonly info: Partial<EngineInfo>
  /** One way on the wire. */
  readonly wireMillis: Millis
  /** The daemon's own work, by operation. */
  readonly workMillis: (operation: string) => Millis
  readonly restartExitCode: number
}

export interface Image {
  readonly id: string
  readonly references: Set<string>
  readonly labels: Readonly<Record<string, string>>
  readonly entrypoint: ReadonlyArray<string>
  readonly command: ReadonlyArray<string>
  readonly env: ReadonlyArray<string>
  readonly workingDir: string
  readonly user: string
  readonly tree: Tree
  readonly sizeBytes: number
}

export interface Network {
  readonly id: string
  readonly name: string
  readonly internal: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly driver: string
  readonly builtIn: boolean
  readonly subnet: number
  nextHost: number
}

export interface Volume {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly anonymous: boolean
  readonly tree: Tree
}

export type Reaction = "ignore" | { readonly exitCode: number }

export interface Process {
  readonly hostPid: number
  readonly parentPid: number
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly reactions: Map<string, Reaction>
  /** PID 1 of its namespace: signals without a reaction do nothing. */
  readonly first: boolean
  /** Signals that came while it was frozen. */
  readonly held: Array<string>
  readonly stdin: Feed<Uint8Array>
  readonly onEnd: (exitCode: number) => void
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  exitCode: number | undefined
}

export interface Attached {
  aliases: ReadonlyArray<string>
  networkId: string
  ipAddress: string
}

export interface LoggedFrame extends OutputFrame {
  readonly atMillis: number
}

export interface Container {
  readonly id: string
  readonly spec: ContainerSpec
  readonly image: Image
  readonly createdAtMillis: number
  /** Root file system; volumes and tmpfs lie over it. */
  readonly tree: Tree
  readonly anonymousVolumes: ReadonlyArray<string>
  /** Held by every change and by an archive being read: inspect waits for it, list does not. */
  readonly lock: Semaphore.Semaphore
  readonly logs: Feed<LoggedFrame>
  readonly networks: Map<string, Attached>
  readonly execIds: Set<string>
  readonly processes: Map<number, Process>
  /** Woken whenever the state changes. */
  readonly changed: Feed<void>
  host: HostSettings
  status: "created" | "running" | "exited" | "dead"
  paused: boolean
  removing: boolean
  restarting: boolean
  main: Process | undefined
  exitCode: number
  oomKilled: boolean
  error: string
  startedNanos: bigint | undefined
  finishedNanos: bigint | undefined
  restartCount: number
  stoppedByUser: boolean
  tmpfs: Map<string, Tree>
  readonly user: { readonly uid: number; readonly gid: number }
  /** What it ran last, to run again. */
  body: SimBody | undefined
}

export interface Exec {
  readonly id: string
  readonly containerId: string
  readonly spec: ExecSpec
  readonly output: Feed<OutputFrame>
  running: boolean
  hostPid: number | undefined
  exitCode: number | undefined
  finishedNanos: bigint | undefined
}

/** Which events a subscriber wants. */
export interface EventFilter {
  readonly labels: LabelFilter
  readonly actions: ReadonlyArray<string> | undefined
}

export interface Subscriber {
  readonly filter: EventFilter
  readonly feed: Feed<EngineEvent>
  readonly connection: Connection
}

/** A client's end of the socket. */
export interface Client {
  readonly name: string
  readonly timeoutMillis: number
  readonly connections: Set<Connection>
  connected: boolean
}

export interface InFlight {
  readonly operation: string
  readonly abort: () => void
}

/** The daemon's side of a call. */
export interface Job {
  readonly operation: string
  /** Takes the time that this work takes. A handler places it where others may see the work half done. */
  readonly work: Effect.Effect<void>
}

export interface World {
  readonly settings: Settings
  readonly clock: Clock.Clock
  readonly draw: SimFaults.Draw
  readonly faults: SimFaults.Faults
  /** Starts a fiber of the daemon. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly containers: Map<string, Container>
  /** Reserved before the container is visible, released after it is gone. */
  readonly names: Map<string, string>
  readonly execs: Map<string, Exec>
  readonly images: Map<string, Image>
  readonly networks: Map<string, Network>
  readonly volumes: Map<string, Volume>
  /** What bind mounts show, by path on the host. */
  readonly hostFolders: Map<string, Tree>
  readonly events: Array<EngineEvent>
  readonly subscribers: Set<Subscriber>
  readonly inFlight: Set<InFlight>
  readonly connections: Set<Connection>
  readonly defects: Array<unknown>
  down: boolean
  starts: number
  made: number
  lastPid: number
  lastNanos: bigint
}

export const make = Effect.fnUntraced(function* (settings: Settings) {
  const context = yield* Effect.context()
  const clock = yield* Clock.Clock
  const draw = yield* Random.Random
  const world: World = {
    settings,
    clock,
    draw,
    faults: SimFaults.make(draw),
    fork: Effect.runForkWith(context),
    containers: new Map(),
    names: new Map(),
    execs: new Map(),
    images: new Map(),
    networks: new Map(),
    volumes: new Map(),
    hostFolders: new Map(),
    events: [],
    subscribers: new Set(),
    inFlight: new Set(),
    connections: new Set(),
    defects: [],
    down: false,
    starts: 1,
    made: 0,
    lastPid: 1_000,
    lastNanos: 0n
  }
  return world
})

/** FNV-1a with the engine's usual look: 64 hexadecimal digits, the same for the same count. */
export const makeId = (world: World, kind: string) => {
  world.made += 1
  let id = ""
  for (let part = 0; part < 8; part++) {
    let hash = 0x811c9dc5
    for (const char of `${kind}:${part}:${world.made}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0
    id += (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0).toString(16).padStart(8, "0")
  }
  return id
}

/** The engine's clock: never the same nanosecond twice, so that events have an order. */
export const tick = (world: World): bigint => {
  const now = world.clock.currentTimeNanosUnsafe()
  world.lastNanos = now > world.lastNanos ? now : world.lastNanos + 1n
  return world.lastNanos
}

export const toMillis = (nanos: bigint) => Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6
export const nowMillis = (world: World) => world.clock.currentTimeMillisUnsafe()

export const pause = (millis: number) => (millis > 0 ? Effect.sleep(millis) : Effect.void)

export const connectionLost = (world: World, operation: string, detail: string) =>
  new EngineUnavailable({ operation, endpoint: world.settings.endpoint.address, reason: "connection-lost", detail })

/**
 * Made by the client before it asks, so that an answer that nobody takes finds it dropped and frees what it held.
 */
export const openConnection = (world: World, client: Client) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const connection = new Connection()
      world.connections.add(connection)
      client.connections.add(connection)
      connection.hold(() => {
        world.connections.delete(connection)
        client.connections.delete(connection)
      })
      return connection
    }),
    (connection) => Effect.sync(() => connection.drop())
  )

/** As engines match: every label, an empty value matches any. */
export const matches = (labels: Readonly<Record<string, string>>, filter: LabelFilter) =>
  Object.entries(filter).every(([key, value]) => key in labels && (value === "" || labels[key] === value))
