/**
 * What a torture is: many rounds of the same harm at drawn moments, each judged by what is left afterwards. Round and seed decide
 * everything that is drawn, so a round that failed is repeated with `--seed S --from N --rounds 1`.
 */
import * as Schema from "effect/Schema"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TorturePlace } from "./internal/place.ts"
import type { Services } from "./internal/services.ts"

export const Round = Schema.Struct({
  round: Schema.Int,
  /** What was done and seen, in a line. */
  what: Schema.String,
  /** Measurements of the round, e.g. how long the clean-up took, in milliseconds. */
  figures: Schema.Record(Schema.String, Schema.Finite),
  /** What does not hold; none when the round passed. */
  violations: Schema.Array(Schema.String)
})
export type Round = typeof Round.Type

/** The round could not be carried out, so nothing was shown. */
export class TortureFailed extends Schema.TaggedError<TortureFailed>()("TortureFailed", {
  torture: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not carry out ${this.torture}: ${this.detail}.\nSee \`sbx doctor\`; \`sbx reap\` removes what it may have left.`
  }
}

export interface RoundOptions {
  readonly round: number
  readonly seed: number
}

/** A torture that is ready to be carried out. */
export interface Prepared {
  readonly harm: (options: RoundOptions) => Effect.Effect<Round, TortureFailed, Services | TorturePlace | Scope.Scope>
  /** After the last round: what only shows later, as violations. */
  readonly settle: Effect.Effect<ReadonlyArray<string>, TortureFailed, Services>
}

export interface Torture {
  readonly name: string
  readonly description: string
  /** What `--rounds` is when it is not given. */
  readonly rounds: number
  /** Runs once, before the first round: what is measured here bounds the moments that are drawn. */
  readonly prepare: Effect.Effect<Prepared, TortureFailed, Services | TorturePlace | Scope.Scope>
  /** Said about the rounds together: what no single round can show, such as that anything was ever in flight. */
  readonly conclude: (rounds: ReadonlyArray<Round>) => ReadonlyArray<string>
}
