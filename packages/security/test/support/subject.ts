/** Containers for the integration tests: always removed, and counted afterwards. */
import { resolve } from "@sbx/core/SandboxOptions"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import { makeId } from "@sbx/core/SandboxId"
import { controlLabel } from "../../src/Controls.ts"
import { fromSandbox } from "../../src/HardenedReference.ts"

/** The label of everything that these tests make themselves. */
export const testLabel = "sbx-test-security"

/** The hardened reference for an image, as a spec and its expectation. */
export const hardenedFor = (image: string) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const sandbox = yield* resolve({ image })
    return { ...fromSandbox(sandbox, yield* engine.info), sandbox }
  })

/** A running container that is gone when the scope closes. */
export const running = Effect.fnUntraced(function* (spec: ContainerSpec) {
  const engine = yield* Engine
  const name = (yield* makeId("subject")).replace("_", "-")
  const containerId = yield* Effect.acquireRelease(
    engine.createContainer({ ...spec, name, labels: { [testLabel]: "1" } }),
    (id) => Effect.orDie(engine.removeContainer(id))
  )
  yield* engine.startContainer(containerId)
  return { containerId, name }
})

/** Weakened sandboxes on the engine that this audit owns. */
export const controlsOf = (owner: string) =>
  Effect.flatMap(Engine, (engine) => engine.listContainers({ [controlLabel]: "", "sbx-test-owner": owner }))
