/**
 * Fails fast while something that calls depend on is known to be dead, and finds out by probes of its own when it is back: no
 * caller's call is risked for that. Refuses to count what is no sign of death: that is the caller's to say (`isFailure`).
 *
 * | state     | event                                   | next                                                             |
 * | --------- | --------------------------------------- | ---------------------------------------------------------------- |
 * | closed    | success                                 | closed, failures 0                                               |
 * | closed    | failure below the threshold             | closed, failures + 1                                             |
 * | closed    | failure at the threshold                | open                                                             |
 * | open      | call before the time is over            | open, the call fails with `CircuitOpen`                          |
 * | open      | call after it, or an urgent one anytime | half-open: one probe, the call waits for it                      |
 * | half-open | call                                    | `CircuitOpen`; an urgent one waits for the probe that is running |
 * | half-open | the probe succeeds                      | closed, the waiting calls go on                                  |
 * | half-open | the probe fails                         | open again, the waiting calls fail with `CircuitOpen`            |
 * | half-open | the probe's caller is interrupted       | open, the next caller or a waiting one probes                    |
 * | open      | success of a call admitted earlier      | closed: it lives                                                 |
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

/** The call was not sent: the calls before it failed in a row. Retryable after `retryAfterMillis`, which is 0 during a probe. */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", {
  operation: Schema.String,
  circuit: Schema.String,
  /** Until the next probe, milliseconds. */
  retryAfterMillis: Schema.Finite,
  /** In a row, before it opened. */
  failures: Schema.Int,
  lastCause: Schema.String
}) {
  readonly retryable = true
  override get message() {
    return `Could not ${this.operation}: ${this.circuit} failed ${this.failures} times in a row, last so: ${this.lastCause}.\nIt is tried again in ${this.retryAfterMillis} ms; look whether it is running.`
  }
}

export interface CircuitBreakerOptions<E> {
  /** What it protects the way to, for messages. */
  readonly name: string
  /** Failures in a row that open it; from 1. */
  readonly threshold: number
  /** From opening to the first probe, and between probes. */
  readonly openFor: Duration.Input
  /** Asks whether it lives. Has to end in bounded time. */
  readonly probe: Effect.Effect<void, E>
}

export type CircuitState = "closed" | "open" | "half-open"

/** Since the breaker was made, except `failures`: those in a row now. */
export interface CircuitCounts {
  readonly failures: number
  readonly opened: number
  readonly rejected: number
  readonly probes: number
}

export interface Passage<E> {
  /** Verb and object, for the message of `CircuitOpen`. */
  readonly operation: string
  /** Whether an error says that the other side may be dead. Any other outcome says that it lives. */
  readonly isFailure: (error: E) => boolean
  /** For what must not wait out an open breaker, such as cleaning up: it causes a probe at once, or waits for the one running. */
  readonly urgent: boolean
}

export interface CircuitBreaker {
  /** Runs the call when the breaker lets it. An interrupted call says nothing about the other side. */
  readonly protect: <A, E, R>(call: Effect.Effect<A, E, R>, passage: Passage<E>) => Effect.Effect<A, E | CircuitOpen, R>
  /** Fails where an ordinary call would fail now, without a probe: before waiting for anything else. */
  readonly refuse: (operation: string) => Effect.Effect<void, CircuitOpen>
  readonly state: Effect.Effect<CircuitState>
  readonly counts: Effect.Effect<CircuitCounts>
}

type State =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly untilMillis: number; readonly failures: number; readonly cause: string }
  | {
      readonly kind: "half-open"
      readonly failures: number
      readonly cause: string
      /** False when the probe was abandoned. */
      readonly settled: Deferred.Deferred<boolean>
    }

const reasonOf = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]?.replace(/\.$/, "") ?? ""

class Breaker<P> implements CircuitBreaker {
  private current: State = { kind: "closed", failures: 0 }
  private opened = 0
  private rejected = 0
  private probes = 0
  private readonly options: CircuitBreakerOptions<P>
  private readonly openMillis: number

  constructor(options: CircuitBreakerOptions<P>) {
    this.options = options
    this.openMillis = Duration.toMillis(options.openFor)
  }

  readonly state = Effect.sync(() => this.current.kind)

  readonly counts = Effect.sync(() => ({
    failures: this.current.failures,
    opened: this.opened,
    rejected: this.rejected,
    probes: this.probes
  }))

