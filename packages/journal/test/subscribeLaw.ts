/** The law of subscriptions: from any position, under concurrent writers, each matching event once and in order. */
import { assert } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"
import { event, stream } from "./laws.ts"

const small = (minimum: number, maximum: number) =>
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum })))

const between = <S extends Schema.Constraint>(minimum: number, maximum: number, item: S) =>
  Schema.Array(item).pipe(Schema.check(Schema.isMinLength(minimum), Schema.isMaxLength(maximum)))

const Subscriber = Schema.Struct({
  from: Schema.Literals(["Start", "After", "Now"]),
  after: small(0, 60),
  /** Turns given to others per delivery: how slow the consumer is. */
  slowness: small(0, 12),
  /** Deliveries for which it is slow: who then catches up meets batches in the hub that it has read from pages. */
  slowFor: small(0, 20),
  /** Turns before subscribing. */
  delay: small(0, 30),
  category: Schema.Literals(["", "even", "odd"])
})

/** A random history: writers that append batches of the given sizes, and subscribers among them. */
export const History = Schema.Struct({
  writers: between(2, 6, between(4, 12, small(1, 5))),
  subscribers: between(3, 8, Subscriber)
})
export type History = typeof History.Type

const turns = (n: number) => Effect.forEach(Array.from({ length: n }), () => Effect.yieldNow, { discard: true })

const write = (journal: Journal.Journal["Service"], writer: number, sizes: ReadonlyArray<number>) =>
  Effect.forEach(
    sizes,
    (size, index) => {
      const rest = Array.from({ length: size - 1 }, (_, n) => event(n))
      const name = stream(`w${writer}`, writer % 2 === 0 ? "even" : "odd")
      const appended = journal.append(name, [event(-1), ...rest], { expected: Journal.any })
      return Effect.andThen(turns((writer + index) % 4), appended)
    },
    { discard: true }
  )

const follow = Effect.fnUntraced(function* (
  journal: Journal.Journal["Service"],
  subscriber: typeof Subscriber.Type,
  end: number
) {
  yield* turns(subscriber.delay)
  // A checkpoint is never ahead of the head.
  const after = Math.min(subscriber.after, yield* journal.head)
  const from = subscriber.from === "After" ? Journal.after(after) : fromTag(subscriber.from)
  const category = subscriber.category === "" ? undefined : subscriber.category
  const deliveries = yield* journal.subscribe({ from, filter: { category } }).pipe(
    Stream.zipWithIndex,
    Stream.tap(([, index]) => turns(index < subscriber.slowFor ? subscriber.slowness : 0)),
    Stream.map(([delivery]) => delivery),
    // A filter may leave out the last event: then only CaughtUp or Progress can tell that the end is reached.
    Stream.takeUntil((d) => (d._tag === "Event" ? d.event.position : d.position) >= end),
    Stream.runCollect
  )
  return { deliveries, category, from }
})

const fromTag = (tag: "Start" | "Now") => (tag === "Start" ? Journal.start : Journal.now)

/** Where delivery begins: for `Now` the first mark tells, and no event may come before it. */
const origin = ({ deliveries, from }: Effect.Success<ReturnType<typeof follow>>): number => {
  if (from._tag === "Start") return 0
  if (from._tag === "After") return from.position
  const first = deliveries[0]
  assert.isDefined(first)
  return first._tag === "Event" ? first.event.position - 1 : first.position
}

export const subscribeLaw = Effect.fnUntraced(function* (history: History) {
  const journal = yield* Journal.Journal
  const end = history.writers.flat().reduce((sum, size) => sum + size, 0)
  const writers = Effect.forEach(history.writers, (sizes, w) => write(journal, w, sizes), {
    concurrency: "unbounded",
    discard: true
  })
  const followers = Effect.forEach(history.subscribers, (s) => follow(journal, s, end), { concurrency: "unbounded" })
  const [, results] = yield* Effect.all([writers, followers], { concurrency: 2 }).pipe(Effect.timeout("20 seconds"))
  const written = yield* Stream.runCollect(journal.readAll())
  assert.strictEqual(written.length, end)
  for (const result of results) {
    const after = origin(result)
    const due = written.filter(
      (e) => e.position > after && (result.category === undefined || Journal.categoryOf(e.stream) === result.category)
    )
    const got = result.deliveries.flatMap((d) => (d._tag === "Event" ? [d.event] : []))
    assert.deepStrictEqual(got, due, `from ${result.from._tag} ${after}: no gap, no duplicate, same content as read`)
    assertMarks(result.deliveries)
  }
})

/** A mark never runs ahead of an event that comes later, so a checkpoint taken from it skips nothing. */
const assertMarks = (deliveries: ReadonlyArray<Journal.Delivery>) => {
  let marked = -1
  for (const delivery of deliveries) {
    if (delivery._tag === "Event") assert.isAbove(delivery.event.position, marked)
    else marked = delivery.position
  }
}
