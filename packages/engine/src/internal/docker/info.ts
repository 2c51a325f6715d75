/** What the engine says of itself, and which API version we speak with it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { EngineEndpoint, EngineInfo } from "../../Engine.ts"
import { ApiVersionUnsupported, EngineProtocolError } from "../../EngineError.ts"
import { connect } from "./connection.ts"
import type { Connection } from "./connection.ts"
import { failure } from "./errors.ts"
import { send, sendJson } from "./request.ts"
import { maybe, nonEmpty, Strings } from "./wire.ts"

/** One-shot stats came with 1.41 (Docker 20.10). */
const minimumApiVersion = "1.41"
/** The newest whose answers we have read; a newer engine serves it (moby keeps older versions for years). */
const maximumApiVersion = "1.47"

const Version = Schema.Struct({
  Version: Schema.String,
  ApiVersion: Schema.String.check(Schema.isPattern(/^\d+\.\d+$/)),
  MinAPIVersion: maybe(Schema.String)
})

const pollMillis = 10_000

const compareVersions = (left: string, right: string) => {
  const [a = 0, b = 0] = left.split(".").map(Number)
  const [c = 0, d = 0] = right.split(".").map(Number)
  return a === c ? b - d : a - c
}

/** Asks for the version without one in the path, as a request with a version that is too new or too old is refused. */
export const negotiate = Effect.fnUntraced(function* (endpoint: EngineEndpoint) {
  const unversioned = yield* connect(endpoint, undefined)
  const server = yield* sendJson(
    unversioned,
    { operation: "reach the engine", method: "GET", path: ["version"], timeoutMillis: pollMillis },
    Version
  ).pipe(Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal))))
  const facts = {
    endpoint: endpoint.address,
    serverVersion: server.ApiVersion,
    minimum: minimumApiVersion
  }
  if (compareVersions(server.ApiVersion, minimumApiVersion) < 0) {
    return yield* new ApiVersionUnsupported(facts)
  }
  const serverMinimum = nonEmpty(server.MinAPIVersion) ?? "0.0"
  if (compareVersions(serverMinimum, maximumApiVersion) > 0) {
    return yield* new ApiVersionUnsupported({
      ...facts,
      serverMinimum,
      maximum: maximumApiVersion
    })
  }
  const version = compareVersions(server.ApiVersion, maximumApiVersion) < 0 ? server.ApiVersion : maximumApiVersion
  return yield* connect(endpoint, version)
})

export const ping = (connection: Connection) =>
  send(connection, {
    operation: "ping the engine",
    method: "GET",
    path: ["_ping"],
    timeoutMillis: pollMillis
  }).pipe(
    Effect.asVoid,
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal)))
  )

const Info = Schema.Struct({
  ID: maybe(Schema.String),
  ServerVersion: Schema.String,
  OperatingSystem: maybe(Schema.String),
  KernelVersion: maybe(Schema.String),
  Architecture: maybe(Schema.String),
  NCPU: Schema.Finite,
  MemTotal: Schema.Finite,
  Driver: maybe(Schema.String),
  DriverStatus: maybe(Schema.Array(Strings)),
  DockerRootDir: maybe(Schema.String),
  CgroupVersion: maybe(Schema.String),
  CgroupDriver: maybe(Schema.String),
  DefaultRuntime: maybe(Schema.String),
  Runtimes: maybe(Schema.Record(Schema.String, Schema.Unknown)),
  SecurityOptions: maybe(Strings),
  Warnings: maybe(Strings)
})

const toInfo = (wire: typeof Info.Type, apiVersion: string): EngineInfo => ({
  id: wire.ID ?? "",
  version: wire.ServerVersion,
  apiVersion,
  operatingSystem: wire.OperatingSystem ?? "",
  kernelVersion: wire.KernelVersion ?? "",
  architecture: wire.Architecture ?? "",
  cpus: wire.NCPU,
  memoryBytes: wire.MemTotal,
  storageDriver: wire.Driver ?? "",
  backingFilesystem: wire.DriverStatus?.find(([key]) => key === "Backing Filesystem")?.[1],
  dataRoot: wire.DockerRootDir ?? "",
  cgroupVersion: wire.CgroupVersion === "1" || wire.CgroupVersion === "2" ? wire.CgroupVersion : "unknown",
  cgroupDriver: wire.CgroupDriver ?? "",
  defaultRuntime: wire.DefaultRuntime ?? "",
  runtimes: Object.keys(wire.Runtimes ?? {}),
  securityOptions: wire.SecurityOptions ?? [],
  warnings: wire.Warnings ?? []
})

export const info = (connection: Connection) =>
  sendJson(connection, { operation: "read the engine's information", method: "GET", path: ["info"] }, Info).pipe(
    Effect.map((wire) => toInfo(wire, connection.apiVersion)),
    Effect.catchTag("Refusal", (refusal) => Effect.fail(failure(refusal)))
  )

/** Bytes of memory of the engine's host, asked once: a limit that equals it is none. Zero would make every limit "none". */
export const hostMemory = (connection: Connection) =>
  Effect.filterOrFail(
    Effect.map(info(connection), ({ memoryBytes }) => memoryBytes),
    (bytes) => bytes > 0,
    () =>
      new EngineProtocolError({
        operation: "read the engine's information",
        detail: "the host's memory is not reported"
      })
  )
