/**
 * The images of the suite's recipes, by name. Building them is `ImageBuilder`'s; asking for one that is present costs one call.
 */
import { type BuildError, type BuildOptions, ImageBuilder } from "@sbx/engine/ImageBuilder"
import type { ImageRecipe } from "@sbx/engine/ImageRecipe"
import { base } from "@sbx/engine/recipes/Base"
import { tiny } from "@sbx/engine/recipes/Tiny"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Every recipe that a scenario may name in its `images`. */
export const recipes = { base, tiny } satisfies Record<string, ImageRecipe>
export type RecipeName = keyof typeof recipes

export class Images extends Context.Service<
  Images,
  {
    /** Reference of the recipe's image, which is present when this succeeds. */
    readonly reference: (name: RecipeName) => Effect.Effect<string, BuildError>
  }
>()("@sbx/suite/Images") {}

export const layerWith = (options?: BuildOptions): Layer.Layer<Images, never, ImageBuilder> =>
  Layer.effect(
    Images,
    Effect.gen(function* () {
      const builder = yield* ImageBuilder
      return {
        reference: (name) => Effect.map(builder.ensure(recipes[name], options), (image) => image.reference)
      }
    })
  )
