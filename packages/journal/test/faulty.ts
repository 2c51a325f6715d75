/** A journal that delegates, and misbehaves only by the faults it is given: shows that the contract suite would notice. */
import { Effect, Result, Stream } from "effect"
import * as Journal from "@sbx/journal/Journal"

export interface Faults {
  /** Drops every n-th event of a subscription. */
  readonly dropEvery?: number
  /** Delivers every n-th event of a subscription twice. */
  readonly repeatEvery?: number
  /** Forgets expected versions. */
  readonly ignoreExpected?: boolean
  /** Forgets command ids. */
  readonly ignoreCommandIds?: boolean
  /** Writes the events of one append in several. */
  readonly tearAppends?: boolean
  /** Writes the items of an appendAll one by one. */
  readonly tearAppendAll?: boolean
  /** Writes projected rows without their checkpoint. */
  readonly forgetCheckpoints?: boolean
  /** Says Progress up to the head instead of up to what was looked at. */
  readonly boastProgress?: boolean
}

type Service = Journal.Journal["Service"]

export const faulty = (journal: Service, faults: Faults): Service => ({
  ...journal,
  subscribe: (options) => {
    let count = 0
    return journal.subscribe(options).pipe(
      Stream.mapEffect((delivery) => {
        if (delivery._tag === "CaughtUp") return Effect.succeed([delivery])
        if (delivery._tag === "Progress") return boast(journal, faults, delivery)
        count++
        if (faults.dropEvery !== undefined && count % faults.dropEvery === 0) return Effect.succeed([])
        const twice = faults.repeatEvery !== undefined && count % faults.repeatEvery === 0
        return Effect.succeed(twice ? [delivery, delivery] : [delivery])
      }),
      Stream.flattenIterable
    )
  },
  appendAll: (items) =>
    faults.tearAppendAll === true
      ? Effect.forEach(items, (item) => journal.append(item.stream, item.events, item.options))
      : journal.appendAll(items),
  documents: {
    ...journal.documents,
    transact: (reads, decide) =>
      journal.documents.transact(reads, (read) =>
        Result.map(decide(read), (transacted) => ({
          ...transacted,
          writes: transacted.writes.filter((w) => faults.forgetCheckpoints !== true || w.collection !== "projection")
        }))
      )
  },
  append: (stream, events, options) => {
    const weaker: Journal.AppendOptions = {
      ...options,
      expected: faults.ignoreExpected === true ? Journal.any : options.expected,
      commandId: faults.ignoreCommandIds === true ? undefined : options.commandId
    }
    const [first, ...rest] = events
    if (faults.tearAppends !== true || rest.length === 0) return journal.append(stream, events, weaker)
    const others = rest.map((event) => journal.append(stream, [event], { expected: Journal.any }))
    const answers = Effect.all([journal.append(stream, [first], weaker), ...others])
    return Effect.map(answers, (all) => ({ ...all[0], last: all.at(-1)?.last ?? 0, version: all.at(-1)?.version ?? 0 }))
  }
})

const boast = (journal: Service, faults: Faults, delivery: Journal.Delivery) =>
  faults.boastProgress === true
    ? Effect.map(journal.head, (position): ReadonlyArray<Journal.Delivery> => [
        { _tag: "Progress", position: position + 9 }
      ])
    : Effect.succeed([delivery])
