/** `sbx list`: every scenario of the suite, by category. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Command } from "effect/cli"
import { catalog } from "../Catalog.ts"
import { json } from "../internal/flags.ts"
import { Output } from "../Output.ts"

const Listed = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    category: Schema.String,
    description: Schema.String,
    tags: Schema.Array(Schema.String),
    images: Schema.Array(Schema.String),
    needs: Schema.Array(Schema.String),
    exclusive: Schema.Boolean,
    dangerous: Schema.Boolean,
    long: Schema.Boolean
  })
)

const lines = (paint: Output["Service"]["paint"]): string => {
  const width = Math.max(0, ...catalog.map(({ name }) => name.length))
  return catalog
    .map(({ name, description, tags }) => {
      const tagged = tags.length === 0 ? "" : paint("dim", ` [${tags.join(", ")}]`)
      return `${name.padEnd(width)}  ${description}${tagged}`
    })
    .join("\n")
}

export const list = Command.make(
  "list",
  { json },
  Effect.fnUntraced(function* (input) {
    const output = yield* Output
    if (input.json) yield* output.json(Listed, catalog)
    else yield* output.print(lines(output.paint))
  })
).pipe(Command.withDescription("List the scenarios"))
