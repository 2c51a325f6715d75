/** A bad environment variable as name, value and expectation, like every other setting. */
import { InvalidSetting } from "@sbx/core/Environment"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SchemaIssue from "effect/SchemaIssue"

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** The error to show instead of effect's own. */
export const explainConfig = Effect.fnUntraced(function* (
  error: Config.ConfigError
): Effect.fn.Return<never, Config.ConfigError | InvalidSetting> {
  const { cause } = error
  // The source itself could not be read; that is no matter of a value.
  if (cause._tag !== "SchemaError") return yield* Effect.fail(error)
  const [first] = issuesOf(cause.issue).issues
  const [key] = first?.path ?? []
  const name = typeof key === "string" ? key : "the environment"
  const value = yield* Config.option(Config.String(name)).pipe(Effect.orElseSucceed(() => Option.none()))
  const expectation = (first?.message ?? error.message).replace(/^Expected /, "")
  return yield* new InvalidSetting({ name, value: Option.getOrElse(value, () => ""), expectation })
})
