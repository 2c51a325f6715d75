/** The simulated machine: an engine, a disk with journals, the tables that processes share, and a record of what must not happen. */
import * as MemoryStore from "@sbx/journal/MemoryStore"
import { Effect } from "effect"
import * as SimEngine from "@sbx/sim/SimEngine"
import * as SimProgram from "@sbx/sim/SimProgram"
import { type Process, type Prng, World } from "@sbx/sim/World"
import { toLabel } from "../../src/Owner.ts"
import type { LeaseRow } from "../../src/UidLease.ts"
import * as Faults from "./faults.ts"

/** An append that was answered with success: it has to be in the journal for ever. */
export interface Ack {
  readonly path: string
  readonly by: string
  readonly stream: string
  readonly first: number
  readonly types: ReadonlyArray<string>
}

/** A process of the machine, as /proc tells of it. */
export interface Identity {
  readonly name: string
  readonly bootId: string
  readonly pid: number
  readonly startTicks: string
  readonly owner: string
  /** Whether faults may kill it: the neighbour that must come to no harm is left alive. */
  readonly isMortal: boolean
  process: Process | undefined
}

export interface Machine {
  readonly world: World["Service"]
  readonly engine: SimEngine.SimEngineShape
  readonly faults: Faults.Faults
  readonly storeFaults: MemoryStore.StoreFaults
  /** Journals by path. */
  readonly stores: Map<string, MemoryStore.MemoryStore>
  /** Who opened which epoch of which journal. */
  readonly openings: Map<string, string>
  readonly identities: Array<Identity>
  readonly leases: Map<number, LeaseRow>
  /** Images of disk workspaces. */
  readonly images: Set<string>
  /** Names of volumes that a process of ours has asked for. */
  readonly volumes: Set<string>
  readonly acks: Array<Ack>
  readonly violations: Set<string>
  readonly chance: Prng
  bootId: string
  lastPid: number
}

export const image = "sim:latest"

/** Ends on SIGTERM, as the default command of a sandbox does. */
const idle = SimProgram.named("idle", (process) =>
  Effect.andThen(
    Effect.sync(() => process.onSignal("TERM", { exitCode: 0 })),
    Effect.never
  )
)

/** The one script that core runs inside: signals whatever carries a marker; 3 when it found something, 0 when not. */
const killer = SimProgram.named("sh", (process) =>
  Effect.sync(() => {
    const [marker = "", signal = ""] = process.argv.slice(4)
    const [name = "", value = ""] = marker.split("=")
    const marked = process.neighbours().filter(({ env, hostPid }) => hostPid !== process.hostPid && env[name] === value)
    for (const { hostPid } of marked) process.signal(hostPid, signal)
    return marked.length > 0 ? 3 : 0
  })
)

const bootIdOf = (prng: Prng) =>
  `${prng
    .below(2 ** 31)
    .toString(16)
    .padStart(8, "0")}-0000-4000-8000-000000000000`

export const make = Effect.gen(function* () {
  const world = yield* World
  const faults = Faults.make(world)
  const chance = world.random("machine")
  const engine = yield* SimEngine.make({
    images: [{ reference: image }],
    programs: [idle, killer],
    wireMillis: [0, 2],
    workMillis: Faults.workMillis
  })
  const machine: Machine = {
    world,
    engine,
    faults,
    storeFaults: Faults.storeFaults(faults, world.random("store")),
    stores: new Map(),
    openings: new Map(),
    identities: [],
    leases: new Map(),
    images: new Set(),
    volumes: new Set(),
    acks: [],
    violations: new Set(),
    chance,
    bootId: bootIdOf(chance),
    lastPid: 100
  }
  return machine
})

/** A new process id; sometimes one that a dead process had. */
export const identify = (machine: Machine, name: string, isMortal: boolean): Identity => {
  const { bootId, identities, chance, world } = machine
  const dead = identities.filter((one) => one.bootId === bootId && holderOf(machine, one.pid) === undefined)
  const reused = dead.length > 0 && machine.faults.strikes("pid-reuse") ? dead[chance.below(dead.length)] : undefined
  const pid = reused?.pid ?? ++machine.lastPid
  const startTicks = String(Math.floor(world.elapsedMillis()) * 100 + identities.length)
  const owner = toLabel({ bootId, pidNamespace, pid, startTicks })
  const identity: Identity = { name, bootId, pid, startTicks, owner, isMortal, process: undefined }
  identities.push(identity)
  return identity
}

export const pidNamespace = "4026531836"

/** The one that has this pid now. */
export const holderOf = ({ identities, bootId }: Machine, pid: number): Identity | undefined =>
  identities.findLast((one) => one.pid === pid && one.bootId === bootId && one.process?.isAlive() !== false)

export const isAlive = ({ identities }: Machine, owner: string): boolean =>
  identities.some((one) => one.owner === owner && one.process?.isAlive() !== false)

export const violate = ({ violations, world }: Machine, text: string): void => {
  if (violations.size < 20) violations.add(`${text} (at ${Math.round(world.elapsedMillis())} ms)`)
}

/** Other processes die with the machine, and the engine with them; disks stay. */
export const reboot = (machine: Machine): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { process } of machine.identities) if (process !== undefined) yield* process.kill
    machine.bootId = bootIdOf(machine.chance)
    yield* machine.engine.restart({ downMillis: 1000 })
  })
