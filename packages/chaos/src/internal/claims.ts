/** Who holds which part of which target, within one injector. Refuses a second holder at once; nobody waits. */
import * as Effect from "effect/Effect"
import { Conflict } from "../FaultError.ts"

export interface Claims {
  readonly acquire: (options: {
    readonly fault: string
    readonly faultId: string
    readonly containerId: string
    readonly name: string
    readonly claim: string
  }) => Effect.Effect<{ readonly release: Effect.Effect<void> }, Conflict>
}

export const makeClaims = (): Claims => {
  const holders = new Map<string, string>()
  return {
    acquire: ({ claim, containerId, fault, faultId, name }) =>
      Effect.suspend(() => {
        const key = `${claim}/${containerId}`
        const holder = holders.get(key)
        if (holder !== undefined) return Effect.fail(new Conflict({ fault, claim: `${claim} of ${name}`, holder }))
        holders.set(key, faultId)
        return Effect.succeed({ release: Effect.sync(() => void holders.delete(key)) })
      })
  }
}
