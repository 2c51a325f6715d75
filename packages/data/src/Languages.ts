/** All languages that have code samples. A new one is a leaf in `samples/` and a line here. */
import * as Effect from "effect/Effect"
import { type Language, UnknownLanguage } from "./CodeSample.ts"
import { python } from "./samples/Python.ts"
import { shell } from "./samples/Shell.ts"

export const all: ReadonlyArray<Language> = [python, shell]

/** The language of this exact name, else `UnknownLanguage` with the known names. */
export const get = (name: string): Effect.Effect<Language, UnknownLanguage> => {
  const found = all.find((language) => language.name === name)
  return found === undefined
    ? Effect.fail(new UnknownLanguage({ language: name, known: all.map((known) => known.name) }))
    : Effect.succeed(found)
}
