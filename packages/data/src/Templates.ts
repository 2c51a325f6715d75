/** All project templates. A new one is a leaf in `templates/` and a line here. */
import * as Effect from "effect/Effect"
import { type Template, UnknownTemplate } from "./ProjectTemplate.ts"
import { cProgram } from "./templates/CProgram.ts"
import { goModuleTemplate } from "./templates/GoModule.ts"
import { nodeService } from "./templates/NodeService.ts"
import { polyglot } from "./templates/Polyglot.ts"
import { pythonPackage } from "./templates/PythonPackage.ts"
import { rustCrateTemplate } from "./templates/RustCrate.ts"

export const all: ReadonlyArray<Template> = [
  pythonPackage,
  nodeService,
  goModuleTemplate,
  rustCrateTemplate,
  cProgram,
  polyglot
]

/** The template of this exact name, else `UnknownTemplate` with the known names. */
export const get = (name: string): Effect.Effect<Template, UnknownTemplate> => {
  const found = all.find((template) => template.name === name)
  return found === undefined
    ? Effect.fail(new UnknownTemplate({ template: name, known: all.map((known) => known.name) }))
    : Effect.succeed(found)
}
