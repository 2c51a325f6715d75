/**
 * One HTTP exchange with the engine: scoped, bounded in time and size, aborted when its scope closes. Knows nothing of operations.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { IncomingMessage } from "node:http"
import type { Duplex, Readable } from "node:stream"
import type { CallError, TimeoutStage } from "../../EngineError.ts"
import { EngineProtocolError, EngineTimeout } from "../../EngineError.ts"
import type { Answer, Connection, DialOptions, QueryValue } from "./connection.ts"
import { Refusal, transportError } from "./errors.ts"
import { flow, watch } from "./liveness.ts"
import { fromReadable } from "./readable.ts"
import { isRead, repeating } from "./repeats.ts"

export interface Call {
  /** Verb and object, as error messages read: `Could not <operation>`. */
  readonly operation: string
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE"
  /** Encoded here: an id may hold anything. */
  readonly path: ReadonlyArray<string>
  readonly query?: Readonly<Record<string, QueryValue | undefined>>
  readonly body?: unknown
  readonly file?: Readable
  readonly hijack?: boolean
  /**
   * Of one attempt, until the answer's head (streams) or its end (others). "none" for calls that are long by design: they end when
   * the engine answers no ping any more.
   */
  readonly timeoutMillis?: number | "none"
  /** Statuses besides 2xx that mean success, e.g. 304. */
  readonly alsoOk?: ReadonlyArray<number>
}

export interface Reply {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly body: Readable
  /** The raw connection after 101; then `body` is the same object. */
  readonly upgraded: Duplex | undefined
}

/** Long enough for a busy engine on a slow disk, short enough that nothing hangs for ever. */
export const defaultTimeoutMillis = 60_000
/** A read that hangs is asked again on another connection; with its repeats it takes about as long as a change may. */
const readTimeoutMillis = 20_000
const maxBodyBytes = 64 * 1024 * 1024

/** The modem turns everything else into an error and thereby loses the body of a refused streaming call. */
const everyStatus: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [index + 100, true])
)

/** What a call holds open. Closing it aborts what is under way; the signal alone does nothing after an upgrade. */
class Slot {
  readonly controller = new AbortController()
  private held: Answer | undefined
  hold(answer: Answer) {
    // Without a listener a late error would end the process.
    answer.on("error", () => {})
    this.held = answer
    if (this.controller.signal.aborted) answer.destroy()
  }
  close() {
    const finished = this.held instanceof IncomingMessage && this.held.readableEnded
    this.held?.destroy()
    if (!finished) this.controller.abort()
  }
}

/** `.`, `..` and empty segments make the engine answer with a redirect to another path: there is no such object. */
const isSegment = (segment: string) => segment !== "" && segment !== "." && segment !== ".."

const dialOptions = (call: Call, signal: AbortSignal): DialOptions => {
  const query = Object.entries(call.query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const]
  )
  const path = `/${call.path.map(encodeURIComponent).join("/")}`
  return {
    path: query.length === 0 ? path : `${path}?`,
    method: call.method,
    options: { _query: Object.fromEntries(query), _body: call.body ?? {} },
    statusCodes: everyStatus,
    isStream: true,
    allowEmpty: call.body !== undefined,
    hijack: call.hijack === true,
    abortSignal: signal,
    ...(call.file === undefined ? {} : { file: call.file })
  }
}

const toReply = (answer: Answer): Reply =>
  answer instanceof IncomingMessage
    ? {
        status: answer.statusCode ?? 0,
        header: (name) => {
          const value = answer.headers[name]
          return Array.isArray(value) ? value[0] : value
        },
        body: answer,
        upgraded: undefined
      }
    : { status: 101, header: () => undefined, body: answer, upgraded: answer }

/** How far an attempt has come, for the error that says where it stopped. */
interface Progress {
  stage: TimeoutStage
}

const limitOf = (call: Call): number | "none" =>
  call.timeoutMillis ?? (isRead(call) ? readTimeoutMillis : defaultTimeoutMillis)

/**
 * What is waited for by callback, at most until its limit. The clock has a fiber and the rest none: a race would make one for each
 * and join both, with every call. `begin` gives what stops it; it is stopped too when it was too late or is not wanted any more.
 */
