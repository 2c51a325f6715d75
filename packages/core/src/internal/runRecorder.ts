/** Puts a run's events into the journal and keeps them for the report. A journal that refuses is remembered, not hidden. */
import type { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import { any } from "@sbx/journal/Journal"
import * as Effect from "effect/Effect"
import { type RunEvent, RunEvents } from "../RunEvent.ts"

export interface RunRecorder {
  readonly record: (event: RunEvent) => Effect.Effect<void>
  readonly events: Effect.Effect<ReadonlyArray<RunEvent>>
  /** Why the journal stopped taking events, once it did. */
  readonly lost: Effect.Effect<string | undefined>
}

const isLast = ({ _tag }: RunEvent) => _tag === "RunFinished" || _tag === "RunInterrupted"

export const makeRecorder = (journal: Journal["Service"], runId: string): RunRecorder => {
  const stream = RunEvents.stream(runId)
  const events: Array<RunEvent> = []
  let lost: string | undefined
  const append = (event: RunEvent) =>
    RunEvents.append(journal, stream, [event], { expected: any, closes: isLast(event) }).pipe(
      Effect.catch((error: JournalUnavailable | Error) =>
        Effect.sync(() => {
          lost ??= error.message
        })
      )
    )
  return {
    record: (event) =>
      Effect.suspend(() => {
        events.push(event)
        return lost === undefined ? Effect.asVoid(append(event)) : Effect.void
      }).pipe(Effect.uninterruptible),
    events: Effect.sync(() => [...events]),
    lost: Effect.sync(() => lost)
  }
}
