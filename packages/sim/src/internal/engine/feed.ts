/**
 * What flows from the daemon to a reader: a log that only grows, and connections that can be cut. A waiting reader is woken through
 * its own fiber's dispatcher, never from the daemon's stack: a reader that was killed is not run again.
 */
import type { CallError } from "@sbx/engine/EngineError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export class Feed<A> {
  readonly items: Array<A> = []
  readonly wakers = new Set<() => void>()
  closed = false

  push(item: A) {
    if (this.closed) return
    this.items.push(item)
    this.wake()
  }

  close() {
    this.closed = true
    this.wake()
  }

  wake() {
    for (const waker of this.wakers) waker()
  }
}

/** The client's end of one streaming answer. Severed with the engine or its client, dropped by its reader; both free what it holds. */
export class Connection {
  readonly wakers = new Set<() => void>()
  cut = false
  private released = false
  private readonly held: Array<() => void> = []

  /** Frees something when the connection goes; at once when it has gone. */
  hold(free: () => void) {
    if (this.released) free()
    else this.held.push(free)
  }

  sever() {
    this.cut = true
    for (const waker of this.wakers) waker()
    this.drop()
  }

  drop() {
    if (this.released) return
    this.released = true
    for (const free of this.held) free()
  }
}

interface Source {
  readonly wakers: Set<() => void>
}

/**
 * Until one of the sources has changed, or at once when what is waited for is there. It looks in the same step in which it begins to
 * wait: between a look and the wait the world may go on.
 */
export const awaitChange = (isThere: () => boolean, ...sources: ReadonlyArray<Source>): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      if (isThere()) return resume(Effect.void)
      let woken = false
      const forget = () => {
        for (const { wakers } of sources) wakers.delete(wake)
      }
      const wake = () => {
        if (woken) return
        woken = true
        forget()
        fiber.currentDispatcher.scheduleTask(() => resume(Effect.void), 0)
      }
      for (const { wakers } of sources) wakers.add(wake)
      return Effect.sync(forget)
    })
  )

/** Everything from an index on, then live, to the end of the feed. */
export const follow = <A>(
  feed: Feed<A>,
  connection: Connection,
  lost: () => CallError,
  from = 0
): Stream.Stream<A, CallError> =>
  Stream.fromPull(
    Effect.sync(() => {
      let at = from
      const isThere = () => connection.cut || feed.closed || feed.items.length > at
      const pull: Effect.Effect<readonly [A, ...Array<A>], CallError | Cause.Done> = Effect.suspend(() => {
        if (connection.cut) return Effect.fail(lost())
        const [first, ...rest] = feed.items.slice(at)
        if (first !== undefined) {
          at = feed.items.length
          return Effect.succeed([first, ...rest] as const)
        }
        return feed.closed ? Cause.done() : Effect.andThen(awaitChange(isThere, feed, connection), pull)
      })
      return pull
    })
  )
