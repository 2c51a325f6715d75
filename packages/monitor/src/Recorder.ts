/** From series to the store of raw samples. Keeps what was missed and lost as well, with the reason; never slows a series down. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { StoredItem } from "./SampleStore.ts"
import { SampleStore } from "./SampleStore.ts"
import type { SeriesItem } from "./Series.ts"

/** Records one item. What was missed has no time of its own and gets this process's. */
export const recordItem = (item: SeriesItem): Effect.Effect<void, never, SampleStore> =>
  Effect.flatMap(SampleStore, (store) =>
    item._tag === "Sampled"
      ? store.record({ _tag: "Sampled", sample: item.sample })
      : Effect.flatMap(Clock.currentTimeMillis, (now) => store.record(missed(item, now)))
  )

/** Records a stream of items until it ends: fork it beside the work, in the same scope as the series. */
export const record = <E, R>(items: Stream.Stream<SeriesItem, E, R>): Effect.Effect<void, E, R | SampleStore> =>
  Stream.runForEach(items, recordItem)

const missed = (item: Exclude<SeriesItem, { readonly _tag: "Sampled" }>, atMillis: number): StoredItem => {
  const { containerId: id, name } = item.target
  return { _tag: "Missed", subject: "container", id, name, atMillis, reason: item.error._tag }
}
