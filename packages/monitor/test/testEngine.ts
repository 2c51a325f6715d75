/** The real engine of integration tests: `SBX_TEST_ENGINE`, else `DOCKER_HOST`; without either every test is red with advice. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import * as Docker from "@sbx/engine/Docker"
import { Engine } from "@sbx/engine/Engine"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

const endpoint = Config.String("SBX_TEST_ENGINE").pipe(Config.orElse(() => Config.String("DOCKER_HOST")))
const tiny = Config.String("SBX_TEST_IMAGE_TINY")
export const base = Config.String("SBX_TEST_IMAGE_BASE")

export const engineLayer = Layer.unwrap(
  Effect.gen(function* () {
    const address = yield* Effect.option(endpoint)
    if (Option.isNone(address))
      return yield* Effect.die(
        new Error("No engine: set DOCKER_HOST (or SBX_TEST_ENGINE) to run the integration tests.")
      )
    return Docker.layer({ kind: "explicit", address: address.value })
  })
)

/** Starts a container that is removed with the scope. Names are unique per run, so that runs do not meet. */
export const container = Effect.fnUntraced(function* (
  name: string,
  spec: Omit<ContainerSpec, "name" | "image"> & { readonly image?: string }
) {
  const engine = yield* Engine
  const image = spec.image ?? (yield* tiny)
  const suffix = yield* Random.nextIntBetween(0, 36 ** 6)
  const unique = `sbx-test-monitor-${name}-${suffix.toString(36)}`
  const containerId = yield* Effect.acquireRelease(
    engine.createContainer({ labels: { "sbx.test": "monitor" }, ...spec, image, name: unique }),
    (id) => Effect.orDie(engine.removeContainer(id))
  )
  yield* engine.startContainer(containerId)
  return { containerId, name: unique } satisfies ContainerTarget
})
