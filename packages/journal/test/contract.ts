/** The contract suite: registers every law as a test on a fresh journal of the given layer. */
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Journal } from "@sbx/journal/Journal"
import { laws } from "./laws.ts"
import { History, subscribeLaw } from "./subscribeLaw.ts"

/** Small sizes: a small hub makes live subscribers overflow, small pages let commits fall between two of them. */
type Tuning = { readonly hubCapacity?: number; readonly pageSize?: number }

/** Builds a fresh, empty journal. */
export type Fresh = (tuning: Tuning) => Layer.Layer<Journal, unknown>

const tunings: ReadonlyArray<Tuning> = [{ hubCapacity: 1 }, { pageSize: 2 }, { hubCapacity: 2, pageSize: 3 }]

export const journalContract = (name: string, fresh: Fresh, options?: { readonly runs?: number }): void => {
  describe(`${name} keeps the journal contract`, () => {
    for (const [title, law] of Object.entries(laws)) {
      it.live(title, () => Effect.provide(law, Layer.fresh(fresh({}))))
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
