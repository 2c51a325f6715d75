/**
 * Whether the engine still answers anything. Streams and waits may be silent for hours, so silence alone ends none of them; an
 * engine that is silent and does not answer a ping either ends all.
 */
import * as Effect from "effect/Effect"
import type { CallError } from "../../EngineError.ts"
import { EngineTimeout } from "../../EngineError.ts"
import type { Connection } from "./connection.ts"
import { transportError } from "./errors.ts"

type Line = Pick<Connection, "dial" | "endpoint">

/** Silence after which the engine is asked, and a stream that ought to flow is given up. */
const idleMillis = 60_000
/** A busy engine answers a ping late, a stopped one never. */
const pingMillis = 20_000

const ping = (line: Line, operation: string) =>
  Effect.callback<void, CallError>((resume) => {
    const controller = new AbortController()
    line.dial(
      {
        path: "/_ping",
        method: "GET",
        options: { _query: {}, _body: {} },
        statusCodes: {},
        isStream: true,
        allowEmpty: false,
        hijack: false,
        abortSignal: controller.signal
      },
      (error, answer) => {
        answer?.on("error", () => {}).resume()
        // Any status is an answer. The modem makes an error of it, for want of statuses that count as success.
        const spoke = answer !== null || (error !== null && "statusCode" in error)
        resume(spoke ? Effect.void : Effect.fail(transportError(error, operation, line.endpoint)))
      }
    )
    return Effect.sync(() => controller.abort())
  })

/** Succeeds when the engine answers a ping with whatever status. */
export const answers = (line: Line, operation: string, limitMillis: number): Effect.Effect<void, CallError> =>
  Effect.timeoutOrElse(ping(line, operation), {
    duration: limitMillis,
    orElse: () => Effect.fail(new EngineTimeout({ operation, timeoutMillis: limitMillis, stage: "head" }))
  })

/** Never succeeds: fails once the engine leaves a ping unanswered. To be raced with what may be silent for long. */
export const watch = (line: Line, operation: string): Effect.Effect<never, CallError> =>
  Effect.sleep(idleMillis).pipe(
    Effect.andThen(answers(line, operation, pingMillis)),
    Effect.catchTag("EngineTimeout", () => Effect.fail(idle(operation))),
    Effect.forever({ disableYield: true })
  )

/** Never succeeds: fails after the time of silence. To be raced with what ought to flow. */
export const flow = (operation: string): Effect.Effect<never, CallError> =>
  Effect.andThen(Effect.sleep(idleMillis), Effect.fail(idle(operation)))

const idle = (operation: string) => new EngineTimeout({ operation, timeoutMillis: idleMillis, stage: "idle" })
