/** What an engine says of itself, for doubles: nothing depends on it but its id. */
import type { EngineInfo } from "@sbx/engine/Engine"

export const engineInfo: EngineInfo = {
  id: "engine",
  version: "1",
  apiVersion: "1.41",
  operatingSystem: "",
  kernelVersion: "",
  architecture: "",
  cpus: 1,
  memoryBytes: 1,
  storageDriver: "",
  backingFilesystem: undefined,
  dataRoot: "",
  cgroupVersion: "1",
  cgroupDriver: "",
  defaultRuntime: "",
  runtimes: [],
  securityOptions: [],
  warnings: []
}
