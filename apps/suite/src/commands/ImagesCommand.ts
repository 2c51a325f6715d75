/** `sbx images`: the recipes, which of them the engine has, building them, and a recipe as a Dockerfile. */
import * as Docker from "@sbx/engine/Docker"
import { EngineLocator } from "@sbx/engine/EngineLocator"
import { ImageBuilder } from "@sbx/engine/ImageBuilder"
import * as ImageRecipe from "@sbx/engine/ImageRecipe"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Argument, Command } from "effect/cli"
import * as Composition from "../Composition.ts"
import { install, json } from "../internal/flags.ts"
import { all, recipeOf } from "../internal/recipeOf.ts"
import { report } from "../internal/stepProgress.ts"
import { Output } from "../Output.ts"
import { Progress } from "../Progress.ts"

const Listed = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    reference: Schema.String,
    /** Null when no engine answers. */
    present: Schema.NullOr(Schema.Boolean)
  })
)

/** References that the engine has; nothing when none answers. Starts nothing. */
const references = Effect.gen(function* () {
  const { kind, address } = yield* (yield* EngineLocator).locate()
  const images = yield* (yield* Docker.make({ kind, address })).listImages({})
  return new Set(images.flatMap((image) => image.references))
}).pipe(
  Effect.scoped,
  Effect.provide(Composition.enginesAsTheyAre),
  Effect.orElseSucceed(() => undefined)
)

const list = Command.make(
  "list",
  { json },
  Effect.fnUntraced(function* (input) {
    const output = yield* Output
    const there = yield* references
    const listed = all.map((recipe) => {
      const reference = ImageRecipe.reference(recipe)
      return { name: recipe.name, reference, present: there?.has(reference) ?? null }
    })
    if (input.json) return yield* output.json(Listed, listed)
    const state = (present: boolean | null) =>
      present === null ? "no engine answers" : present ? "present" : "not built"
    yield* output.print(
      listed.map(({ name, reference, present }) => `${name.padEnd(10)} ${reference}  ${state(present)}`).join("\n")
    )
  })
).pipe(Command.withDescription("List the images and whether the engine has them"))

const build = Command.make(
  "build",
  {
    names: Argument.String("name").pipe(
      Argument.withDescription("Recipes; all when none is named"),
      Argument.variadic()
    ),
    install
  },
  Effect.fnUntraced(function* (input) {
    const wanted = input.names.length === 0 ? all : yield* Effect.forEach(input.names, recipeOf)
    yield* buildAll(wanted, input.install).pipe(Effect.provide(Composition.engine({ install: input.install })))
  })
).pipe(Command.withDescription("Build the images that the engine lacks"))

const buildAll = Effect.fnUntraced(function* (wanted: ReadonlyArray<ImageRecipe.ImageRecipe>, mayInstall: boolean) {
  const output = yield* Output
  const progress = yield* Progress
  const builder = yield* ImageBuilder
  for (const recipe of wanted) {
    const { reference, origin } = yield* builder.ensure(recipe, { install: mayInstall, onProgress: report(progress) })
    yield* progress.status("")
    yield* output.print(`${reference} ${origin}`)
  }
})

const dockerfile = Command.make(
  "dockerfile",
  { name: Argument.String("name").pipe(Argument.withDescription("Recipe")) },
  Effect.fnUntraced(function* (input) {
    const recipe = yield* recipeOf(input.name)
    yield* (yield* Output).print(ImageRecipe.toDockerfile(recipe).trimEnd())
  })
).pipe(Command.withDescription("Print a recipe as a Dockerfile"))

export const images = Command.make("images").pipe(
  Command.withDescription("List or build the images of the scenarios"),
  Command.withSubcommands([list, build, dockerfile])
)
