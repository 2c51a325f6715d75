/** The engine and the image that real-engine tests run on; vitest's global set-up names them in the environment. */
import { Config, Data, Effect, Layer, Option } from "effect"
import * as Docker from "../../src/Docker.ts"
import type { EngineEndpoint } from "../../src/Engine.ts"

const advice =
  "Could not find an engine for the tests: neither SBX_TEST_ENGINE nor DOCKER_HOST is set.\nRun them with `./sbx test`, or set DOCKER_HOST=unix:///path/to/docker.sock."

const address = Config.String("SBX_TEST_ENGINE").pipe(
  Config.orElse(() => Config.String("DOCKER_HOST")),
  Config.option
)

/** No engine is red with advice, never a skip. */
class NoTestEngine extends Data.TaggedError("NoTestEngine")<{ readonly message: string }> {}

export const testEndpoint = Effect.gen(function* () {
  const found = yield* address
  if (Option.isNone(found)) return yield* new NoTestEngine({ message: advice })
  const endpoint: EngineEndpoint = { kind: "explicit", address: found.value }
  return endpoint
})

/** A static busybox with a shell. */
export const testImage = Config.String("SBX_TEST_IMAGE_TINY")

export const testEngine = Layer.unwrap(Effect.map(testEndpoint, Docker.layer))
