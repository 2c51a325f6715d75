/**
 * Runs an ordinary Effect program in a world of its own: time, randomness and the order of tasks come from a seed, so the same seed
 * gives the same run. Refuses what is not simulated: a program that waits for real I/O or a real timer is a {@link Deadlock}.
 */
import { Effect, Exit, Schema } from "effect"
import { Kernel } from "./internal/kernel.ts"
import { makeWorld } from "./internal/makeWorld.ts"
import type { Log } from "./internal/runtime.ts"
import type { World } from "./World.ts"

const where = { seed: Schema.Finite, steps: Schema.Int, elapsedMillis: Schema.Finite }

/** Nothing is ready, no timer is set, and the program has not ended. */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", where) {
  override get message() {
    return `Could not go on with seed ${this.seed}: after ${this.steps} steps, at ${this.elapsedMillis} ms, nothing is ready and no timer is set.\nThe program waits for itself, or for something that is not simulated (a promise, a real timer, real I/O).`
  }
}

/** The program took more steps than allowed: it loops, or the limit is too low. */
export class StepLimit extends Schema.TaggedError<StepLimit>()("StepLimit", where) {
  override get message() {
    return `Could not end seed ${this.seed} within ${this.steps} steps: it is at ${this.elapsedMillis} ms of virtual time.\nLook for a loop without progress, or allow more steps.`
  }
}

/** The second run of a seed went another way: something outside of the seed decides. */
export class NotDeterministic extends Schema.TaggedError<NotDeterministic>()("NotDeterministic", {
  seed: Schema.Finite,
  first: Schema.String,
  second: Schema.String
}) {
  override get message() {
    return `Could not repeat seed ${this.seed}: its trace was ${this.first}, then ${this.second}.\nTake time, randomness and order from Clock, Random and the scheduler only, and keep no state between runs.`
  }
}

export interface Options<A, E> {
  /** A whole number from 0 to 2^53 - 1. */
  readonly seed: number
  /** Runs in the world itself: it starts processes, kills them, and judges. */
  readonly program: Effect.Effect<A, E, World>
  /** Default 1,000,000. */
  readonly maxSteps?: number | undefined
  /** Receives the log lines of all processes, with virtual time; nothing is logged without it. */
  readonly log?: Log | undefined
}

export interface Outcome<out A, out E> {
  readonly seed: number
  readonly exit: Exit.Exit<A, E>
  readonly steps: number
  readonly elapsedMillis: number
  /** Fingerprint of every step and its time. */
  readonly traceHash: string
}

const defaultMaxSteps = 1_000_000

/** Runs to the end of the program, at once: no real time passes but the computation's. */
export const run = <A, E>(options: Options<A, E>): Effect.Effect<Outcome<A, E>, Deadlock | StepLimit> =>
  Effect.suspend((): Effect.Effect<Outcome<A, E>, Deadlock | StepLimit> => {
    const { seed, program, maxSteps = defaultMaxSteps } = options
    const kernel = new Kernel(seed)
    const { context } = makeWorld(kernel, options.log)
    const end: { exit?: Exit.Exit<A, E> } = {}
    kernel.post(kernel.world, () => {
      Effect.runForkWith(context)(program).addObserver((exit) => {
        end.exit = exit
      })
    })
    const facts = () => ({ seed, steps: kernel.steps, elapsedMillis: kernel.nowMillis })
    while (end.exit === undefined) {
      if (kernel.steps >= maxSteps) return Effect.fail(new StepLimit(facts()))
      if (!kernel.step()) return Effect.fail(new Deadlock(facts()))
    }
    return Effect.succeed({ ...facts(), exit: end.exit, traceHash: kernel.trace.hex })
  })

/** Runs twice and compares the traces. The answer is the first run's. */
export const runTwice = <A, E>(
  options: Options<A, E>
): Effect.Effect<Outcome<A, E>, Deadlock | StepLimit | NotDeterministic> =>
  Effect.gen(function* () {
    const { seed } = options
    const first = yield* run(options)
    const { traceHash: second } = yield* run(options)
    if (first.traceHash !== second) return yield* new NotDeterministic({ seed, first: first.traceHash, second })
    return first
  })
