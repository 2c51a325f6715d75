/**
 * The world of a simulation: what is shared by processes and outlives them. A process can be killed like by SIGKILL: no finalizer,
 * timer or task of it runs again, while the world, which holds engine and disk, lives on.
 */
import type { Effect, Exit, Option } from "effect"
import { Context } from "effect"
import type { Prng } from "./internal/prng.ts"

export type { Prng } from "./internal/prng.ts"

/** A simulated process. It ends when its program ends, or when it is killed; its daemons end with it. */
export interface Process<out A = unknown, out E = unknown> {
  readonly name: string
  readonly isAlive: () => boolean
  /** SIGKILL: nothing of it runs again. Killing a dead one is nothing. */
  readonly kill: Effect.Effect<void>
  /** SIGSTOP until `thaw`; its timers come up meanwhile and are acted on late. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Its end: `None` when it was killed. */
  readonly await: Effect.Effect<Option.Option<Exit.Exit<A, E>>>
}

export class World extends Context.Service<
  World,
  {
    readonly seed: number
    /** Starts a process; it shares nothing with others but the world. */
    readonly spawn: <A, E>(name: string, program: Effect.Effect<A, E, World>) => Effect.Effect<Process<A, E>>
    /**
     * Runs an effect in the world on behalf of the calling process, as a request to a server: the answer reaches a live caller only.
     * When the caller is interrupted or dies, the effect is interrupted, as a server sees a connection end; what it has forked lives on.
     */
    readonly call: <A, E, R>(request: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** Starts an effect that belongs to the world and outlives every process. */
    readonly fork: <A, E, R>(daemon: Effect.Effect<A, E, R>) => Effect.Effect<void, never, R>
    /** Runs when the calling process ends in whatever way: locks that an operating system frees. */
    readonly atDeath: (release: () => void) => Effect.Effect<void>
    /** A sequence of its own for each name. */
    readonly random: (name: string) => Prng
    /** Virtual milliseconds since the start. */
    readonly elapsedMillis: () => number
    /** Makes a fact part of the fingerprint that two runs of one seed must agree on. */
    readonly trace: (fact: string) => void
  }
>()("@sbx/sim/World") {}
