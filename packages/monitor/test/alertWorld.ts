/** Alerts fed by hand: a series whose items a test offers, and waits on what the journal then says. */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Journal, JournalUnavailable } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { AlertEvent } from "../src/AlertEvent.ts"
import type { AlertRuleOptions } from "../src/AlertRule.ts"
import * as Alerts from "../src/Alerts.ts"
import type { ContainerSample } from "../src/ContainerSampler.ts"
import { TargetGone, TargetNotRunning } from "../src/ContainerSource.ts"
import * as Monitors from "../src/Monitor.ts"
import { notices } from "../src/AlertNotice.ts"
import type { SeriesItem } from "../src/Series.ts"
import type { Given } from "./alertTrace.ts"

export const web: ContainerTarget = { containerId: "c0ffee", name: "web" }
export const memoryRule: AlertRuleOptions = { name: "memory", metric: "memoryPercentOfLimit", threshold: 80 }
export const key = { rule: "memory", containerId: "c0ffee" }

/** Alerts without a sampler of their own, on a journal in memory. */
export const world = (rules: ReadonlyArray<AlertRuleOptions> = [memoryRule]) => Layer.provideMerge(alerts(rules), base)
export const base = Layer.mergeAll(Monitors.layerDisabled, Memory.layer)
/** Fresh at every call: what a process that starts later has. */
export const alerts = (rules: ReadonlyArray<AlertRuleOptions> = [memoryRule]) => Alerts.layerWith(rules)

const sampleOf = (target: ContainerTarget, value: number | undefined, sequence: number): ContainerSample => ({
  subject: "container",
  id: target.containerId,
  name: target.name,
  atMillis: sequence * 1000,
  intervalMillis: sequence === 1 ? undefined : 1000,
  values: value === undefined ? {} : { memoryPercentOfLimit: value },
  absent: value === undefined ? { memoryPercentOfLimit: "not-reported" } : {}
})

/** A series to put items into; `give` returns when all of them were judged. */
export const feed = Effect.fnUntraced(function* (target: ContainerTarget = web) {
  const service = yield* Alerts.Alerts
  const queue = yield* Queue.unbounded<SeriesItem>()
  let sequence = 0
  let judged = 0
  // The judge pulls the next item when it is done with the one before.
  const items = Stream.fromQueue(queue).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((item) =>
      Effect.as(
        Effect.sync(() => judged++),
        item
      )
    )
  )
  yield* service.attach(target, { items })
  const itemOf = (given: Exclude<Given, "ack"> | "missed"): SeriesItem => {
    sequence++
    if (given === "lost") return { _tag: "Lost", sequence, target, error: new TargetGone(target) }
    if (given === "missed") return { _tag: "Missed", sequence, target, error: new TargetNotRunning(target) }
    return { _tag: "Sampled", sequence, sample: sampleOf(target, given, sequence) }
  }
  return (...given: ReadonlyArray<Exclude<Given, "ack"> | "missed">) =>
    Effect.gen(function* () {
      yield* Queue.offerAll(queue, given.map(itemOf))
      // One more that says nothing: when it is pulled, all before it were judged.
      yield* Queue.offer(queue, itemOf("missed"))
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => judged >= sequence }))
    })
})

/** A series whose ring holds this, without what its reader was too slow for, and to which nothing is added. `read` counts its readers that have come to the end of the ring. */
export const ringOf = (...values: ReadonlyArray<number | "dropped">) => {
  const read = { count: 0 }
  const past = values.flatMap((value, i): ReadonlyArray<SeriesItem> => {
    const sequence = i + 1
    return value === "dropped" ? [] : [{ _tag: "Sampled", sequence, sample: sampleOf(web, value, sequence) }]
  })
  const end = Stream.fromEffectDrain(Effect.sync(() => read.count++))
  const items: Stream.Stream<SeriesItem> = Stream.fromIterable(past).pipe(
    Stream.rechunk(1),
    Stream.concat(end),
    Stream.concat(Stream.never)
  )
  return { items, read }
}

/** The first `count` notices, once they are there. */
export const firstNotices = (count: number) => Stream.runCollect(Stream.take(notices(), count))

export const told = Effect.map(Stream.runCollect(Alerts.history()), (events) =>
  events.map(({ payload }) => sentence(payload))
)

const sentence = (event: AlertEvent) =>
  event._tag === "AlertResolved" ? `${event.reason} ${event.episode}` : `${event._tag} ${event.episode}`

/** The journal at hand whose appends fail while `refuse` says so, as a full disk makes them. */
export const refusing = (refuse: () => boolean, refused: { count: number }) =>
  Layer.effect(
    Journal,
    Effect.map(Journal, (journal) =>
      Journal.of({
        ...journal,
        append: (stream, events, options) => {
          if (!refuse()) return journal.append(stream, events, options)
          refused.count++
          return Effect.fail(new JournalUnavailable({ operation: "append to", reason: "DiskFull", detail: "planted" }))
        }
      })
    )
  ).pipe(Layer.provide(Memory.layer))

/** A journal in memory that answers the append of one kind of event only when told; the event is on record before. */
export const holdingBack = (type: AlertEvent["_tag"]) => {
  const [appended, released] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
  const layer = Layer.effect(
    Journal,
    Effect.map(Journal, (journal) =>
      Journal.of({
        ...journal,
        append: (stream, events, options) =>
          Effect.tap(journal.append(stream, events, options), () =>
            events.some((event) => event.type === type) ? Effect.andThen(appended.open, released.await) : Effect.void
          )
      })
    )
  ).pipe(Layer.provide(Memory.layer))
  return { layer, appended: appended.await, release: released.open }
}
