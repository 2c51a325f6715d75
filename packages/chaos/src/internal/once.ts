/** Remembers what a probe found, per key. Only settled answers are kept: an engine that did not answer is asked again. */
import type { EngineError } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { FaultTools } from "../FaultKind.ts"
import type { Unsupported } from "../FaultError.ts"

export const makeOnce: Effect.Effect<FaultTools["once"]> = Effect.sync(() => {
  const answers = new Map<string, Unsupported | "supported">()
  // One probe at a time: the second caller finds the answer of the first.
  const one = Semaphore.makeUnsafe(1)
  return (key, probe) => one.withPermit(Effect.suspend(() => answer(answers, key, probe)))
})

const answer = (
  answers: Map<string, Unsupported | "supported">,
  key: string,
  probe: Effect.Effect<void, Unsupported | EngineError>
): Effect.Effect<void, Unsupported | EngineError> => {
  const known = answers.get(key)
  if (known !== undefined) return known === "supported" ? Effect.void : Effect.fail(known)
  return Effect.tapError(
    Effect.tap(probe, () => Effect.sync(() => answers.set(key, "supported"))),
    (error) => Effect.sync(() => error._tag === "Unsupported" && answers.set(key, error))
  )
}
