/**
 * The engine and images that real-engine tests run on: found as a user's would be, or given by `SBX_TEST_ENGINE`.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as DistributionPackages from "@sbx/engine/DistributionPackages"
import { Engine } from "@sbx/engine/Engine"
import * as EngineLocator from "@sbx/engine/EngineLocator"
import * as ImageBuilder from "@sbx/engine/ImageBuilder"
import type { ImageRecipe } from "@sbx/engine/ImageRecipe"
import * as Located from "@sbx/engine/Located"
import * as PrivateEngine from "@sbx/engine/PrivateEngine"
import { base } from "@sbx/engine/recipes/Base"
import { tiny } from "@sbx/engine/recipes/Tiny"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const locator = EngineLocator.layer.pipe(
  Layer.provideMerge(PrivateEngine.layer),
  Layer.provideMerge(DistributionPackages.layer),
  Layer.provideMerge(NodeServices.layer)
)

const say = (progress: { readonly detail: string }) =>
  Effect.sync(() => process.stderr.write(`sbx: ${progress.detail}\n`))

/** `Engine`, `Located` and `ImageBuilder` on whatever engine is to be had; the private one is leased while the scope is open. */
export const layer = ImageBuilder.layer.pipe(
  Layer.provideMerge(Located.layer({ onProgress: say })),
  Layer.provideMerge(locator)
)

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
