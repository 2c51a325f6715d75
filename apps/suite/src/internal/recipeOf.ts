/** The recipe of a name that a user or a scenario gave. */
import type { ImageRecipe } from "@sbx/engine/ImageRecipe"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { recipes } from "../Images.ts"
import { nearest } from "./nearest.ts"

/** No recipe of that name. */
export class UnknownRecipe extends Schema.TaggedError<UnknownRecipe>()("UnknownRecipe", {
  name: Schema.String,
  nearest: Schema.Array(Schema.String)
}) {
  override get message() {
    const known = this.nearest.length === 0 ? Object.keys(recipes) : this.nearest
    return `Could not find the image "${this.name}": there is no such recipe.\n${this.nearest.length === 0 ? "Known" : "Nearest"}: ${known.join(", ")}.`
  }
}

export const all: ReadonlyArray<ImageRecipe> = Object.values(recipes)

export const recipeOf = (name: string): Effect.Effect<ImageRecipe, UnknownRecipe> => {
  const found = all.find((recipe) => recipe.name === name)
  return found === undefined
    ? Effect.fail(
        new UnknownRecipe({
          name,
          nearest: nearest(
            name,
            all.map((recipe) => recipe.name)
          )
        })
      )
    : Effect.succeed(found)
}
