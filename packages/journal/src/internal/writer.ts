/**
 * Group commit: a bounded queue and one fiber that turns everything waiting into one transaction. A batch forms while
 * the one before it is made durable, so there is no artificial delay. Order: decide, commit, announce, answer.
 */
import { Cause, Clock, Deferred, Effect, Exit, Fiber, PubSub, Queue, Result, Scope } from "effect"
import type { JournalUnavailable, Recorded } from "../Journal.ts"
import type { Draft, NeedsDraft } from "./draft.ts"
import { emptyNeeds, makeDraft, toBatch } from "./draft.ts"
import { toRecordedUnsafe } from "./envelope.ts"
import type { Hub } from "./hub.ts"
import { journalClosed } from "./hub.ts"
import type { Batch, Storage } from "./storage.ts"

/** Requests that may wait before callers are held back. */
const queueCapacity = 8192
/** Requests per transaction. */
const batchLimit = 512

/** A decision on the draft of a batch: names what it may look up, then decides. A refused one leaves no trace. */
export interface Request<out A, out E> {
  readonly need: (needs: NeedsDraft) => void
  /** Pure, and safe to run again on another draft. What it throws is a defect of its caller alone, as long as it throws before it writes. */
  readonly decide: (draft: Draft) => Result.Result<A, E>
}

/** Completes once the decision is durable, or was refused. */
export type Submit = <A, E>(request: Request<A, E>) => Effect.Effect<A, E | JournalUnavailable>

/** A request in the queue, its types closed over. */
interface Pending {
  readonly need: (needs: NeedsDraft) => void
  /** Decides, and gives what answers the caller after the commit. */
  readonly decide: (draft: Draft) => () => void
  readonly fail: (cause: Cause.Cause<JournalUnavailable>) => void
}

type Inbox = Queue.Queue<Pending, Cause.Done>

type Answer<A, E> = (exit: Effect.Effect<A, E>) => void

const toPending = <A, E>(request: Request<A, E>, answer: Answer<A, E | JournalUnavailable>): Pending => ({
  need: request.need,
  decide: (draft) => {
    const exit = decideSafely(request, draft)
    return () => answer(exit)
  },
  fail: (cause) => answer(Exit.failCause(cause))
})

const decideSafely = <A, E>(request: Request<A, E>, draft: Draft): Exit.Exit<A, E> => {
  try {
    const outcome = request.decide(draft)
    return Result.isSuccess(outcome) ? Exit.succeed(outcome.success) : Exit.fail(outcome.failure)
  } catch (cause) {
    return Exit.die(cause)
  }
}

/** Runs the writer until the scope closes; then what was accepted is still written, and later requests are refused. */
export const makeWriter = Effect.fnUntraced(function* (
  storage: Storage,
  hub: Hub
): Effect.fn.Return<Submit, never, Scope.Scope> {
  const inbox: Inbox = yield* Queue.bounded<Pending, Cause.Done>(queueCapacity)
  yield* Effect.acquireRelease(Effect.forkDetach(drain(storage, hub, inbox)), (fiber) =>
    Effect.andThen(Queue.end(inbox), Fiber.await(fiber))
  )
  return <A, E>(request: Request<A, E>) =>
    // A caller who is interrupted leaves a request that is decided and written all the same.
    Effect.callback<A, E | JournalUnavailable>((answer) => {
      if (!Queue.offerUnsafe(inbox, toPending(request, answer))) answer(queued(inbox, request))
    })
})

/** The way of a request that the full queue did not take at once. */
const queued = <A, E>(inbox: Inbox, request: Request<A, E>): Effect.Effect<A, E | JournalUnavailable> =>
  Effect.suspend(() => {
    const answer = Deferred.makeUnsafe<A, E | JournalUnavailable>()
    const pending = toPending<A, E>(request, (exit) => void Deferred.doneUnsafe(answer, exit))
    return Effect.flatMap(Queue.offer(inbox, pending), (accepted) =>
      accepted ? Deferred.await(answer) : journalClosed("append to")
    )
  })

/**
 * Ends when the queue was ended and emptied. A failing batch is told to its callers and to nobody else; subscribers
 * look at the head again, since a COMMIT that failed may have happened.
 */
const drain = (storage: Storage, hub: Hub, inbox: Inbox) =>
  Queue.takeBetween(inbox, 1, batchLimit).pipe(
    Effect.flatMap((pending) =>
      Effect.uninterruptible(
        Effect.catchCause(writeBatch(storage, hub, pending), (cause) => {
          for (const { fail } of pending) fail(cause)
          return PubSub.publish(hub, { _tag: "Wake" })
        })
      )
    ),
    Effect.forever,
    Effect.ignore
  )

/** One span for all appends of a commit: a span for each would be a tenth of what an append costs. */
const writeBatch = Effect.fn("Journal.commit")(function* (storage: Storage, hub: Hub, pending: ReadonlyArray<Pending>) {
  yield* Effect.annotateCurrentSpan("requests", pending.length)
  const stamp = { recordedAtMillis: yield* Clock.currentTimeMillis, epoch: storage.epoch }
  const needs = emptyNeeds()
  for (const { need } of pending) need(needs)
  let answers: ReadonlyArray<() => void> = []
  let batch: Batch | undefined
  yield* storage.commit(needs, (lookup) => {
    const draft = makeDraft(lookup, stamp)
    answers = pending.map(({ decide }) => decide(draft))
    batch = toBatch(draft, storage)
    return batch
  })
  yield* announce(storage, hub, batch)
  for (const answer of answers) answer()
})

/** `publish`, not `publishUnsafe`: on a full sliding hub the latter drops the newest batch. */
const announce = (storage: Storage, hub: Hub, batch: Batch | undefined) => {
  if (batch?.commit === undefined) return Effect.void
  const { first, last } = batch.commit
  let events: ReadonlyArray<Recorded> | undefined
  // These rows were encoded by us a moment ago: not being JSON is a defect.
  const parse = () => (events ??= batch.rows.map((row) => toRecordedUnsafe(storage.id, row)))
  return PubSub.publish(hub, { _tag: "Batch", first, last, events: parse })
}
