/**
 * An engine that is not there any more: it holds nothing, so removing from it succeeds and everything else is refused. What it
 * left on this machine (workspace images, uid leases) is cleared by the same rules as beside a living one.
 */
import type { EngineInfo, EngineShape } from "@sbx/engine/Engine"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Nothing is known of it but its id. */
const infoOf = (id: string): EngineInfo => ({
  id,
  version: "",
  apiVersion: "",
  operatingSystem: "",
  kernelVersion: "",
  architecture: "",
  cpus: 0,
  memoryBytes: 0,
  storageDriver: "",
  backingFilesystem: undefined,
  dataRoot: "",
  cgroupVersion: "unknown",
  cgroupDriver: "",
  defaultRuntime: "",
  runtimes: [],
  securityOptions: [],
  warnings: []
})

const none = () => Effect.succeed([])
const gone = () => Effect.void

/** `id` as the engine gave it when it lived. */
export const absentEngine = (id: string): EngineShape => {
  const endpoint = { kind: "private" as const, address: "" }
  const detail = "it is not there any more"
  const error = new EngineUnavailable({ operation: "use the engine", endpoint: id, reason: "no-socket", detail })
  const refuse = () => Effect.fail(error)
  const refuseStream = () => Stream.fail(error)
  return {
    endpoint,
    info: Effect.succeed(infoOf(id)),
    ping: Effect.fail(error),
    listImages: none,
    listContainers: none,
    listNetworks: none,
    listVolumes: none,
    removeImage: gone,
    removeContainer: gone,
    removeNetwork: gone,
    removeVolume: gone,
    inspectImage: refuse,
    importImage: refuse,
    createContainer: refuse,
    startContainer: refuse,
    stopContainer: refuse,
    killContainer: refuse,
    pauseContainer: refuse,
    unpauseContainer: refuse,
    inspectContainer: refuse,
    updateContainer: refuse,
    waitContainer: refuse,
    topContainer: refuse,
    statsContainer: refuse,
    exec: refuse,
    inspectExec: refuse,
    putArchive: refuse,
    statPath: refuse,
    createNetwork: refuse,
    connectNetwork: refuse,
    disconnectNetwork: refuse,
    inspectVolume: refuse,
    createVolume: refuse,
    logs: refuseStream,
    getArchive: refuseStream,
    events: refuseStream
  }
}
