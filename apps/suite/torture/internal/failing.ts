/** Turns whatever a torture may fail with into the one error that says which torture and why. */
import * as Effect from "effect/Effect"
import { TortureFailed } from "../Torture.ts"

export const failing =
  (torture: string) =>
  <A, E extends { readonly message: string }, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, TortureFailed, R> =>
    Effect.mapError(self, (error) =>
      error instanceof TortureFailed ? error : new TortureFailed({ torture, detail: error.message.replace(/\.$/, "") })
    )
