/** The faults of core's simulation: kinds, how often a seed has one, and what each does to engine, disk and processes. */
import type { CommitFate, StoreFaults } from "@sbx/journal/MemoryStore"
import type { SimEngineShape } from "@sbx/sim/SimEngine"
import type { FaultKind } from "@sbx/sim/SimFault"
import * as Swarm from "@sbx/sim/Swarm"
import type { Prng, World } from "@sbx/sim/World"

const engineKinds = {
  latency: { share: 0.5, rate: 0.3 },
  slow: { share: 0.5, rate: 0.3 },
  refusal: { share: 0.4, rate: 0.08 },
  "transport-failure": { share: 0.4, rate: 0.08 },
  "lost-reply": { share: 0.5, rate: 0.15 },
  "late-effect": { share: 0.5, rate: 0.2 },
  "late-exit-code": { share: 0.3, rate: 0.3 },
  "duplicate-event": { share: 0.3, rate: 0.3 },
  "missed-event": { share: 0.3, rate: 0.3 },
  "cut-events": { share: 0.4, rate: 0.2 },
  "engine-restart": { share: 0.2, rate: 0.01 }
} satisfies Record<FaultKind, Swarm.SwarmKind>

const journalKinds = {
  "disk-full": { share: 0.2, rate: 0.04 },
  "commit-lost": { share: 0.3, rate: 0.08 },
  "commit-unanswered": { share: 0.4, rate: 0.1 },
  "slow-commit": { share: 0.4, rate: 0.3 }
}

const processKinds = {
  /** SIGKILL at the worst moment: while the engine makes a volume or a container for the process. */
  "kill-in-create": { share: 0.4, rate: 0.35 },
  "kill-in-disturbance": { share: 0.4, rate: 0.5 },
  /** Everybody dies at once, and the next thing that runs is a reap. */
  "kill-all": { share: 0.6, rate: 1 },
  /** SIGSTOP for a while, in the middle of whatever it does. */
  freeze: { share: 0.2, rate: 1 },
  /** The host loses its processes and comes up under another boot id. */
  reboot: { share: 0.08, rate: 1 },
  /** The next incarnation opens the dead one's own journal instead of a new one. */
  inherit: { share: 0.4, rate: 0.7 },
  "pid-reuse": { share: 0.3, rate: 1 },
  /** PID 1 of a sandbox ends by itself. */
  crash: { share: 0.4, rate: 0.3 }
}

export const kinds = { ...engineKinds, ...journalKinds, ...processKinds }
export type Kind = keyof typeof kinds
export type Faults = Swarm.Swarm<Kind>

export const make = (world: World["Service"]): Faults => Swarm.make(world, "core", kinds)

/**
 * The assumption that a create deadline stands for: the engine is done with all that follows from an intent this long after it. The
 * bounds below keep a volume and a container, made one after the other, within it.
 */
export const engineDeadlineMillis = 10_000
const bounds: Partial<Record<FaultKind, readonly [number, number]>> = {
  latency: [1, 400],
  slow: [100, 1_200],
  "late-effect": [500, 2_300],
  "engine-restart": [0, 3_000]
}

/** Own time of the daemon for each operation. */
export const workMillis = (operation: string): readonly [number, number] =>
  operation.startsWith("create") || operation.startsWith("remove") || operation.startsWith("start") ? [2, 300] : [0, 5]

const engineKindNames = (book: SimEngineShape["faults"]) => Object.keys(book.counts()) as ReadonlyArray<FaultKind>

/** Hands the engine its part of the swarm. */
export const strikeEngine = ({ faults }: SimEngineShape, swarm: Faults): void => {
  for (const kind of engineKindNames(faults)) {
    const millis = bounds[kind]
    if (swarm.has(kind)) faults.set(kind, { rate: swarm.rate(kind), ...(millis && { millis }) })
  }
}

/** Counts what the engine's faults did, at the end. */
export const countEngine = ({ faults }: SimEngineShape, swarm: Faults): void => {
  for (const kind of engineKindNames(faults)) swarm.count(kind, faults.counts()[kind])
}

/** What the disk does to each commit. */
export const storeFaults = (swarm: Faults, prng: Prng): StoreFaults => ({
  commit: () => {
    const millis = swarm.strikes("slow-commit") ? prng.below(400) : prng.below(3)
    return { fate: fateOf(swarm), millis }
  }
})

const fateOf = (swarm: Faults): CommitFate => {
  if (swarm.strikes("disk-full")) return "disk-full"
  if (swarm.strikes("commit-lost")) return "lost"
  return swarm.strikes("commit-unanswered") ? "unanswered" : "done"
}
