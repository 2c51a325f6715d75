/** What a stock consists of, and the small steps that both its keeper and its users take. */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import type { Sandbox } from "../SandboxHandle.ts"
import type { SandboxLimitReached } from "../Sandboxes.ts"
import type { OutcomeEvent } from "../SandboxEvent.ts"
import type { SandboxSpec } from "../SandboxSpec.ts"
import type * as Breaker from "./poolBreaker.ts"
import { internalsOf, type Nursery } from "./sandboxInternals.ts"

/** None is idle, and the pool was told not to wait. */
export class PoolExhausted extends Schema.TaggedError<PoolExhausted>()("PoolExhausted", {
  specDigest: Schema.String,
  creating: Schema.Int
}) {
  readonly retryable = true
  override get message() {
    return `Could not take a sandbox of spec ${this.specDigest} from the pool: none is idle, ${this.creating} are being made.\nTry again, raise min and max, or choose onEmpty "wait" or "cold".`
  }
}

/** Creates failed so often in a row that none is tried for a while. */
export class PoolCircuitOpen extends Schema.TaggedError<PoolCircuitOpen>()("PoolCircuitOpen", {
  specDigest: Schema.String,
  failures: Schema.Int,
  lastCause: Schema.String,
  retryAfterMillis: Schema.Finite
}) {
  readonly retryable = true
  override get message() {
    return `Could not take a sandbox of spec ${this.specDigest} from the pool: ${this.failures} creates in a row failed, the last one with: ${this.lastCause}\nRemove the cause; the next create is tried in ${Math.ceil(this.retryAfterMillis)} ms.`
  }
}

/** The pool's scope is closed. */
export class PoolClosed extends Schema.TaggedError<PoolClosed>()("PoolClosed", { specDigest: Schema.String }) {
  readonly retryable = false
  override get message() {
    return `Could not take a sandbox of spec ${this.specDigest} from the pool: it is closed.`
  }
}

export type StockError = PoolExhausted | PoolCircuitOpen | PoolClosed | SandboxLimitReached

export interface StockSettings {
  readonly digest: string
  readonly spec: SandboxSpec
  readonly min: number
  readonly max: number
  readonly ttlMillis: number
  readonly onEmpty: "wait" | "reject" | "cold"
  readonly whileOpen: "fail" | "wait"
  readonly policy: Breaker.BreakerPolicy
}

export interface Idle {
  readonly sandbox: Sandbox
  /** Its removal. */
  readonly scope: Scope.Closeable
  readonly sinceMillis: number
  /** Set by the watch when the engine says that it runs no more, or is not as it was made. */
  unfit: boolean
}

export interface Waiter {
  readonly answer: Deferred.Deferred<Idle, StockError>
  /** What it was given; it may have gone without taking it. */
  given: Idle | undefined
}

export interface Creation {
  /** Has its place, so that it cannot be called off without loss. */
  admitted: boolean
  fiber: Fiber.Fiber<void> | undefined
}

export interface StockStats {
  readonly specDigest: string
  readonly idle: number
  readonly creating: number
  readonly waiting: number
  /** How many are to be idle; between `min` and `max`. */
  readonly target: number
  readonly breaker: "closed" | "open" | "half-open"
  /** Since the pool was opened. */
  readonly total: { readonly created: number; readonly failed: number; readonly acquired: number } & {
    readonly expired: number
    readonly evicted: number
    readonly unfit: number
  }
}

export interface Stock {
  readonly nursery: Nursery
  readonly settings: StockSettings
  readonly builders: Semaphore.Semaphore
  readonly scope: Scope.Closeable
  readonly wake: Queue.Queue<void>
  /** Oldest first. */
  idle: Array<Idle>
  readonly waiters: Set<Waiter>
  readonly creations: Set<Creation>
  readonly failures: Array<Cause.Cause<never>>
  readonly total: { created: number; failed: number; acquired: number; expired: number; evicted: number; unfit: number }
  target: number
  /** Acquisitions that are being recorded. */
  handing: number
  breaker: Breaker.Breaker
  /** The engine's events are not being heard: an idle one must be looked at before it is given. */
  blind: boolean
  closed: boolean
}

export const rouse = (stock: Stock): void => void Queue.offerUnsafe(stock.wake, undefined)

export const circuitOpen = ({ settings, breaker }: Stock, now: number) =>
  new PoolCircuitOpen({
    specDigest: settings.digest,
    failures: breaker.failures,
    lastCause: breaker.lastCause,
    retryAfterMillis: Math.max(0, (breaker.openUntil ?? now) - now)
  })

export const record = (sandbox: Sandbox, outcome: OutcomeEvent) =>
  internalsOf(sandbox)?.context.recorder.report(outcome) ?? Effect.void

/** To the one who waits longest, else on the shelf. */
export const put = (stock: Stock, item: Idle): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (stock.closed) return dispose(stock, item)
    const [waiter] = stock.waiters
    if (waiter === undefined) {
      stock.idle.push(item)
      return stock.nursery.admission.stocked
    }
    stock.waiters.delete(waiter)
    waiter.given = item
    return Effect.asVoid(Deferred.succeed(waiter.answer, item))
  })

/** A failed removal is told when the pool closes: nobody else is there to hear it. */
export const dispose = (stock: Stock, item: Idle): Effect.Effect<void> =>
  Scope.close(item.scope, Exit.void).pipe(
    Effect.catchCause((cause) => Effect.sync(() => void stock.failures.push(cause))),
    Effect.uninterruptible
  )
