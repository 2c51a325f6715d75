/** Compares what a stock has with what it should have, whenever it is woken or something is due, and makes or removes the difference. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { SandboxLimitReached } from "../Sandboxes.ts"
import * as Breaker from "./poolBreaker.ts"
import { circuitOpen, type Creation, dispose, type Idle, put, record, rouse, type Stock } from "./poolState.ts"
import type { Ticket } from "./sandboxAdmission.ts"

/** Never ends by itself. */
export const keep = Effect.fnUntraced(function* (stock: Stock): Effect.fn.Return<never> {
  for (;;) {
    yield* adjust(stock)
    const now = yield* Clock.currentTimeMillis
    const due = [
      stock.breaker.openUntil ?? Infinity,
      ...stock.idle.map((item) => item.sinceMillis + stock.settings.ttlMillis)
    ]
    const next = Math.min(...due.filter((at) => at > now))
    const woken = Queue.take(stock.wake)
    yield* Number.isFinite(next) ? Effect.timeoutOption(woken, next - now) : woken
  }
})

/** Brings what is there nearer to what should be. */
const adjust = Effect.fnUntraced(function* (stock: Stock) {
  const { settings, waiters, creations } = stock
  const now = yield* Clock.currentTimeMillis
  yield* clear(stock, now)
  const status = Breaker.statusAt(stock.breaker, now)
  if (status === "open" && settings.whileOpen === "fail") {
    for (const { answer } of waiters) Deferred.doneUnsafe(answer, circuitOpen(stock, now))
    waiters.clear()
  }
  yield* callOff(stock)
  // Making one keeps this thread and the disk busy: takers go first while there is something to take. The last of them rouses.
  if (stock.handing > 0 && stock.idle.length > 0) return
  const missing = Math.min(settings.max, Math.max(stock.target, waiters.size)) - stock.idle.length - creations.size
  const allowed = { closed: missing, open: 0, "half-open": Math.min(missing, 1 - creations.size) }[status]
  for (let count = 0; count < allowed; count += 1) {
    const ticket = yield* waiters.size > creations.size ? demand(stock) : stock.nursery.admission.requestSpare
    if (ticket === undefined) return
    const creation: Creation = { admitted: false, fiber: undefined }
    creations.add(creation)
    // At once, so that it is never interrupted before it can give its place back.
    creation.fiber = yield* Effect.forkIn(create(stock, creation, ticket), stock.scope, { startImmediately: true })
  }
})

/** Takes away what is unfit, and one that is too old; the next when its replacement is there. */
const clear = Effect.fnUntraced(function* (stock: Stock, now: number) {
  const { settings, total } = stock
  const unfit = stock.idle.filter((item) => item.unfit)
  const isOld = (item: Idle) => !item.unfit && item.sinceMillis + settings.ttlMillis <= now
  const old = stock.creations.size === 0 ? stock.idle.find(isOld) : undefined
  total.unfit += unfit.length
  if (old !== undefined) {
    total.expired += 1
    stock.target = Math.max(settings.min, stock.target - 1)
  }
  stock.idle = stock.idle.filter((item) => !item.unfit && item !== old)
  for (const item of old === undefined ? unfit : [...unfit, old]) {
    yield* Effect.forkIn(
      Effect.ensuring(
        dispose(stock, item),
        Effect.sync(() => rouse(stock))
      ),
      stock.scope
    )
  }
})

/** Creations still at the gate for waiters who have gone. */
const callOff = (stock: Stock) => {
  const atGate = [...stock.creations].filter(({ admitted }) => !admitted)
  const needed = Math.max(0, stock.waiters.size - (stock.creations.size - atGate.length))
  return Effect.forEach(
    atGate.slice(needed),
    ({ fiber }) => (fiber === undefined ? Effect.void : Fiber.interrupt(fiber)),
    {
      discard: true
    }
  )
}

/** In the queue of all who wait for a place; where that is not allowed, the waiter is told. */
const demand = (stock: Stock) =>
  Effect.tap(stock.nursery.admission.request(stock.nursery.atLimit), (ticket) =>
    Effect.sync(() => {
      const [waiter] = stock.waiters
      if (ticket !== undefined || waiter === undefined) return
      stock.waiters.delete(waiter)
      Deferred.doneUnsafe(waiter.answer, new SandboxLimitReached({ limit: stock.nursery.admission.limit }))
    })
  )

const create = (stock: Stock, creation: Creation, ticket: Ticket) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      yield* restore(ticket.ready).pipe(Effect.onInterrupt(() => ticket.release))
      creation.admitted = true
      const scope = yield* Scope.make()
      const made = stock.nursery.make(stock.settings.spec, Effect.succeed(ticket)).pipe(
        Effect.tap((sandbox) =>
          Effect.flatMap(Clock.currentTimeMillis, (atMillis) => record(sandbox, { _tag: "Pooled", atMillis }))
        ),
        Scope.provide(scope)
      )
      const exit = yield* Effect.exit(restore(stock.builders.withPermit(made)))
      const sinceMillis = yield* Clock.currentTimeMillis
      stock.creations.delete(creation)
      if (Exit.isSuccess(exit))
        return yield* succeeded(stock, { sandbox: exit.value, scope, sinceMillis, unfit: false })
      if (!Cause.hasInterruptsOnly(exit.cause)) {
        stock.total.failed += 1
        stock.breaker = Breaker.afterFailure(stock.breaker, stock.settings.policy, sinceMillis, causeOf(exit.cause))
        rouse(stock)
      }
      // May take until the create's deadline; its place is not given back before.
      yield* Effect.ensuring(Effect.ignoreCause(Scope.close(scope, exit), { log: "Warn" }), ticket.release)
    })
  ).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        stock.creations.delete(creation)
        rouse(stock)
      })
    )
  )

const succeeded = (stock: Stock, item: Idle) => {
  stock.total.created += 1
  stock.breaker = Breaker.closed
  return put(stock, item)
}

const causeOf = (cause: Cause.Cause<{ readonly message: string }>) =>
  cause.reasons.find((reason) => reason._tag === "Fail")?.error.message ?? Cause.pretty(cause)
