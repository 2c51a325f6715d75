/**
 * The one place that touches dockerode. Every call goes through `modem.dial` with all statuses accepted and the body unread, because
 * dockerode's own methods drop the abort signal of some calls, buffer whole logs, leave ids unencoded and lose the JSON of a failed
 * streaming call. Refuses `ssh:` (a new SSH session for each request) and TLS.
 */
import Docker from "dockerode"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { IncomingMessage } from "node:http"
import type { Readable } from "node:stream"
import { Duplex } from "node:stream"
import type { EngineEndpoint } from "../../Engine.ts"
import type { CircuitBreaker } from "../../CircuitBreaker.ts"
import * as Breaker from "../../CircuitBreaker.ts"
import { EngineUnavailable } from "../../EngineError.ts"
import { agentOptions, LimitedAgent } from "./agent.ts"
import { answers } from "./liveness.ts"

export type QueryValue = string | number | boolean | ReadonlyArray<string>

/** What docker-modem 5.0.7 reads from a dial; built anew for each call because it deletes keys of what it is given. */
export interface DialOptions {
  readonly path: string
  readonly method: string
  /** `_query` and `_body` apart: anything else would put the body, with the secrets in it, into the request line. */
  readonly options: {
    readonly _query: Readonly<Record<string, QueryValue>>
    readonly _body: unknown
  }
  readonly statusCodes: Readonly<Record<number, true>>
  readonly isStream: true
  readonly allowEmpty: boolean
  readonly hijack: boolean
  readonly abortSignal: AbortSignal
  readonly file?: Readable
}

/** A response, or the raw connection after an upgrade. */
export type Answer = IncomingMessage | Duplex

export type Dial = (options: DialOptions, callback: (error: Error | null, answer: Answer | null) => void) => void

export interface Connection {
  readonly endpoint: string
  /** E.g. `1.41`; empty before it is known. */
  readonly apiVersion: string
  readonly dial: Dial
  /** Connects ahead of the next call, if no connection is left for it. */
  readonly prepare: () => void
  /** Node's default agent opens as many unix sockets as there are calls. */
  readonly permits: Semaphore.Semaphore
  /** Of calls that clean up: others that hang, with a sick engine or object, keep none from them. */
  readonly urgentPermits: Semaphore.Semaphore
  readonly breaker: CircuitBreaker
}

const maxConcurrentCalls = 64

/** Failures in a row, over all calls of the connection: a burst of slow calls is not a dead engine, and any answer ends the row. */
const breakAfter = 5
/** Short, because a probe is one ping of at most `probeMillis`, and an engine that was killed is back within seconds. */
const openFor = "1 second"
const probeMillis = 2_000

/**
 * All keys are stated, also the empty ones: docker-modem fills what is missing from `DOCKER_HOST`, `DOCKER_CERT_PATH` … and then prefers
 * the host to the socket (dockerode#540). No `timeout` and no `connectionTimeout`: the first kills quiet streams, the second a slow
 * stop.
 */
const modemOptions = (address: URL, version: string | undefined, agent: LimitedAgent) => ({
  protocol: "http" as const,
  host: undefined,
  port: undefined,
  pathPrefix: "/",
  ca: undefined,
  cert: undefined,
  key: undefined,
  timeout: undefined,
  connectionTimeout: undefined,
  agent,
  version: version === undefined ? undefined : `v${version}`,
  ...(address.protocol === "unix:"
    ? { socketPath: decodeURIComponent(address.pathname) }
    : { socketPath: undefined, host: address.hostname, port: address.port || "2375" })
})

const unavailable = (endpoint: EngineEndpoint, detail: string) =>
  new EngineUnavailable({
    operation: "open the engine",
    endpoint: endpoint.address,
    reason: "other",
    detail
  })

const parseAddress = (endpoint: EngineEndpoint) => {
  if (!URL.canParse(endpoint.address)) {
    return Effect.fail(unavailable(endpoint, "the address is not of the form unix:///path or tcp://host:port"))
  }
  const url = new URL(endpoint.address)
  if (url.protocol === "unix:" && url.pathname.length > 1) return Effect.succeed(url)
  if (url.protocol === "tcp:" && url.hostname !== "") return Effect.succeed(url)
  return Effect.fail(
    unavailable(
      endpoint,
      url.protocol === "ssh:"
        ? "ssh: opens a session for each request; forward the socket instead (ssh -L /tmp/docker.sock:/var/run/docker.sock)"
        : "only unix:///path and tcp://host:port are supported"
    )
  )
}

/** Prepares calls to an endpoint; opens no connection yet. Without a version the paths are unversioned. */
export const connect = Effect.fnUntraced(function* (endpoint: EngineEndpoint, version: string | undefined) {
  const address = yield* parseAddress(endpoint)
  const agent = new LimitedAgent(agentOptions)
  const { modem } = yield* Effect.try({
    try: () => new Docker(modemOptions(address, version, agent)),
    // The constructor reads DOCKER_HOST and DOCKER_CERT_PATH and throws on nonsense there, though we use neither.
    catch: (cause) => unavailable(endpoint, `dockerode could not be set up: ${String(cause)}`)
  })
  const line = {
    endpoint: endpoint.address,
    apiVersion: version ?? "",
    dial: ((options, callback) =>
      modem.dial(options, (error, answer) =>
        answer === null || answer instanceof IncomingMessage || answer instanceof Duplex
          ? callback(error, answer)
          : callback(new Error("docker-modem answered with neither response nor socket"), null)
      )) satisfies Dial,
    prepare: agent.prepare,
    permits: Semaphore.makeUnsafe(maxConcurrentCalls),
    urgentPermits: Semaphore.makeUnsafe(maxConcurrentCalls)
  }
  const breaker = Breaker.make({
    name: `the engine at ${endpoint.address}`,
    threshold: breakAfter,
    openFor,
    probe: answers(line, "ping the engine", probeMillis)
  })
  const connection: Connection = { ...line, breaker }
  return connection
})
