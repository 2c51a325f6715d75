/**
 * Asks an address whether a container engine answers there, before any adapter is built. Says which of the well-known
 * reasons it is when none does; speaks plain HTTP over a unix socket or TCP only.
 */
import * as Http from "node:http"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** `no-socket`: ENOENT; `permission-denied`: EACCES or EPERM; `refused`: ECONNREFUSED; `timeout`: accepted but silent. */
export class EndpointUnreachable extends Schema.TaggedError<EndpointUnreachable>()("EndpointUnreachable", {
  address: Schema.String,
  reason: Schema.Literals(["no-socket", "permission-denied", "refused", "timeout", "not-an-engine", "other"]),
  detail: Schema.String
}) {
  override get message() {
    return `Could not reach a container engine at ${this.address}: ${this.detail}.`
  }
}

export interface EngineVersion {
  readonly version: string
  readonly apiVersion: string
  /** Docker lists containerd only while it can talk to it (moby: fillContainerdVersion); other engines list other things. */
  readonly components: ReadonlyArray<string>
}

const VersionAnswer = Schema.fromJsonString(
  Schema.Struct({
    Version: Schema.String,
    ApiVersion: Schema.String,
    Components: Schema.optional(Schema.NullOr(Schema.Array(Schema.Struct({ Name: Schema.String }))))
  })
)
const decodeInfo = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({ ID: Schema.String })))
const decodeVersion = Schema.decodeUnknownEffect(VersionAnswer)

const reasons: Readonly<Record<string, EndpointUnreachable["reason"]>> = {
  ENOENT: "no-socket",
  ENOTSOCK: "refused",
  EACCES: "permission-denied",
  EPERM: "permission-denied",
  ECONNREFUSED: "refused"
}

/** Undefined for anything but `unix:///path` and `tcp://host:port`. */
export const requestTarget = (address: string): Http.RequestOptions | undefined => {
  if (address.startsWith("unix://")) return { socketPath: address.slice("unix://".length) }
  const tcp = /^(?:tcp|http):\/\/(?:\[([^\]]+)\]|([^:/]+))(?::(\d+))?\/?$/.exec(address)
  const host = tcp?.[1] ?? tcp?.[2]
  return host === undefined ? undefined : { host, port: Number(tcp?.[3] ?? 2375) }
}

const fetch = (address: string, path: string, target: Http.RequestOptions) =>
  Effect.callback<string, EndpointUnreachable>((resume) => {
    // A connection of its own: a pooled one could be a stale one of an engine that was restarted.
    const request = Http.get({ ...target, path, agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => (body += text))
      response.on("end", () => resume(Effect.succeed(body)))
    })
    request.on("error", (error: NodeJS.ErrnoException) => {
      const reason = reasons[error.code ?? ""] ?? "other"
      resume(Effect.fail(new EndpointUnreachable({ address, reason, detail: error.code ?? error.message })))
    })
    return Effect.sync(() => request.destroy())
  })

const get = Effect.fnUntraced(function* (address: string, path: string, timeoutMillis: number) {
  const target = requestTarget(address)
  if (target === undefined) {
    return yield* new EndpointUnreachable({ address, reason: "other", detail: "the address is not unix:// or tcp://" })
  }
  const detail = `no answer within ${timeoutMillis} ms`
  return yield* fetch(address, path, target).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMillis,
      orElse: () => Effect.fail(new EndpointUnreachable({ address, reason: "timeout", detail }))
    })
  )
})

const notAnEngine = (address: string) => () =>
  new EndpointUnreachable({ address, reason: "not-an-engine", detail: "the answer is not that of an engine" })

/** One attempt of at most `timeoutMillis`; retries are the caller's. */
export const probeEndpoint = Effect.fnUntraced(function* (
  address: string,
  timeoutMillis: number
): Effect.fn.Return<EngineVersion, EndpointUnreachable> {
  const body = yield* get(address, "/version", timeoutMillis)
  const answer = yield* Effect.mapError(decodeVersion(body), notAnEngine(address))
  const components = (answer.Components ?? []).map(({ Name }) => Name)
  return { version: answer.Version, apiVersion: answer.ApiVersion, components }
})

/** The engine's own id, as `/info` says. */
export const probeId = Effect.fnUntraced(function* (
  address: string,
  timeoutMillis: number
): Effect.fn.Return<string, EndpointUnreachable> {
  const body = yield* get(address, "/info", timeoutMillis)
  return (yield* Effect.mapError(decodeInfo(body), notAnEngine(address))).ID
})