const limited = <A, E>(
  call: Call,
  progress: Progress,
  begin: (settle: (result: Effect.Effect<A, E>) => void) => () => void
): Effect.Effect<A, E | EngineTimeout> => {
  const timeoutMillis = limitOf(call)
  if (timeoutMillis === "none") {
    return Effect.callback<A, E>((resume) => Effect.sync(begin(resume)))
  }
  return Effect.contextWith((context: Context.Context<never>) =>
    Effect.callback<A, E | EngineTimeout>((resume) => {
      let isSettled = false
      let clock: Fiber.Fiber<void> | undefined
      const stop = begin((result) => {
        if (isSettled) return
        isSettled = true
        clock?.interruptUnsafe()
        resume(result)
      })
      if (isSettled) return undefined
      clock = Effect.runForkWith(context)(Effect.sleep(timeoutMillis))
      clock.addObserver(() => {
        if (isSettled) return
        isSettled = true
        resume(Effect.fail(new EngineTimeout({ operation: call.operation, timeoutMillis, stage: progress.stage })))
        stop()
      })
      return Effect.sync(() => {
        isSettled = true
        clock?.interruptUnsafe()
        stop()
      })
    })
  )
}

/** The whole body, refused beyond 64 MiB. Gives what stops the reading. */
const collect = (
  connection: Connection,
  call: Call,
  body: Readable,
  done: (text: Effect.Effect<string, CallError>) => void
): void => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  let isDone = false
  const end = (text: () => Effect.Effect<string, CallError>) => {
    if (isDone) return
    isDone = true
    done(text())
  }
  const lost = (cause: unknown) => end(() => Effect.fail(transportError(cause, call.operation, connection.endpoint)))
  const tooLong = () =>
    Effect.fail(
      new EngineProtocolError({
        operation: call.operation,
        detail: `the answer is longer than ${maxBodyBytes} bytes`
      })
    )
  body.on("data", (chunk: Uint8Array) => {
    size += chunk.length
    if (size > maxBodyBytes) end(tooLong)
    else chunks.push(chunk)
  })
  body.once("end", () => end(() => Effect.succeed(Buffer.concat(chunks).toString("utf8"))))
  body.once("error", lost)
  body.once("close", () => lost(new Error("closed before its end")))
}

const RefusalBody = Schema.fromJsonString(Schema.Struct({ message: Schema.String }))
const decodeRefusal = Schema.decodeUnknownOption(RefusalBody)

const refusal = (call: Call, status: number, text: string) => {
  const json = decodeRefusal(text)
  const detail = json._tag === "Some" ? json.value.message : text.slice(0, 2_000).trim()
  return new Refusal({ operation: call.operation, status, detail })
}

const isOk = (call: Call, status: number) =>
  (status >= 200 && status < 300) || status === 101 || call.alsoOk?.includes(status) === true

type Settle<A> = (result: Effect.Effect<A, CallError | Refusal>) => void

/** Asks, and settles a refusal; an answer that is none goes on to `onReply`. */
const ask = <A>(
  connection: Connection,
  call: Call,
  { slot, progress, settle }: { readonly slot: Slot; readonly progress: Progress; readonly settle: Settle<A> },
  onReply: (reply: Reply) => void
): void => {
  if (!call.path.every(isSegment)) return settle(Effect.fail(refusal(call, 404, "")))
  connection.dial(dialOptions(call, slot.controller.signal), (error, answer) => {
    if (answer === null) return settle(Effect.fail(transportError(error, call.operation, connection.endpoint)))
    slot.hold(answer)
    progress.stage = "body"
    const reply = toReply(answer)
    if (isOk(call, reply.status)) return onReply(reply)
    collect(connection, call, reply.body, (text) =>
      settle(Effect.flatMap(text, (read) => Effect.fail(refusal(call, reply.status, read))))
    )
  })
}

/** To the answer's head; the slot is the caller's to close. */
const head = (connection: Connection, call: Call, slot: Slot, progress: Progress) =>
  limited<Reply, CallError | Refusal>(call, progress, (settle) => {
    ask(connection, call, { slot, progress, settle }, (reply) => settle(Effect.succeed(reply)))
    return () => slot.close()
  })

export interface Whole {
  readonly status: number
  readonly text: string
  readonly header: Reply["header"]
}

/** To the answer's end. */
const whole = (connection: Connection, call: Call, progress: Progress) =>
  limited<Whole, CallError | Refusal>(call, progress, (resume) => {
    const slot = new Slot()
    const settle: Settle<Whole> = (result) => {
      slot.close()
      resume(result)
    }
    ask(connection, call, { slot, progress, settle }, ({ status, header, body }) =>
      collect(connection, call, body, (read) => settle(Effect.map(read, (text) => ({ status, text, header }))))
    )
    return () => slot.close()
  })

