/** All languages that have code samples. A new one is a leaf in `samples/` and a line here. */
import * as Effect from "effect/Effect"
import { type Language, UnknownLanguage } from "./CodeSample.ts"
import { c } from "./samples/C.ts"
import { go } from "./samples/Go.ts"
import { javascript } from "./samples/JavaScript.ts"
import { python } from "./samples/Python.ts"
import { rust } from "./samples/Rust.ts"
import { shell } from "./samples/Shell.ts"
import { typescript } from "./samples/TypeScript.ts"

export const all: ReadonlyArray<Language> = [python, javascript, typescript, go, rust, c, shell]

/** The language of this exact name, else `UnknownLanguage` with the known names. */
export const get = (name: string): Effect.Effect<Language, UnknownLanguage> => {
  const found = all.find((language) => language.name === name)
  return found === undefined
    ? Effect.fail(new UnknownLanguage({ language: name, known: all.map((known) => known.name) }))
    : Effect.succeed(found)
}
