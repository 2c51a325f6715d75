/**
 * The one writer of a sandbox's stream in this process: decides on the folded state, appends with the exact version, folds.
 * An append that finds another version means that somebody else took the sandbox over: it fails and nothing is done.
 */
import type { ContainerInspect } from "@sbx/engine/Engine"
import type { AppendError, Journal, StreamName } from "@sbx/journal/Journal"
import { exact } from "@sbx/journal/Journal"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Schedule from "effect/Schedule"
import { initial, isTerminal, type LifecycleState } from "../LifecycleState.ts"
import { type OutcomeEvent, type SandboxEvent, SandboxEvents } from "../SandboxEvent.ts"
import type { ContainerObservation, LifecycleRejection, SandboxCommand } from "../SandboxLifecycle.ts"
import { decide, fold } from "../SandboxLifecycle.ts"

export interface Recorder {
  readonly stream: StreamName
  readonly state: () => LifecycleState
  /** Version that the next event will have. */
  readonly nextVersion: () => number
  /** Resolves to the events appended; none when the command told nothing new. */
  readonly submit: (
    command: SandboxCommand
  ) => Effect.Effect<ReadonlyArray<SandboxEvent>, LifecycleRejection | AppendError>
  /**
   * Several commands in one append, one durable write. The events of those before a rejected one are appended, then it fails.
   */
  readonly submitAll: (
    commands: ReadonlyArray<SandboxCommand>
  ) => Effect.Effect<ReadonlyArray<SandboxEvent>, LifecycleRejection | AppendError>
  /** Reports an outcome. What no longer fits the state (its life is over) is dropped. */
  readonly report: (outcome: OutcomeEvent) => Effect.Effect<void, AppendError>
}

export const make = Effect.fnUntraced(function* (
  journal: Journal["Service"],
  sandboxId: string,
  from: { readonly state: LifecycleState; readonly version: number } = { state: initial, version: 0 }
): Effect.fn.Return<Recorder> {
  const stream = SandboxEvents.stream(sandboxId)
  const lock = yield* Semaphore.make(1)
  let { state, version } = from
  const submit = Effect.fnUntraced(function* (commands: ReadonlyArray<SandboxCommand>) {
    const { events, next, rejection } = decideAll(commands, state)
    if (isReadonlyArrayNonEmpty(events)) {
      const appended = yield* SandboxEvents.append(journal, stream, [...events], {
        expected: exact(version),
        // A repeat after an unknown outcome answers as the first; another epoch's writer has other ids and gets the conflict.
        commandId: `${journal.epoch}-${version + 1}`,
        closes: isTerminal(next)
      }).pipe(Effect.retry({ while: isUnknownOutcome, times: 3, schedule: Schedule.spaced("50 millis") }))
      state = next
      version = appended.version
    }
    return rejection === undefined ? events : yield* rejection
  })
  // Not interruptible in between: the journal would be ahead of the fold.
  const exclusive = (...commands: ReadonlyArray<SandboxCommand>) =>
    Effect.uninterruptible(lock.withPermit(submit(commands)))
  return {
    stream,
    state: () => state,
    nextVersion: () => version + 1,
    submit: (command) => exclusive(command),
    submitAll: (commands) => exclusive(...commands),
    report: (outcome) =>
      exclusive({ _tag: "Report", outcome }).pipe(
        Effect.asVoid,
        Effect.catchTag("LifecycleRejection", (rejection) => Effect.logDebug(rejection.message))
      )
  }
})

interface Decided {
  readonly events: ReadonlyArray<SandboxEvent>
  readonly next: LifecycleState
  readonly rejection: LifecycleRejection | undefined
}

const decideAll = (commands: ReadonlyArray<SandboxCommand>, from: LifecycleState): Decided => {
  const events: Array<SandboxEvent> = []
  let next = from
  for (const command of commands) {
    const decision = decide(command, next)
    if (Result.isFailure(decision)) return { events, next, rejection: decision.failure }
    events.push(...decision.success)
    next = fold(decision.success, next)
  }
  return { events, next, rejection: undefined }
}

const isUnknownOutcome = (error: AppendError): boolean =>
  error._tag === "JournalUnavailable" && error.reason === "CommitFailed"

/** What an inspect shows, as the decider wants it. */
const observationOf = ({ id, createdAtMillis, state }: ContainerInspect): ContainerObservation => ({
  _tag: "Present",
  containerId: id,
  status: state.status,
  createdAtMillis,
  oomKilled: state.oomKilled,
  ...(state.startedAtMillis === undefined ? {} : { startedAtMillis: state.startedAtMillis }),
  ...(state.finishedAtMillis === undefined ? {} : { finishedAtMillis: state.finishedAtMillis }),
  ...(state.exitCode === undefined ? {} : { exitCode: state.exitCode })
})

/** What an inspect, or the absence of the container, tells the recorder. */
const observation = Effect.fnUntraced(function* (inspect: ContainerInspect | undefined) {
  const container: ContainerObservation = inspect === undefined ? { _tag: "Absent" } : observationOf(inspect)
  return { _tag: "Observe", atMillis: yield* Clock.currentTimeMillis, container } satisfies SandboxCommand
})

/** Makes the recorded state agree with an inspect, or with the absence of the container. */
export const observe = Effect.fnUntraced(function* (
  recorder: Recorder,
  inspect: ContainerInspect | undefined
): Effect.fn.Return<void, AppendError> {
  yield* recorder
    .submit(yield* observation(inspect))
    .pipe(Effect.catchTag("LifecycleRejection", (rejection) => Effect.logDebug(rejection.message)))
})
