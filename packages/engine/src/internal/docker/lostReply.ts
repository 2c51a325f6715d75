/**
 * What became of a change whose reply was lost and which may not simply be sent again: it is looked up. Refuses to guess: where a
 * look does not tell, the call fails as it did, and the caller decides (errors keep `retryable`).
 *
 * | call              | looked up by                | done if                       | sent once more if |
 * | ----------------- | --------------------------- | ----------------------------- | ----------------- |
 * | create container  | name and all labels         | it is there and never started | never             |
 * | create network    | name and all labels         | it is there                   | never             |
 * | start container   | its state                   | it runs                       | it never started  |
 * | pause, unpause    | its state                   | it is so                      | it is not         |
 * | exec, kill, image, archive, connect | nothing told apart from another's | never | never           |
 */
import * as Effect from "effect/Effect"
import type { CallError } from "../../EngineError.ts"
import type { Refusal } from "./errors.ts"
import { noteRepeat } from "./repeats.ts"

/** `again`: it surely has not happened. `unknown` is nobody's guess. */
export type Look<A> = { readonly done: A } | "again" | "unknown"

type Failure = CallError | Refusal

/** A change that timed out is still with the engine, and a 500 is the engine's own word; gateways say the others. */
const isLost = (error: Failure) =>
  error._tag === "Refusal"
    ? error.status >= 502 && error.status <= 504
    : error._tag === "EngineUnavailable" && error.reason === "connection-lost"

/** Looks once after a lost reply, and sends once more where the look says so. A look that fails tells nothing. */
export const resolveLost = <A>(
  operation: string,
  sending: Effect.Effect<A, Failure>,
  look: Effect.Effect<Look<A>, unknown>
): Effect.Effect<A, Failure> =>
  Effect.catchIf(
    sending,
    isLost,
    Effect.fnUntraced(function* (error): Effect.fn.Return<A, Failure> {
      const found = yield* Effect.orElseSucceed(look, () => "unknown" as const)
      if (found === "unknown") return yield* error
      if (found !== "again") return found.done
      yield* noteRepeat(operation, 1, error)
      return yield* sending
    })
  )

/** A create that the engine is still working on appears a moment after its connection was lost. */
const createLooks = [0, 100, 200, 400, 800]

/** Looks a few times for what a create may have left; the effect gives undefined where there is nothing. */
export const resolveCreate = <A>(
  sending: Effect.Effect<A, Failure>,
  labels: Readonly<Record<string, string>> | undefined,
  look: Effect.Effect<A | undefined, unknown>
): Effect.Effect<A, Failure> =>
  Effect.catchIf(
    sending,
    // Without labels nothing tells ours from another's of the same name.
    (error) => isLost(error) && Object.keys(labels ?? {}).length > 0,
    Effect.fnUntraced(function* (error): Effect.fn.Return<A, Failure> {
      for (const pause of createLooks) {
        if (pause > 0) yield* Effect.sleep(pause)
        const found = yield* Effect.mapError(look, () => error)
        if (found !== undefined) return found
      }
      return yield* error
    })
  )

/** Whether all labels asked for are there. */
export const bears = (
  have: Readonly<Record<string, string>> | null | undefined,
  want: Readonly<Record<string, string>>
): boolean => Object.entries(want).every(([key, value]) => have?.[key] === value)
