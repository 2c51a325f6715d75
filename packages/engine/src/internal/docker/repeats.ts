/**
 * Which calls are sent again after their reply was lost, and when. Reads are, since they change nothing. A call that changes
 * something is only where the table says why twice is once; whatever is not in it is sent once. Creates and starts are not in it:
 * what became of a lost one is looked up (`lostReply.ts`).
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { CallError } from "../../EngineError.ts"
import { conflict, invalid, type Refusal } from "./errors.ts"

/** By operation, why the second of two is harmless. Sources: the engine API's statuses, and moby's handlers for them. */
const harmless: Readonly<Record<string, string>> = {
  "stop container": "304: it has stopped",
  "remove container": "404: it is gone; 409: it is going, which is waited for",
  "remove image": "404: it is gone",
  "remove network": "404: it is gone",
  "remove volume": "404: it is gone",
  "create volume": "an existing name is answered with that volume, whose labels are then compared",
  "update container": "limits are absolute",
  "wait for container": "changes nothing"
}

interface Sent {
  readonly operation: string
  readonly method: string
  /** Absent: the usual limit. */
  readonly timeoutMillis?: number | "none"
}

/** Changes nothing. */
export const isRead = ({ method }: Pick<Sent, "method">) => method === "GET" || method === "HEAD"

const isRepeatable = (call: Sent): boolean => isRead(call) || call.operation in harmless

/** Repeats after the first attempt. */
const maxRepeats = 3
const firstPauseMillis = 100

/** Calls that were sent again, by `operation`. */
export const engineRepeats = Metric.counter("sbx_engine_repeats", {
  description: "engine calls that were sent again after their reply was lost",
  incremental: true
})

/** 501 and the like are for ever; a 500 with a meaning (older engines send conflicts so) would be the same again. */
const passing: ReadonlySet<number> = new Set([500, 502, 503, 504])
const isPassing = (refusal: Refusal) =>
  passing.has(refusal.status) && conflict(refusal, "") === undefined && invalid(refusal) === undefined

/**
 * What may be otherwise the next time. Nobody there (`no-socket`, `refused`) is an answer, and a fast one; a host that does not
 * take connections is as good as not there. A change that timed out is with the engine, which another one does not help. A read
 * with a limit of its own has used it up.
 */
const isWorthRepeating = (call: Sent, error: CallError | Refusal): boolean => {
  if (error._tag === "Refusal") return isPassing(error)
  if (error._tag === "EngineTimeout") {
    return isRead(call) && call.timeoutMillis === undefined && error.stage !== "connect"
  }
  return error._tag === "EngineUnavailable" && error.reason === "connection-lost"
}

/** None before the first repeat of a lost connection: a pooled one of an engine that restarted resets on its first use. */
const pauseBefore = (repeat: number, error: CallError | Refusal) =>
  repeat === 1 && error._tag === "EngineUnavailable"
    ? Effect.succeed(0)
    : Effect.map(Random.nextBetween(0.8, 1.2), (jitter) => Math.round(firstPauseMillis * 2 ** (repeat - 1) * jitter))

const reasonOf = (error: CallError | Refusal) =>
  error._tag === "Refusal" ? `${error.status} ${error.detail}` : (error.message.split("\n")[0] ?? "")

/** Says and counts that a call is sent again. */
export const noteRepeat = (operation: string, repeat: number, error: CallError | Refusal) =>
  Effect.andThen(
    Metric.update(Metric.withAttributes(engineRepeats, { operation }), 1),
    Effect.logWarning(`sending "${operation}" again: ${reasonOf(error)}`).pipe(
      Effect.annotateLogs({ operation, repeat })
    )
  )

/** The attempt gets its number, from 0. The last error is the call's. */
export const repeating = <A, E extends CallError | Refusal, R>(
  call: Sent,
  attempt: (number: number) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => (isRepeatable(call) ? attempts(call, attempt) : attempt(0))

const attempts = Effect.fnUntraced(function* <A, E extends CallError | Refusal, R>(
  call: Sent,
  attempt: (number: number) => Effect.Effect<A, E, R>
): Effect.fn.Return<A, E, R> {
  for (let number = 0; ; number++) {
    const result = yield* Effect.result(attempt(number))
    if (Result.isSuccess(result)) return result.success
    const error = result.failure
    if (number === maxRepeats || !isWorthRepeating(call, error)) return yield* Effect.fromResult(result)
    const pause = yield* pauseBefore(number + 1, error)
    yield* noteRepeat(call.operation, number + 1, error)
    if (pause > 0) yield* Effect.sleep(pause)
  }
})
