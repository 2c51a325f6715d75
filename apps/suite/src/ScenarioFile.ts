/**
 * Loads a user's scenarios from a module: its default export is a scenario or an array of them. TypeScript is read as it is
 * (Node strips the types). A file outside this checkout may import `@sbx/*` and `effect`: they resolve to ours.
 */
import { registerHooks } from "node:module"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { isScenarioName, type Scenario } from "@sbx/core/Scenario"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Schema from "effect/Schema"
import type { Services } from "./Composition.ts"

/** The path leads to no file, the module does not load, or it exports something else. */
export class InvalidScenarioFile extends Schema.TaggedError<InvalidScenarioFile>()("InvalidScenarioFile", {
  path: Schema.String,
  reason: Schema.Literals(["not-found", "does-not-load", "wrong-export"]),
  detail: Schema.String
}) {
  override get message() {
    return `Could not load the scenarios of ${this.path}: ${this.detail}.\n${remedies[this.reason]}`
  }
}

const remedies = {
  "not-found": "Give the path of a module, e.g. ./my.scenario.ts.",
  "does-not-load": "Correct the module; `node <file>` shows the place.",
  "wrong-export":
    'Write `export default Scenario.make("category/name", { description: "…" }, effect)`, or an array of them.'
} as const

/** Resolves, relative to the working directory, to the scenarios in the order of the export. */
export const load = Effect.fn("ScenarioFile.load")(function* (
  file: string
): Effect.fn.Return<ReadonlyArray<Scenario<Services>>, InvalidScenarioFile, FileSystem> {
  const fs = yield* FileSystem
  const absolute = path.resolve(file)
  const invalid = (reason: InvalidScenarioFile["reason"], detail: string) =>
    new InvalidScenarioFile({ path: file, reason, detail })
  const isFile = yield* fs.stat(absolute).pipe(
    Effect.map(({ type }) => type === "File"),
    Effect.orElseSucceed(() => false)
  )
  if (!isFile) return yield* invalid("not-found", "there is no such file")
  resolveOurs()
  const module: unknown = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(absolute).href),
    catch: (cause) => invalid("does-not-load", cause instanceof Error ? cause.message : String(cause))
  })
  const exported = typeof module === "object" && module !== null && "default" in module ? module.default : undefined
  if (exported === undefined) return yield* invalid("wrong-export", "it has no default export")
  const scenarios: ReadonlyArray<unknown> = Array.isArray(exported) ? exported : [exported]
  if (!scenarios.every(isScenario)) {
    const at = scenarios.findIndex((one) => !isScenario(one))
    const which = Array.isArray(exported) ? `item ${at} of its default export` : "its default export"
    return yield* invalid("wrong-export", `${which} is no scenario`)
  }
  return scenarios
})

const isScenario = (value: unknown): value is Scenario<Services> =>
  typeof value === "object" &&
  value !== null &&
  "name" in value &&
  typeof value.name === "string" &&
  isScenarioName(value.name) &&
  "tags" in value &&
  Array.isArray(value.tags) &&
  "run" in value &&
  typeof value.run === "function"

const ours = /^(@sbx\/|@effect\/|effect(\/|$))/
let hooked = false

/** Only what the importing file cannot resolve itself, so a project with its own `@sbx/core` keeps it. */
const resolveOurs = (): void => {
  if (hooked) return
  hooked = true
  registerHooks({
    resolve: (specifier, context, next) => {
      try {
        return next(specifier, context)
      } catch (cause) {
        if (!ours.test(specifier)) throw cause
        return next(specifier, { ...context, parentURL: import.meta.url })
      }
    }
  })
}
