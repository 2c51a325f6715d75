/** Where the integration tests find their engine and images; a missing engine is red with advice, never skipped. */
import * as Docker from "@sbx/engine/Docker"
import type { EngineEndpoint } from "@sbx/engine/Engine"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const named = (name: string) => Config.String(name).pipe(Config.withDefault(undefined))

/** `SBX_TEST_ENGINE_KIND=private` says that weakened sandboxes may run there; the tests of this package also ask for it explicitly. */
const endpoint = Effect.gen(function* () {
  const address = (yield* named("SBX_TEST_ENGINE")) ?? (yield* named("DOCKER_HOST"))
  const kind = yield* named("SBX_TEST_ENGINE_KIND")
  if (address === undefined)
    return yield* Effect.die(
      new Error("no engine for the tests: set SBX_TEST_ENGINE or DOCKER_HOST, or run `./sbx test`")
    )
  return { address, kind: kind === "private" ? "private" : "explicit" } satisfies EngineEndpoint
})

/** The engine under test. */
export const engineLayer = Layer.unwrap(Effect.map(endpoint, Docker.layer))

export const baseImage = Config.String("SBX_TEST_IMAGE_BASE")
export const tinyImage = Config.String("SBX_TEST_IMAGE_TINY")
