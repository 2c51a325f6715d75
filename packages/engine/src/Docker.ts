/**
 * The Engine on Docker's HTTP API, through dockerode. One connection point per layer; the API version is fixed when it is built.
 * Refuses engines older than API 1.41 (Docker 20.10), `ssh:` and TLS endpoints.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EngineEndpoint, EngineShape } from "./Engine.ts"
import { Engine } from "./Engine.ts"
import type { ApiVersionUnsupported, CallError } from "./EngineError.ts"
import * as Archive from "./internal/docker/archive.ts"
import type { Connection } from "./internal/docker/connection.ts"
import * as Containers from "./internal/docker/containers.ts"
import * as Events from "./internal/docker/events.ts"
import * as Exec from "./internal/docker/exec.ts"
import * as Images from "./internal/docker/images.ts"
import * as Info from "./internal/docker/info.ts"
import * as Logs from "./internal/docker/logs.ts"
import * as Networks from "./internal/docker/networks.ts"
import * as Stats from "./internal/docker/stats.ts"
import * as Volumes from "./internal/docker/volumes.ts"

const containers = (connection: Connection, hostMemory: Effect.Effect<number, CallError>) =>
  ({
    createContainer: (spec) => Containers.create(connection, spec),
    startContainer: (id) => Containers.start(connection, id),
    stopContainer: (id, { graceSeconds }) => Containers.stop(connection, id, graceSeconds),
    killContainer: (id, signal) => Containers.kill(connection, id, signal),
    pauseContainer: (id) => Containers.pause(connection, id, "pause"),
    unpauseContainer: (id) => Containers.pause(connection, id, "unpause"),
    removeContainer: (id) => Containers.remove(connection, id),
    inspectContainer: (id) => Containers.inspect(connection, id),
    listContainers: (labels) => Containers.list(connection, labels),
    updateContainer: (id, change) => Containers.update(connection, id, change),
    waitContainer: (id) => Containers.wait(connection, id),
    topContainer: (id) => Containers.top(connection, id),
    statsContainer: (id) => Effect.flatMap(hostMemory, (bytes) => Stats.stats(connection, id, bytes)),
    logs: (id, options) => Logs.logs(connection, id, options),
    exec: (id, spec) => Exec.exec(connection, id, spec),
    inspectExec: (execId) => Exec.inspect(connection, execId),
    getArchive: (id, path) => Archive.getArchive(connection, id, path),
    putArchive: (id, path, tar) => Archive.putArchive(connection, id, path, tar),
    statPath: (id, path) => Archive.statPath(connection, id, path)
  }) satisfies Partial<EngineShape>

const objects = (connection: Connection) =>
  ({
    listImages: (labels) => Images.list(connection, labels),
    inspectImage: (reference) => Images.inspect(connection, reference),
    importImage: (tar, options) => Images.importImage(connection, tar, options),
    removeImage: (reference) => Images.remove(connection, reference),
    listNetworks: (labels) => Networks.list(connection, labels),
    createNetwork: (options) => Networks.create(connection, options),
    removeNetwork: (id) => Networks.remove(connection, id),
    connectNetwork: (networkId, containerId, aliases) => Networks.attach(connection, networkId, containerId, aliases),
    disconnectNetwork: (networkId, containerId) => Networks.detach(connection, networkId, containerId),
    listVolumes: (labels) => Volumes.list(connection, labels),
    inspectVolume: (name) => Volumes.inspect(connection, name),
    createVolume: (options) => Volumes.create(connection, options),
    removeVolume: (name) => Volumes.remove(connection, name),
    events: (options) => Events.events(connection, options)
  }) satisfies Partial<EngineShape>

/** The first success is kept; a failure is not, so that a moment without the engine does not outlast itself. */
const remembered = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  let known: { readonly value: A } | undefined
  return Effect.suspend(() => {
    if (known !== undefined) return Effect.succeed(known.value)
    return Effect.map(effect, (value) => {
      known = { value }
      return value
    })
  })
}

/** The adapter as a value. Fails when the endpoint does not answer or speaks an API that we do not. */
export const make = Effect.fnUntraced(function* (
  endpoint: EngineEndpoint
): Effect.fn.Return<EngineShape, CallError | ApiVersionUnsupported> {
  const connection = yield* Info.negotiate(endpoint)
  const hostMemory = remembered(Info.hostMemory(connection))
  return {
    endpoint,
    ping: Info.ping(connection),
    info: Info.info(connection),
    ...containers(connection, hostMemory),
    ...objects(connection)
  }
})

/** The engine at an endpoint. Building it asks the engine for its version and nothing else. */
export const layer = (endpoint: EngineEndpoint): Layer.Layer<Engine, CallError | ApiVersionUnsupported> =>
  Layer.effect(Engine, make(endpoint))
