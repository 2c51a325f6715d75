/** What chaos left to be undone, for whoever reconciles: the commands here, and the watchdog. */
import * as FailureEvent from "@sbx/chaos/FailureEvent"
import type { PendingUndos } from "@sbx/core/UndoRunner"
import { any } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const { FailureEvents } = FailureEvent

/** Faults of a journal that nobody reverted. */
export const pendingUndos: PendingUndos = (journal) =>
  Effect.map(Stream.runCollect(FailureEvents.replay(journal)), (recorded) =>
    FailureEvent.pendingFaults(recorded).map(({ faultId, undo }) => ({
      id: faultId,
      plan: undo,
      record: Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
        FailureEvents.append(journal, FailureEvents.stream(faultId), [FailureEvent.undone(faultId, atMillis)], {
          expected: any
        })
      )
    }))
  )
