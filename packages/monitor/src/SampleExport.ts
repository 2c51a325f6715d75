/**
 * Samples as JSON and as CSV (RFC 4180). Numbers are written in full and read back the same; an absent metric is an empty cell,
 * and in JSON it says why.
 */
import * as Schema from "effect/Schema"
import type { Sample } from "./Sample.ts"
import { Absence, SampleSource } from "./Sample.ts"

/** A sample as JSON: one object, metrics by name. */
export const SampleJson = Schema.Struct({
  subject: Schema.Literals(["container", "host", "runner"]),
  id: Schema.String,
  name: Schema.String,
  /** Milliseconds since 1970 by the source's clock. */
  atMillis: Schema.Finite,
  /** What the rates are measured over; absent without a usable previous reading. */
  intervalMillis: Schema.optionalKey(Schema.Finite),
  /** Where a container's numbers come from. */
  source: Schema.optionalKey(SampleSource),
  values: Schema.Record(Schema.String, Schema.Finite),
  absent: Schema.Record(Schema.String, Absence)
})
export type SampleJson = typeof SampleJson.Type

export const toJson = (sample: Sample<string>): SampleJson => ({
  subject: sample.subject,
  id: sample.id,
  name: sample.name,
  atMillis: sample.atMillis,
  ...(sample.intervalMillis === undefined ? {} : { intervalMillis: sample.intervalMillis }),
  ...(sample.source === undefined ? {} : { source: sample.source }),
  values: defined(sample.values),
  absent: defined(sample.absent)
})

const defined = <V>(record: Readonly<Record<string, V | undefined>>): Record<string, V> =>
  Object.fromEntries(Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))

const fixed = ["subject", "id", "name", "atMillis", "intervalMillis", "source"] as const

/** RFC 4180 §2: quoted where it holds a comma, a quote or a line break; quotes are doubled. */
const cell = (value: string | number | undefined): string => {
  if (value === undefined) return ""
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const row = (cells: ReadonlyArray<string | number | undefined>): string => `${cells.map(cell).join(",")}\r\n`

/** The header row for these metrics, with its line end. */
export const csvHeader = (metrics: ReadonlyArray<string>): string => row([...fixed, ...metrics])

/** A sample as a row with its line end; columns as in {@link csvHeader} of the same metrics. */
export const csvRow = (sample: Sample<string>, metrics: ReadonlyArray<string>): string =>
  row([...fixed.map((column) => sample[column]), ...metrics.map((metric) => sample.values[metric])])

/** Header and rows. `metrics` names the columns and their order, e.g. `ContainerMetric.literals`. */
export const csv = (samples: Iterable<Sample<string>>, metrics: ReadonlyArray<string>): string => {
  let text = csvHeader(metrics)
  for (const sample of samples) text += csvRow(sample, metrics)
  return text
}
