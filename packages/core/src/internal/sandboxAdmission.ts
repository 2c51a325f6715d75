/**
 * The one gate that every sandbox passes, cold or for a pool: never more than `limit` at once, in order of arrival. Who waits is
 * given the place of an idle pooled one, which is removed first, so that a stock never starves those who have work to do.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A place, or the wait for one. */
export interface Ticket {
  /** Resolves once the place is held. Guard it: `ready.pipe(Effect.onInterrupt(() => ticket.release))`. */
  readonly ready: Effect.Effect<void>
  /** Gives the place back, or leaves the queue. Idempotent. */
  readonly release: Effect.Effect<void>
}

/** Chooses an idle sandbox and resolves to its removal, or to nothing when there is none. Chooses at once: it runs no effect. */
export type Evict = () => Effect.Effect<void> | undefined

export interface Admission {
  readonly limit: number
  /** Queues. `fail`: absent when nothing is free and nothing idle can be removed. */
  readonly request: (atLimit: "wait" | "fail") => Effect.Effect<Ticket | undefined>
  /** For stock: only what is free and nobody waits for. */
  readonly requestSpare: Effect.Effect<Ticket | undefined>
  /** Sandboxes that may be removed to make room, until the scope closes. */
  readonly addStock: (evict: Evict) => Effect.Effect<void, never, Scope.Scope>
  /** To be called when stock has grown: somebody may be waiting for room. */
  readonly stocked: Effect.Effect<void>
  /** Told when a place is free and nobody waits, until the scope closes. */
  readonly onFree: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
  readonly counts: () => { readonly held: number; readonly waiting: number }
}

interface Entry {
  readonly ready: Deferred.Deferred<void>
  state: "waiting" | "held" | "released"
}

class Gate {
  held = 0
  evicting = 0
  readonly queue = new Set<Entry>()
  readonly stocks = new Set<Evict>()
  readonly listeners = new Set<() => void>()
  readonly limit: number
  readonly scope: Scope.Scope
  constructor(limit: number, scope: Scope.Scope) {
    this.limit = limit
    this.scope = scope
  }

  /** In order of arrival; then tells those who take only what is left. */
  grant() {
    for (const entry of this.queue) {
      if (this.held >= this.limit) return
      this.queue.delete(entry)
      this.hold(entry)
      Deferred.doneUnsafe(entry.ready, Effect.void)
    }
    if (this.held < this.limit) for (const listener of this.listeners) listener()
  }

  hold(entry: Entry) {
    entry.state = "held"
    this.held += 1
  }

  release(entry: Entry) {
    if (entry.state === "held") this.held -= 1
    this.queue.delete(entry)
    const wasHeld = entry.state === "held"
    entry.state = "released"
    if (wasHeld) this.grant()
  }

  /** Begins as many removals as there are waiters without one. */
  relieve = Effect.suspend(() => {
    const removals: Array<Effect.Effect<void>> = []
    for (const evict of this.stocks) {
      while (this.queue.size > this.evicting) {
        const removal = evict()
        if (removal === undefined) break
        this.evicting += 1
        removals.push(
          Effect.ensuring(
            removal,
            Effect.sync(() => void (this.evicting -= 1))
          )
        )
      }
    }
    return Effect.forEach(removals, (removal) => Effect.forkIn(removal, this.scope, { startImmediately: true }), {
      discard: true
    })
  })
}

/** Removals that make room run in the scope. */
export const make = Effect.fnUntraced(function* (limit: number): Effect.fn.Return<Admission, never, Scope.Scope> {
  const gate = new Gate(limit, yield* Effect.scope)
  const registered = <A>(set: Set<A>, member: A) =>
    Effect.acquireRelease(
      Effect.sync(() => void set.add(member)),
      () => Effect.sync(() => void set.delete(member))
    )
  const admission: Admission = {
    limit,
    request: (atLimit) => request(gate, atLimit),
    requestSpare: Effect.sync(() => {
      if (gate.queue.size > 0 || gate.held >= limit) return undefined
      const entry: Entry = { ready: Deferred.makeUnsafe(), state: "waiting" }
      gate.hold(entry)
      return ticketOf(gate, entry)
    }),
    addStock: (evict) => registered(gate.stocks, evict),
    stocked: gate.relieve,
    onFree: (listener) => registered(gate.listeners, listener),
    counts: () => ({ held: gate.held, waiting: gate.queue.size })
  }
  return admission
})

const request = Effect.fnUntraced(function* (gate: Gate, atLimit: "wait" | "fail") {
  const entry: Entry = { ready: Deferred.makeUnsafe(), state: "waiting" }
  gate.queue.add(entry)
  gate.grant()
  if (entry.state === "waiting") yield* gate.relieve
  // Each removal under way is for one waiter, the oldest first.
  if (entry.state === "waiting" && atLimit === "fail" && gate.evicting < gate.queue.size) {
    gate.release(entry)
    return undefined
  }
  return ticketOf(gate, entry)
})

const ticketOf = (gate: Gate, entry: Entry): Ticket => ({
  ready: Effect.suspend(() => (entry.state === "held" ? Effect.void : Deferred.await(entry.ready))),
  release: Effect.sync(() => gate.release(entry))
})
