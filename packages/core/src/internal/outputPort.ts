/**
 * One output stream of a spawned process on its way to a reader. Until somebody reads, the newest bytes beyond the limit are
 * dropped, so that a server whose log nobody wants does not stall; from the first read on, a slow reader holds the process back.
 */
import type { CallError } from "@sbx/engine/EngineError"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

const limitBytes = 1024 * 1024

export interface OutputPort {
  readonly offer: (bytes: Uint8Array) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
  readonly fail: (error: CallError) => Effect.Effect<void>
  /** True once bytes were dropped because nobody read. */
  readonly dropped: () => boolean
  readonly stream: Stream.Stream<Uint8Array, CallError>
}

export const make: Effect.Effect<OutputPort> = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<Uint8Array, CallError | Cause.Done>()
  const room = yield* Latch.make(true)
  let held = 0
  let isRead = false
  let dropped = false
  const taken = (bytes: Uint8Array) =>
    Effect.suspend(() => {
      held -= bytes.length
      return held < limitBytes ? Latch.open(room) : Effect.void
    })
  const put = (bytes: Uint8Array) =>
    Effect.suspend(() => {
      held += bytes.length
      const offered = Queue.offer(queue, bytes)
      return held < limitBytes ? offered : Effect.andThen(Latch.close(room), offered)
    })
  return {
    offer: (bytes) =>
      Effect.suspend(() => {
        if (isRead) return Effect.andThen(Latch.whenOpen(room, Effect.void), put(bytes))
        if (held + bytes.length <= limitBytes) return put(bytes)
        dropped = true
        return Effect.void
      }).pipe(Effect.asVoid),
    end: Effect.asVoid(Queue.end(queue)),
    fail: (error) => Effect.asVoid(Queue.fail(queue, error)),
    dropped: () => dropped,
    stream: Stream.suspend(() => {
      isRead = true
      return Stream.tap(Stream.fromQueue(queue), taken)
    })
  }
})