  readonly protect = <A, E, R>(call: Effect.Effect<A, E, R>, passage: Passage<E>) => {
    const counted = Effect.onExit(call, (exit) => this.record(exit, passage.isFailure))
    return Effect.suspend(() =>
      this.current.kind === "closed" ? counted : Effect.andThen(this.admit(passage.operation, passage.urgent), counted)
    )
  }

  readonly refuse = (operation: string): Effect.Effect<void, CircuitOpen> =>
    Effect.suspend(() => {
      if (this.current.kind === "closed") return Effect.void
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        this.current.kind === "half-open" || (this.current.kind === "open" && now < this.current.untilMillis)
          ? this.reject(operation, now)
          : Effect.void
      )
    })

  private record<A, E>(exit: Exit.Exit<A, E>, isFailure: (error: E) => boolean): Effect.Effect<void> {
    if (Exit.hasInterrupts(exit)) return Effect.void
    const error = Exit.findErrorOption(exit)
    if (error._tag === "None" || !isFailure(error.value)) {
      // Also from open: a call that was admitted earlier came back.
      if (this.current.kind !== "half-open") this.current = { kind: "closed", failures: 0 }
      return Effect.void
    }
    if (this.current.kind !== "closed") return Effect.void
    const failures = this.current.failures + 1
    if (failures < this.options.threshold) {
      this.current = { kind: "closed", failures }
      return Effect.void
    }
    return this.open(failures, reasonOf(error.value))
  }

  private open(failures: number, cause: string): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      this.opened++
      this.current = { kind: "open", untilMillis: now + this.openMillis, failures, cause }
    })
  }

  private reject(operation: string, now: number): Effect.Effect<never, CircuitOpen> {
    const { current } = this
    if (current.kind === "closed") return Effect.die(new Error("a closed circuit rejects nothing"))
    this.rejected++
    return Effect.fail(
      new CircuitOpen({
        operation,
        circuit: this.options.name,
        retryAfterMillis: current.kind === "open" ? Math.max(0, Math.ceil(current.untilMillis - now)) : 0,
        failures: current.failures,
        lastCause: current.cause
      })
    )
  }

  /** Succeeds once the circuit is closed; an abandoned probe is taken over by who waits for it. */
  private admit(operation: string, urgent: boolean): Effect.Effect<void, CircuitOpen> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const { current } = this
      if (current.kind === "closed") return Effect.void
      if (current.kind === "half-open") {
        if (!urgent) return this.reject(operation, now)
        return Effect.flatMap(Deferred.await(current.settled), (settled) =>
          settled ? this.afterProbe(operation) : this.admit(operation, urgent)
        )
      }
      if (!urgent && now < current.untilMillis) return this.reject(operation, now)
      return Effect.andThen(
        this.halfOpen(current.failures, current.cause),
        Effect.suspend(() => this.afterProbe(operation))
      )
    })
  }

  private afterProbe(operation: string): Effect.Effect<void, CircuitOpen> {
    return this.current.kind === "closed"
      ? Effect.void
      : Effect.flatMap(Clock.currentTimeMillis, (now) => this.reject(operation, now))
  }

  private halfOpen(failures: number, cause: string): Effect.Effect<void> {
    const settled = Deferred.makeUnsafe<boolean>()
    this.current = { kind: "half-open", failures, cause, settled }
    this.probes++
    return this.options.probe.pipe(
      Effect.onExit((exit) =>
        Effect.andThen(this.settle(exit, failures, cause), Deferred.succeed(settled, !Exit.hasInterrupts(exit)))
      ),
      Effect.ignore
    )
  }

  /** A probe whose caller was interrupted settles nothing: the next caller probes again. */
  private settle(exit: Exit.Exit<void, P>, failures: number, cause: string): Effect.Effect<void> {
    if (Exit.isSuccess(exit)) {
      this.current = { kind: "closed", failures: 0 }
      return Effect.void
    }
    if (Exit.hasInterrupts(exit)) {
      this.current = { kind: "open", untilMillis: 0, failures, cause }
      return Effect.void
    }
    const error = Exit.findErrorOption(exit)
    return this.open(failures, error._tag === "Some" ? reasonOf(error.value) : cause)
  }
}

/** Closed. */
export const make = <E>(options: CircuitBreakerOptions<E>): CircuitBreaker => new Breaker(options)
