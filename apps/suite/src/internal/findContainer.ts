/** Which container of the engine a user means: by its name, its id, or the beginning of its id, as engines take them. */
import type { ContainerSummary } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { nearest } from "./nearest.ts"

/** The engine has no such container. */
export class UnknownContainer extends Schema.TaggedError<UnknownContainer>()("UnknownContainer", {
  container: Schema.String,
  /** Addresses of the engine that was asked. */
  engine: Schema.String,
  nearest: Schema.Array(Schema.String),
  /** How many containers it has. */
  known: Schema.Int
}) {
  override get message() {
    const hint =
      this.nearest.length > 0
        ? `Nearest: ${this.nearest.join(", ")}.`
        : this.known === 0
          ? "It has no containers; is it the engine that you mean? DOCKER_HOST chooses another."
          : `None of its ${this.known} containers is called alike.`
    return `Could not find the container "${this.container}" on ${this.engine}.\n${hint}`
  }
}

/** The beginning of an id is that of several. */
export class AmbiguousContainer extends Schema.TaggedError<AmbiguousContainer>()("AmbiguousContainer", {
  container: Schema.String,
  matches: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Could not choose the container "${this.container}": ${this.matches.length} ids begin so.\nGive more of the id, or a name: ${this.matches.join(", ")}.`
  }
}

/** A name wins over an id, a whole id over a beginning. */
export const findContainer = (
  containers: ReadonlyArray<ContainerSummary>,
  text: string,
  engine: string
): Effect.Effect<ContainerSummary, UnknownContainer | AmbiguousContainer> => {
  const exact = containers.find(({ name }) => name === text) ?? containers.find(({ id }) => id === text)
  if (exact !== undefined) return Effect.succeed(exact)
  const begun = text === "" ? [] : containers.filter(({ id }) => id.startsWith(text))
  const [first, second] = begun
  if (first !== undefined && second === undefined) return Effect.succeed(first)
  const names = (first === undefined ? containers : begun).map(({ name }) => name)
  return Effect.fail(
    first === undefined
      ? new UnknownContainer({ container: text, engine, nearest: nearest(text, names), known: names.length })
      : new AmbiguousContainer({ container: text, matches: names })
  )
}