/** Cleaning up, and what may be opened long before it is needed, may not be starved by an open breaker: they cause a probe. */
const isUrgent = (call: Call) =>
  call.method === "DELETE" || call.timeoutMillis === "none" || urgentOperations.has(call.operation)
const urgentOperations: ReadonlySet<string> = new Set([
  "stop container",
  "kill container",
  "unpause container",
  "disconnect container from network"
])

/** Signs of a dead engine. Any answer is one of life; nobody there (`no-socket`, `refused`) is found out at once without a breaker. */
const isDeath = (error: CallError | Refusal) =>
  error._tag === "EngineTimeout" ||
  (error._tag === "EngineUnavailable" && (error.reason === "connection-lost" || error.reason === "other"))

/** One attempt: through the breaker, within its limit. One without ends when the engine answers no ping any more. */
const attempted =
  <A, R>(connection: Connection, call: Call, run: (progress: Progress) => Effect.Effect<A, CallError | Refusal, R>) =>
  (number: number): Effect.Effect<A, CallError | Refusal, R> =>
    Effect.suspend(() => {
      const attempt = run({ stage: "head" })
      const bounded = limitOf(call) === "none" ? Effect.raceFirst(attempt, watch(connection, call.operation)) : attempt
      return connection.breaker.protect(bounded, {
        operation: call.operation,
        isFailure: isDeath,
        // A repeat finds out by a probe whether it was its connection or the engine that died.
        urgent: number > 0 || isUrgent(call)
      })
    })

/** Opens a streaming answer; it lives as long as the scope. */
export const open = (connection: Connection, call: Call): Effect.Effect<Reply, CallError | Refusal, Scope.Scope> =>
  repeating(
    call,
    attempted(connection, call, (progress) =>
      Effect.acquireRelease(
        Effect.sync(() => new Slot()),
        (slot) => Effect.sync(() => slot.close())
      ).pipe(Effect.flatMap((slot) => head(connection, call, slot, progress)))
    )
  )

/** A complete exchange. Resolves to status and text. */
export const send = (connection: Connection, call: Call): Effect.Effect<Whole, CallError | Refusal> => {
  const repeated = repeating(
    call,
    attempted(connection, call, (progress) => whole(connection, call, progress))
  )
  // Calls that are long by design, or feed a body, would keep permits from those that they wait for.
  const limit = limitOf(call)
  if (limit === "none" || limit > defaultTimeoutMillis) return repeated
  if (isUrgent(call)) return connection.urgentPermits.withPermits(1)(repeated)
  return Effect.andThen(connection.breaker.refuse(call.operation), connection.permits.withPermits(1)(repeated))
}

/**
 * The body of an opened answer as it comes. A `live` one may be silent while the engine answers pings; one that ought to `flow`
 * may not be silent for a minute. The time in which nobody reads does not count.
 */
export const bodyOf = (connection: Connection, operation: string, reply: Reply, pace: "live" | "flow") =>
  fromReadable<CallError>(
    reply.body,
    (cause) => transportError(cause, operation, connection.endpoint),
    pace === "live" ? watch(connection, operation) : flow(operation)
  )

/**
 * Decodes JSON text; what does not fit is a protocol error that says where. Not by `Schema.fromJsonString`, which made here would be
 * another schema, compiled anew, for every answer.
 */
export const decodeJson =
  <S extends Schema.ConstraintDecoder<unknown>>(schema: S) =>
  (operation: string, text: string): Effect.Effect<S["Type"], EngineProtocolError> => {
    const unfit = (cause: unknown) =>
      new EngineProtocolError({
        operation,
        detail: (cause instanceof Error ? cause.message : String(cause)).slice(0, 1_000)
      })
    return Effect.flatMap(Effect.try({ try: (): unknown => JSON.parse(text), catch: unfit }), (json) =>
      Effect.mapError(Schema.decodeUnknownEffect(schema)(json), unfit)
    )
  }

/** `send` with a decoded answer. */
export const sendJson = <S extends Schema.ConstraintDecoder<unknown>>(
  connection: Connection,
  call: Call,
  schema: S
): Effect.Effect<S["Type"], CallError | Refusal> =>
  Effect.flatMap(send(connection, call), ({ text }) => decodeJson(schema)(call.operation, text))
