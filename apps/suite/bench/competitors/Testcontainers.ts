/**
 * testcontainers-node as its documentation shows it, on the same engine and image, its reaper switched off. It reads the engine
 * from the environment, so this is the one place of the benchmark that writes there.
 */
import type { EngineEndpoint } from "@sbx/engine/Engine"
import { env } from "node:process"

/** Must be called before the first container; the library keeps the client it finds then. */
export const useEngine = (endpoint: EngineEndpoint): void => {
  env["DOCKER_HOST"] = endpoint.address
  env["TESTCONTAINERS_RYUK_DISABLED"] = "true"
}

export interface StartedContainer {
  readonly id: string
  readonly remove: () => Promise<void>
}

/** Starts on the engine's default bridge; resolves when the library says that it started. */
export const start = async (image: string, labels: Record<string, string>): Promise<StartedContainer> => {
  const { GenericContainer } = await import("testcontainers")
  const started = await new GenericContainer(image).withCommand(["sleep", "infinity"]).withLabels(labels).start()
  return { id: started.getId(), remove: async () => void (await started.stop({ timeout: 0, removeVolumes: true })) }
}
