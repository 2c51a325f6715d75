/**
 * Adapter (@effect/sql-pg): wakes subscribers when another process has committed. A notification says only "look": what
 * is read comes from the tables, so a lost one costs at most the time to the next look, which comes every second anyway.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { Effect, PubSub, Queue, Scope } from "effect"
import type { Hub } from "./hub.ts"
import type { Database } from "./postgresDatabase.ts"
import { channelOf } from "./postgresWrites.ts"
import type { ReadStorage } from "./storage.ts"

const wake = { _tag: "Wake" } as const

/** Listens, and looks every second; both for the scope's time. `own` is the epoch whose commits are announced already. */
export const watch = (
  database: Database,
  storage: ReadStorage,
  hub: Hub,
  own: number | undefined
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.andThen(
    Effect.forkScoped(listenForever(database, hub, own)),
    Effect.asVoid(Effect.forkScoped(lookForever(storage, hub)))
  )

/** What came between the loss of a session and the next LISTEN was not told: hence one wake-up after each LISTEN. */
const listenForever = ({ name, session }: Database, hub: Hub, own: number | undefined) =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make(session)
    const told = yield* connection.listen(channelOf(name))
    yield* PubSub.publish(hub, wake)
    return yield* Queue.take(told).pipe(
      Effect.flatMap(({ payload }) =>
        payload.startsWith(`${own} `) ? Effect.void : Effect.asVoid(PubSub.publish(hub, wake))
      ),
      Effect.forever
    )
  }).pipe(Effect.scoped, Effect.ignore, Effect.andThen(Effect.sleep("250 millis")), Effect.forever)

/** A look that fails wakes too: subscribers are told by their own next read. */
const lookForever = (storage: ReadStorage, hub: Hub) => {
  let known: number | undefined
  return Effect.option(storage.head).pipe(
    Effect.flatMap((head) => {
      const seen = head._tag === "Some" ? head.value : undefined
      const changed = seen === undefined || seen !== known
      known = seen
      return changed ? PubSub.publish(hub, wake) : Effect.void
    }),
    Effect.andThen(Effect.sleep("1 second")),
    Effect.forever
  )
}
