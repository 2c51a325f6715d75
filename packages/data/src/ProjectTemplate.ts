/**
 * Whole projects as values: a tree rendered from variables, and the commands that build, test and run it. Nothing is
 * written or run here. A variable that its ecosystem would refuse is refused with `InvalidVariable`, before rendering.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tree from "./Tree.ts"

export type Command = ReadonlyArray<string>

/** Write `files` to a folder and run the commands there, in the order of the fields. */
export interface Project {
  readonly template: string
  readonly files: Tree.Tree
  /** The commands that must be on the path. */
  readonly tools: ReadonlyArray<string>
  /** Each must exit with 0; none for interpreted languages. No network is needed. */
  readonly build: ReadonlyArray<Command>
  /** The project's own test runner: exits with 0 exactly when its tests pass. */
  readonly test: Command
  readonly run: Command
}

/** A variable of a template. */
export interface Variable {
  /** What it is for, and the rule with its source. */
  readonly description: string
  /** Used when no value is given; without it the variable must be given. */
  readonly fallback?: string
  /** Why a value cannot be used, as the end of "the value …", or nothing. */
  readonly fault: (value: string) => string | undefined
}

/** Deterministic: the same values give the same tree, byte for byte. */
export interface Template {
  readonly name: string
  readonly variables: Readonly<Record<string, Variable>>
  readonly render: (values: Readonly<Record<string, string>>) => Effect.Effect<Project, InvalidVariable>
}

/** A variable that is missing, that the template does not have, or whose value its ecosystem would refuse. */
export class InvalidVariable extends Schema.TaggedError<InvalidVariable>()("InvalidVariable", {
  template: Schema.String,
  variable: Schema.String,
  reason: Schema.Literals(["missing", "unknown", "invalid"]),
  fact: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `Could not render template ${this.template}: variable "${this.variable}" ${this.fact}.\n${this.remedy}`
  }
}

/** A template that does not exist. There is no fallback. */
export class UnknownTemplate extends Schema.TaggedError<UnknownTemplate>()("UnknownTemplate", {
  template: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not find template "${this.template}".\nUse one of: ${this.known.join(", ")}.`
  }
}

/** Derives a template from its variables and a pure function of their valid values. */
export const template = <K extends string>(definition: {
  readonly name: string
  readonly tools: ReadonlyArray<string>
  readonly variables: Readonly<Record<K, Variable>>
  readonly project: (values: Readonly<Record<K, string>>) => {
    readonly files: Readonly<Record<string, string>>
    /** Beyond the template's own. */
    readonly tools?: ReadonlyArray<string>
    readonly build?: ReadonlyArray<Command>
    readonly test: Command
    readonly run: Command
  }
}): Template => ({
  name: definition.name,
  variables: definition.variables,
  render: Effect.fn("ProjectTemplate.render")(function* (
    given: Readonly<Record<string, string>>
  ): Effect.fn.Return<Project, InvalidVariable> {
    const values = yield* checked(definition.name, definition.variables, given)
    const { files, tools = [], build = [], test, run } = definition.project(values)
    return {
      template: definition.name,
      files: Tree.makeUnsafe(Object.entries(files).map(([path, content]) => Tree.file(path, content))),
      tools: [...definition.tools, ...tools],
      build,
      test,
      run
    }
  })
})

function checked<K extends string>(
  name: string,
  variables: Readonly<Record<K, Variable>>,
  given: Readonly<Record<string, string>>
): Effect.Effect<Readonly<Record<K, string>>, InvalidVariable> {
  const fail = (variable: string, reason: InvalidVariable["reason"], fact: string, remedy: string) =>
    Effect.fail(new InvalidVariable({ template: name, variable, reason, fact, remedy }))
  const stranger = Object.keys(given).find((key) => !Object.hasOwn(variables, key))
  if (stranger !== undefined) {
    return fail(stranger, "unknown", "does not exist", `Use some of: ${Object.keys(variables).join(", ")}.`)
  }
  const values: Partial<Record<K, string>> = {}
  for (const key in variables) {
    const { description, fallback, fault } = variables[key]
    const value = Object.hasOwn(given, key) ? given[key] : fallback
    if (value === undefined) return fail(key, "missing", "has no value", `Give ${description}.`)
    const fact = fault(value)
    if (fact !== undefined) return fail(key, "invalid", fact, `Give ${description}.`)
    values[key] = value
  }
  return Effect.succeed(complete(values, variables))
}

/** Every key has a value once the loop has ended. */
function complete<K extends string>(
  values: Partial<Record<K, string>>,
  variables: Readonly<Record<K, Variable>>
): Readonly<Record<K, string>> {
  const isComplete = (some: Partial<Record<K, string>>): some is Record<K, string> =>
    Object.keys(variables).every((key) => Object.hasOwn(some, key))
  if (isComplete(values)) return values
  throw new Error("A checked variable has no value.")
}
