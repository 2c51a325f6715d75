/** The one writer of a fault's stream. Every append names the exact version, so that a reconciler that took over is noticed. */
import type { AppendError, Journal } from "@sbx/journal/Journal"
import { exact } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { FailureEvent } from "../FailureEvent.ts"
import { FailureEvents } from "../FailureEvent.ts"

/** An event without what the writer fills in. */
type Fact<E = FailureEvent> = E extends FailureEvent ? Omit<E, "faultId" | "atMillis"> : never

export interface FaultRecord {
  readonly append: (fact: Fact, options?: { readonly closes?: boolean }) => Effect.Effect<void, AppendError>
}

export const make = (journal: Journal["Service"], faultId: string): FaultRecord => {
  let version = 0
  const stream = FailureEvents.stream(faultId)
  return {
    append: Effect.fnUntraced(function* (fact, options) {
      const event: FailureEvent = { ...fact, faultId, atMillis: yield* Clock.currentTimeMillis }
      const appended = yield* FailureEvents.append(journal, stream, [event], {
        expected: exact(version),
        commandId: `${journal.epoch}-${version + 1}`,
        closes: options?.closes
      }).pipe(Effect.retry({ while: isUnknownOutcome, times: 3, schedule: Schedule.spaced("50 millis") }))
      version = appended.version
      // Not interruptible in between: the journal would be ahead of the version kept here.
    }, Effect.uninterruptible)
  }
}

/** A repeat with the same command id tells whether the events were written. */
const isUnknownOutcome = (error: AppendError): boolean =>
  error._tag === "JournalUnavailable" && error.reason === "CommitFailed"
