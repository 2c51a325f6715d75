/**
 * The engine and images that real-engine tests run on: found as a user's would be. Run as a program, it prints the tests'
 * environment as one JSON line, keeps the engine leased until its standard input ends, and says on stderr what it does.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Engine } from "@sbx/engine/Engine"
import * as ImageBuilder from "@sbx/engine/ImageBuilder"
import type { ImageRecipe } from "@sbx/engine/ImageRecipe"
import * as Located from "@sbx/engine/Located"
import { base } from "@sbx/engine/recipes/Base"
import { tiny } from "@sbx/engine/recipes/Tiny"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const say = (progress: { readonly detail: string }) =>
  Effect.sync(() => process.stderr.write(`sbx: ${progress.detail}\n`))

/** `Engine`, `Located` and `ImageBuilder` on whatever engine is to be had; the private one is leased while the scope is open. */
export const layer = Located.layerDefault({ onProgress: say }).pipe(Layer.provideMerge(NodeServices.layer))

/** One line that differs whenever a cached real-engine verdict would not hold. */
export const fingerprint = Effect.gen(function* () {
  const located = yield* Located.Located
  const engine = yield* Engine
  return Located.fingerprint(located, yield* engine.info)
})

/** What the tests read from their environment; see `vitestEngine.ts`. */
export const testEnvironment = Effect.gen(function* () {
  const located = yield* Located.Located
  const builder = yield* ImageBuilder.ImageBuilder
  const ensure = (recipe: ImageRecipe) => builder.ensure(recipe, { onProgress: say })
  return {
    SBX_TEST_ENGINE: located.address,
    SBX_TEST_ENGINE_KIND: located.kind,
    SBX_TEST_IMAGE_TINY: (yield* ensure(tiny)).reference,
    SBX_TEST_IMAGE_BASE: (yield* ensure(base)).reference
  }
})

const untilInputEnds = Effect.callback<void>((resume) => {
  process.stdin.on("close", () => resume(Effect.void)).resume()
})

const serve = Effect.gen(function* () {
  const environment = yield* testEnvironment
  yield* Effect.sync(() => process.stdout.write(`${JSON.stringify(environment)}\n`))
  yield* untilInputEnds
})

if (import.meta.main) NodeRuntime.runMain(Effect.scoped(Effect.provide(serve, layer)))
