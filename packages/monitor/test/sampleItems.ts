/** Items for tests of the sample store: plain values at a time. */
import type { SampleSource } from "../src/Sample.ts"
import type { StoredItem } from "../src/SampleStore.ts"

export const sampled = (
  id: string,
  atMillis: number,
  values: Readonly<Record<string, number>>,
  absent: Readonly<Record<string, "not-reported" | "no-limit">> = {},
  source?: SampleSource
): StoredItem => ({
  _tag: "Sampled",
  sample: {
    subject: "container",
    id,
    name: `name of ${id}`,
    atMillis,
    intervalMillis: 1000,
    ...(source === undefined ? {} : { source }),
    values,
    absent
  }
})

export const missed = (id: string, atMillis: number, reason: string): StoredItem => ({
  _tag: "Missed",
  subject: "container",
  id,
  name: `name of ${id}`,
  atMillis,
  reason
})

/** As wide as a container's sample. */
export const wide = (id: string, atMillis: number): StoredItem =>
  sampled(
    id,
    atMillis,
    Object.fromEntries(Array.from({ length: 24 }, (_, index) => [`metric${index}`, atMillis + index / 7]))
  )
