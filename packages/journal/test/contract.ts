/** The contract suite: registers every law as a test on a fresh journal of the given layer. */
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Journal } from "@sbx/journal/Journal"
import { laws } from "./laws.ts"
import { History, subscribeLaw } from "./subscribeLaw.ts"

/** Builds a fresh, empty journal; `hubCapacity` small enough makes live subscribers overflow. */
export type Fresh = (options: { readonly hubCapacity: number }) => Layer.Layer<Journal, unknown>

export const journalContract = (name: string, fresh: Fresh, options?: { readonly runs?: number }): void => {
  describe(`${name} keeps the journal contract`, () => {
    for (const [title, law] of Object.entries(laws)) {
      it.live(title, () => Effect.provide(law, Layer.fresh(fresh({ hubCapacity: 64 }))))
    }
    for (const hubCapacity of [1, 64]) {
      it.live.prop(
        `delivers each event once and in order, whoever writes and however slow the consumer (hub of ${hubCapacity})`,
        { history: History },
        ({ history }) => Effect.provide(subscribeLaw(history), Layer.fresh(fresh({ hubCapacity }))),
        { arbitrary: { runs: options?.runs ?? 100 } }
      )
    }
  })
}
