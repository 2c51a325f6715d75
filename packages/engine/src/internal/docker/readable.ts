/**
 * Node streams and Effect streams. Reading is in paused mode, so a slow consumer leaves bytes in the kernel; an end that was not
 * announced is an error. (An async iterator over a Node stream cannot be interrupted while it waits.)
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { PassThrough, Readable } from "node:stream"

export type BytePull<E> = Pull.Pull<readonly [Uint8Array, ...Array<Uint8Array>], E>

const wakeUps = ["readable", "end", "error", "close"] as const

/** What can be said of the next chunk without waiting. */
const take = <E>(readable: Readable, onError: (cause: unknown) => E): BytePull<E> | undefined => {
  const chunk: unknown = readable.errored === null ? readable.read() : null
  if (chunk instanceof Uint8Array) return Effect.succeed([chunk])
  if (readable.errored !== null) return Effect.fail(onError(readable.errored))
  if (readable.readableEnded) return Cause.done()
  return readable.destroyed ? Effect.fail(onError(new Error("closed before its end"))) : undefined
}

/** The guard gets a fiber of its own only: a race would make one for the chunk too, and join both, for every chunk. */
const awaitChunk = <E>(
  readable: Readable,
  onError: (cause: unknown) => E,
  startGuard: ((failed: (guarded: Exit.Exit<never, E>) => void) => () => void) | undefined
): BytePull<E> =>
  Effect.callback<readonly [Uint8Array, ...Array<Uint8Array>], E | Cause.Done>((resume) => {
    let stopGuard: (() => void) | undefined
    const forget = () => {
      wakeUps.forEach((event) => readable.off(event, attempt))
      stopGuard?.()
    }
    const attempt = () => {
      const found = take(readable, onError)
      if (found === undefined) return
      forget()
      resume(found)
    }
    wakeUps.forEach((event) => readable.on(event, attempt))
    stopGuard = startGuard?.((guarded) => {
      forget()
      resume(guarded)
    })
    attempt()
    return Effect.sync(forget)
  })

/** Runs a guard beside; an interruption of it is ours. */
const guardOf =
  <E>(guard: Effect.Effect<never, E>, context: Context.Context<never>) =>
  (failed: (guarded: Exit.Exit<never, E>) => void) => {
    const fiber = Effect.runForkWith(context)(guard)
    let isStopped = false
    fiber.addObserver((exit) => {
      if (!isStopped) failed(exit)
    })
    return () => {
      isStopped = true
      fiber.interruptUnsafe()
    }
  }

/**
 * One pull is one chunk. `onError` gets the stream's error, or a plain one when it was closed before its end. `guard` never
 * succeeds; it runs only while there is something to wait for, and its failure ends the wait.
 */
const pullReadable = <E>(
  readable: Readable,
  onError: (cause: unknown) => E,
  guard?: Effect.Effect<never, E>
): BytePull<E> =>
  Effect.suspend(() => {
    const found = take(readable, onError)
    if (found !== undefined) return found
    if (guard === undefined) return awaitChunk(readable, onError, undefined)
    return Effect.flatMap(Effect.context<never>(), (context) => awaitChunk(readable, onError, guardOf(guard, context)))
  })

export const fromReadable = <E>(readable: Readable, onError: (cause: unknown) => E, guard?: Effect.Effect<never, E>) =>
  Stream.fromPull(Effect.succeed(pullReadable(readable, onError, guard)))

/** Writes a stream into a request body, waiting for each chunk to be taken. Failure of the source is the caller's to handle. */
export const feed = <E, R>(source: Stream.Stream<Uint8Array, E, R>, body: PassThrough) =>
  Stream.runForEach(source, (bytes) =>
    Effect.callback<void>((resume) => {
      // A destroyed body means that the request is over; its outcome is reported by the request, not here.
      body.write(bytes, () => resume(Effect.void))
    })
  ).pipe(Effect.andThen(Effect.sync(() => body.end())))
