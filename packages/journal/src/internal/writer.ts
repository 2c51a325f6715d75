/**
 * Group commit: a bounded queue and one fiber that turns everything waiting into one transaction. A batch forms while
 * the one before it is made durable, so there is no artificial delay. Order: decide, commit, announce, answer.
 */
import type { Cause } from "effect"
import { Clock, Deferred, Effect, Fiber, PubSub, Queue, Result, Scope } from "effect"
import type { Appended, AppendError } from "../Journal.ts"
import type { Decision, Request } from "./decideBatch.ts"
import { decideBatch } from "./decideBatch.ts"
import { toRecorded } from "./envelope.ts"
import type { Hub } from "./hub.ts"
import { journalClosed } from "./hub.ts"
import type { Storage } from "./storage.ts"

/** Appends that may wait before callers are held back. */
const queueCapacity = 8192
/** Appends per transaction. */
const batchLimit = 512

interface Pending {
  readonly request: Request
  readonly answer: Deferred.Deferred<Appended, AppendError>
}

type Inbox = Queue.Queue<Pending, Cause.Done>

export type Submit = (request: Request) => Effect.Effect<Appended, AppendError>

/** Runs the writer until the scope closes; then what was accepted is still written, and later requests are refused. */
export const makeWriter = Effect.fnUntraced(function* (
  storage: Storage,
  hub: Hub
): Effect.fn.Return<Submit, never, Scope.Scope> {
  const inbox: Inbox = yield* Queue.bounded<Pending, Cause.Done>(queueCapacity)
  yield* Effect.acquireRelease(Effect.forkDetach(drain(storage, hub, inbox)), (fiber) =>
    Effect.andThen(Queue.end(inbox), Fiber.await(fiber))
  )
  return Effect.fnUntraced(function* (request) {
    const answer = yield* Deferred.make<Appended, AppendError>()
    if (!(yield* Queue.offer(inbox, { request, answer }))) return yield* journalClosed("append to")
    return yield* Deferred.await(answer)
  })
})

/**
 * Ends when the queue was ended and emptied. A failing batch is told to its callers and to nobody else; subscribers
 * look at the head again, since a COMMIT that failed may have happened.
 */
const drain = (storage: Storage, hub: Hub, inbox: Inbox) =>
  Queue.takeBetween(inbox, 1, batchLimit).pipe(
    Effect.flatMap((pending) =>
      Effect.uninterruptible(
        Effect.catchCause(writeBatch(storage, hub, pending), (cause) =>
          Effect.andThen(failAll(pending, cause), PubSub.publish(hub, { _tag: "Wake" }))
        )
      )
    ),
    Effect.forever,
    Effect.ignore
  )

const failAll = (pending: ReadonlyArray<Pending>, cause: Cause.Cause<AppendError>) =>
  Effect.forEach(pending, ({ answer }) => Deferred.failCause(answer, cause), { discard: true })

const writeBatch = Effect.fnUntraced(function* (storage: Storage, hub: Hub, pending: ReadonlyArray<Pending>) {
  const stamp = { recordedAtMillis: yield* Clock.currentTimeMillis, epoch: storage.epoch }
  const requests = pending.map((p) => p.request)
  let decision: Decision = { outcomes: [], batch: { rows: [], streams: [], commands: [] } }
  yield* storage.commit((lookup) => {
    decision = decideBatch(lookup, requests, stamp)
    return decision.batch
  })
  yield* announce(storage, hub, decision)
  for (const [index, { answer }] of pending.entries()) {
    const outcome = decision.outcomes[index]
    if (outcome === undefined) return yield* Effect.die(new Error("a request was left undecided"))
    yield* Result.isSuccess(outcome)
      ? Deferred.succeed(answer, outcome.success)
      : Deferred.fail(answer, outcome.failure)
  }
})

const announce = Effect.fnUntraced(function* (storage: Storage, hub: Hub, { batch }: Decision) {
  const first = batch.rows[0]
  const last = batch.rows.at(-1)
  if (first === undefined || last === undefined) return
  // These rows were encoded by us a moment ago: not being JSON is a defect.
  const events = yield* Effect.orDie(toRecorded(storage.id, batch.rows))
  // `publish`, not `publishUnsafe`: on a full sliding hub the latter drops the newest batch.
  yield* PubSub.publish(hub, { _tag: "Batch", first: first.position, last: last.position, events })
})
