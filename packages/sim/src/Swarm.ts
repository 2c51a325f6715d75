/**
 * Which faults one seed has, and when they strike: each seed has a random subset of the declared kinds, since a fault that always
 * happens hides those that need quiet. Counts what struck, so that a kind that never does cannot pass for covered.
 */
import type { World } from "./World.ts"

export interface SwarmKind {
  /** Probability that a seed has this kind, 0 to 1. */
  readonly share: number
  /** Highest probability of a strike for each opportunity, 0 to 1; each seed draws its own below it. */
  readonly rate: number
}

export interface Swarm<in out K extends string> {
  /** Whether this seed has the kind. */
  readonly has: (kind: K) => boolean
  /** Probability of a strike in this seed; 0 where it lacks the kind, and after `calm`. */
  readonly rate: (kind: K) => number
  /** Draws for one opportunity, and counts a strike. */
  readonly strikes: (kind: K) => boolean
  /** A strike, or a branch, that something else decided on. */
  readonly count: (name: string, times?: number) => void
  /** No strike from here on: the healthy phase, in which everything must converge. */
  readonly calm: () => void
  readonly isCalm: () => boolean
  /** How often each kind has struck and each counted branch was reached; 0 for kinds that did not. */
  readonly counts: () => Readonly<Record<string, number>>
}

/** The subset and the strikes are drawn from the world's sequence `name`. */
export const make = <K extends string>(
  world: World["Service"],
  name: string,
  kinds: Readonly<Record<K, SwarmKind>>
): Swarm<K> => {
  const prng = world.random(`swarm ${name}`)
  const rates = new Map<string, number>()
  const counts = new Map<string, number>()
  for (const [kind, { share, rate }] of Object.entries<SwarmKind>(kinds)) {
    const drawn = prng.next() < share ? rate * (0.1 + 0.9 * prng.next()) : 0
    rates.set(kind, drawn)
    counts.set(kind, 0)
  }
  let isCalm = false
  const rateOf = (kind: string) => (isCalm ? 0 : (rates.get(kind) ?? 0))
  const count = (reached: string, times = 1) => void counts.set(reached, (counts.get(reached) ?? 0) + times)
  return {
    has: (kind) => (rates.get(kind) ?? 0) > 0,
    rate: rateOf,
    strikes: (kind) => {
      const rate = rateOf(kind)
      if (rate === 0 || prng.next() >= rate) return false
      count(kind)
      return true
    },
    count,
    calm: () => {
      isCalm = true
    },
    isCalm: () => isCalm,
    counts: () => Object.fromEntries(counts)
  }
}
