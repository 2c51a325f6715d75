/**
 * Which scenarios a command line means: a name, a category, a tag, or a path to a file of scenarios; none means all.
 * Refuses words that mean nothing, and a choice that comes to nothing: a run of nothing would pass.
 */
import type { Scenario } from "@sbx/core/Scenario"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { nearest } from "./internal/nearest.ts"

/** A selector means neither a scenario nor a category, tag or file. */
export class UnknownSelector extends Schema.TaggedError<UnknownSelector>()("UnknownSelector", {
  selector: Schema.String,
  /** The names it was probably meant to be. */
  nearest: Schema.Array(Schema.String)
}) {
  override get message() {
    const hint = this.nearest.length === 0 ? "" : `Nearest: ${this.nearest.join(", ")}. `
    return `Could not select "${this.selector}": it is no scenario, category, tag or file.\n${hint}\`sbx list\` shows all.`
  }
}

/** The selectors mean no scenario at all. */
export class NothingSelected extends Schema.TaggedError<NothingSelected>()("NothingSelected", {
  selectors: Schema.Array(Schema.String)
}) {
  override get message() {
    const what = this.selectors.length === 0 ? "no scenario is known" : `${this.selectors.join(", ")} holds none`
    return `Could not run: ${what}.\n\`sbx list\` shows what there is.`
  }
}

/** Two scenarios of one name: one of a file, and one of the suite or another file. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", { name: Schema.String }) {
  override get message() {
    return `Could not run: two scenarios are called ${this.name}.\nGive yours another name.`
  }
}

/** What is known of a scenario without running it. */
export type Described = Pick<Scenario<unknown>, "name" | "category" | "tags">

/** A path, not a name: it ends like a module, or starts like a path. */
export const isPath = (selector: string): boolean => /\.[cm]?[jt]s$/.test(selector) || /^[./~]/.test(selector)

const means = (selector: string, { name, category, tags }: Described): boolean =>
  selector === name || selector === category || tags.includes(selector)

/** Every word that selects something. */
export const words = (known: ReadonlyArray<Described>): ReadonlyArray<string> => [
  ...new Set(known.flatMap(({ name, category, tags }) => [name, category, ...tags]))
]

/**
 * The scenarios of `known` that `selectors` mean, in the order of `known`, each once; then those of `files`, which the
 * caller has loaded from the selectors that are paths.
 */
export const select = Effect.fnUntraced(function* <S extends Described>(
  known: ReadonlyArray<S>,
  selectors: ReadonlyArray<string>,
  files: ReadonlyArray<S> = []
): Effect.fn.Return<ReadonlyArray<S>, UnknownSelector | NothingSelected | NameTaken> {
  const named = selectors.filter((selector) => !isPath(selector))
  for (const selector of named) {
    if (!known.some((scenario) => means(selector, scenario)))
      return yield* new UnknownSelector({ selector, nearest: nearest(selector, words(known)) })
  }
  const chosen = selectors.length === 0 ? known : known.filter((one) => named.some((selector) => means(selector, one)))
  const all = [...chosen, ...files]
  if (all.length === 0) return yield* new NothingSelected({ selectors })
  const names = new Set<string>()
  for (const { name } of all) {
    if (names.has(name)) return yield* new NameTaken({ name })
    names.add(name)
  }
  return all
})
