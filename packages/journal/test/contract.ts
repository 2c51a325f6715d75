/** The contract suite: registers every law as a test on a fresh journal of the given layer. */
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Journal } from "@sbx/journal/Journal"
import type { AnyProjection } from "@sbx/journal/Projection"
import { balances } from "./accounts.ts"
import { appendAllLaws } from "./appendAllLaws.ts"
import { deciderLaws } from "./deciderLaws.ts"
import type { Law } from "./laws.ts"
import { laws } from "./laws.ts"
import { transferLaws } from "./transferLaws.ts"
import { inlineLaws, projectionLaws } from "./projectionLaws.ts"
import { History, subscribeLaw } from "./subscribeLaw.ts"

/** Small sizes: a small hub makes live subscribers overflow, small pages let commits fall between two of them. */
interface Tuning {
  readonly hubCapacity?: number
  readonly pageSize?: number
}

interface Options extends Tuning {
  readonly inline?: ReadonlyArray<AnyProjection>
}

/** Builds a fresh, empty journal, with inline projections if it is given any. */
export type Fresh = (options: Options) => Layer.Layer<Journal, unknown>

/** Every law by its title. */
export const allLaws: Readonly<Record<string, Law>> = {
  ...laws,
  ...appendAllLaws,
  ...deciderLaws,
  ...projectionLaws,
  ...transferLaws
}

const tunings: ReadonlyArray<Tuning> = [{ hubCapacity: 1 }, { pageSize: 2 }, { hubCapacity: 2, pageSize: 3 }]

export const journalContract = (name: string, fresh: Fresh, options?: { readonly runs?: number }): void => {
  describe(`${name} keeps the journal contract`, () => {
    for (const [title, law] of Object.entries(allLaws)) {
      it.live(title, () => Effect.provide(law, Layer.fresh(fresh({}))))
    }
    for (const [title, law] of Object.entries(inlineLaws)) {
      it.live(title, () => Effect.provide(law, Layer.fresh(fresh({ inline: [balances(1, "inline")] }))))
    }
    for (const tuning of tunings) {
      it.live.prop(
        `delivers each event once and in order, whoever writes and however slow the consumer (${JSON.stringify(tuning)})`,
        { history: History },
        ({ history }) => Effect.provide(subscribeLaw(history), Layer.fresh(fresh(tuning))),
        { arbitrary: { runs: options?.runs ?? 100 } }
      )
    }
  })
}
