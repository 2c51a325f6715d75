/**
 * The stock of one spec: what is idle, what is being made, who waits. One keeper fiber compares what is there with what should be;
 * everything else only changes the state and wakes it. Taking touches memory and appends one event.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import type { Sandbox } from "../SandboxHandle.ts"
import type { MakeError } from "../Sandboxes.ts"
import * as ConcurrentClose from "./concurrentClose.ts"
import * as Breaker from "./poolBreaker.ts"
import { keep } from "./poolKeeper.ts"
import {
  circuitOpen,
  dispose,
  type Idle,
  PoolClosed,
  PoolExhausted,
  put,
  record,
  rouse,
  type Stock,
  type StockError,
  type StockSettings,
  type StockStats,
  type Waiter
} from "./poolState.ts"
import type { Nursery } from "./sandboxInternals.ts"

/** `builders` is shared by all stocks of a pool. Drained when the scope closes; a failed removal is a failure of that scope. */
export const make = Effect.fnUntraced(function* (
  nursery: Nursery,
  settings: StockSettings,
  builders: Semaphore.Semaphore
): Effect.fn.Return<Stock, never, Scope.Scope> {
  const stock: Stock = {
    nursery,
    settings,
    builders,
    scope: yield* Scope.make(),
    wake: yield* Queue.sliding<void>(1),
    idle: [],
    waiters: new Set(),
    creations: new Set(),
    failures: [],
    total: { created: 0, failed: 0, acquired: 0, expired: 0, evicted: 0, unfit: 0 },
    target: settings.min,
    handing: 0,
    breaker: Breaker.closed,
    blind: true,
    closed: false
  }
  yield* Effect.addFinalizer(() => drain(stock))
  yield* nursery.admission.addStock(() => evict(stock))
  yield* nursery.admission.onFree(() => rouse(stock))
  yield* Effect.forkScoped(keep(stock))
  return stock
})

export const statsOf = (stock: Stock): Effect.Effect<StockStats> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    specDigest: stock.settings.digest,
    idle: stock.idle.length,
    creating: stock.creations.size,
    waiting: stock.waiters.size,
    target: stock.target,
    breaker: Breaker.statusAt(stock.breaker, now),
    total: { ...stock.total }
  }))

export const acquire = (stock: Stock): Effect.Effect<Sandbox, MakeError | StockError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const ready = yield* takeFit(stock)
      if (ready !== undefined) return yield* handOver(stock, ready)
      yield* refuse(stock)
      stock.target = Math.min(stock.settings.max, stock.target + 1)
      rouse(stock)
      if (stock.settings.onEmpty === "cold") {
        return yield* restore(
          stock.nursery.make(stock.settings.spec, stock.nursery.admission.request(stock.nursery.atLimit))
        )
      }
      const waiter: Waiter = { answer: yield* Deferred.make<Idle, StockError>(), given: undefined }
      stock.waiters.add(waiter)
      const given = yield* restore(Deferred.await(waiter.answer)).pipe(Effect.onInterrupt(() => leave(stock, waiter)))
      return yield* handOver(stock, given)
    })
  )

/** What makes waiting futile. */
const refuse = Effect.fnUntraced(function* (stock: Stock) {
  const { digest: specDigest, onEmpty, whileOpen } = stock.settings
  if (stock.closed) return yield* new PoolClosed({ specDigest })
  const now = yield* Clock.currentTimeMillis
  if (whileOpen === "fail" && Breaker.statusAt(stock.breaker, now) === "open") return yield* circuitOpen(stock, now)
  if (onEmpty === "reject") {
    stock.target = Math.min(stock.settings.max, stock.target + 1)
    rouse(stock)
    return yield* new PoolExhausted({ specDigest, creating: stock.creations.size })
  }
})

/** The oldest that is known to run. */
const takeFit = Effect.fnUntraced(function* (stock: Stock) {
  for (;;) {
    const item = stock.closed ? undefined : stock.idle.shift()
    if (item === undefined) return undefined
    if (!item.unfit && (!stock.blind || (yield* runs(stock, item)))) return item
    stock.total.unfit += 1
    yield* Effect.forkIn(dispose(stock, item), stock.scope, { startImmediately: true })
    rouse(stock)
  }
})

const runs = ({ nursery }: Stock, { sandbox }: Idle) =>
  nursery.engine.inspectContainer(sandbox.containerId).pipe(
    Effect.map(({ state }) => state.status === "running" && state.startedAtMillis === sandbox.startedAtMillis),
    Effect.orElseSucceed(() => false)
  )

const handOver = Effect.fnUntraced(function* (stock: Stock, item: Idle) {
  yield* ConcurrentClose.add(yield* Effect.scope, (exit) => Scope.close(item.scope, exit))
  stock.total.acquired += 1
  stock.handing += 1
  const atMillis = yield* Clock.currentTimeMillis
  yield* record(item.sandbox, { _tag: "Acquired", atMillis, idleMillis: atMillis - item.sinceMillis }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        stock.handing -= 1
        rouse(stock)
      })
    )
  )
  return item.sandbox
})

/** What it was given in the same moment goes to the next. */
const leave = (stock: Stock, waiter: Waiter) =>
  Effect.suspend(() => {
    stock.waiters.delete(waiter)
    rouse(stock)
    return waiter.given === undefined ? Effect.void : put(stock, waiter.given)
  })

const evict = (stock: Stock): Effect.Effect<void> | undefined => {
  const item = stock.idle.shift()
  if (item === undefined) return undefined
  stock.total.evicted += 1
  return dispose(stock, item)
}

const drain = Effect.fnUntraced(function* (stock: Stock) {
  stock.closed = true
  for (const { answer } of stock.waiters) {
    Deferred.doneUnsafe(answer, new PoolClosed({ specDigest: stock.settings.digest }))
  }
  stock.waiters.clear()
  const fibers = [...stock.creations].flatMap(({ fiber }) => fiber ?? [])
  yield* Fiber.interruptAll(fibers)
  const left = stock.idle.splice(0)
  yield* Effect.forEach(left, (item) => dispose(stock, item), { concurrency: 16, discard: true })
  yield* Scope.close(stock.scope, Exit.void)
  yield* Exit.asVoidAll(stock.failures.map((cause) => Exit.failCause(cause)))
})
