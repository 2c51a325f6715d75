/** Polls a condition against a deadline, for facts of the kernel that announce themselves to nobody. */
import * as Effect from "effect/Effect"

const pollMillis = 20

/** True once the condition holds, false at the deadline. */
export const within = <R>(
  deadlineMillis: number,
  condition: Effect.Effect<boolean, never, R>,
  everyMillis: number = pollMillis
): Effect.Effect<boolean, never, R> =>
  Effect.gen(function* () {
    while (!(yield* condition)) yield* Effect.sleep(everyMillis)
    return true
  }).pipe(Effect.timeoutOrElse({ duration: deadlineMillis, orElse: () => Effect.succeed(false) }))
