/**
 * How engines write things: Go's `null` for empty lists and maps, its zero time for "never", RFC 3339 with nanoseconds.
 * Every optional field is tolerated missing or null; what we rely on is required.
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** A field that an engine may leave out or send as null. */
export const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optional(Schema.NullOr(schema))

export const StringMap = Schema.Record(Schema.String, Schema.String)
export const Strings = Schema.Array(Schema.String)

/** Milliseconds since the epoch with the fraction kept; undefined for the zero time, the empty string and nonsense. */
export const parseTime = (text: string | null | undefined): number | undefined => {
  if (text === null || text === undefined || text.startsWith("0001-")) return undefined
  const time = Option.getOrUndefined(DateTime.make(text))
  if (time === undefined) return undefined
  const belowMillis = /\.\d{3}(\d{1,6})/.exec(text)?.[1] ?? ""
  return DateTime.toEpochMillis(time) + Number(`0.${belowMillis}0`)
}

/** An absent number: not reported, null, or the zero that engines send for "not set". */
export const positive = (value: number | null | undefined): number | undefined =>
  value === null || value === undefined || value <= 0 ? undefined : value

export const nonEmpty = (value: string | null | undefined): string | undefined =>
  value === null || value === "" ? undefined : value

/** Removes absent fields, as `exactOptionalPropertyTypes` wants it. */
export const present = <A extends object>(fields: A): { [K in keyof A]?: A[K] & ({} | null) } => {
  const result: { [K in keyof A]?: A[K] & ({} | null) } = {}
  for (const key in fields) {
    const value = fields[key]
    if (value !== undefined) result[key] = value
  }
  return result
}

/** `{"label":["a=b","c"]}`; an empty value matches any value of the label. */
export const labelFilters = (
  labels: Readonly<Record<string, string>>,
  more: Readonly<Record<string, ReadonlyArray<string> | undefined>> = {}
): string | undefined => {
  const terms = Object.entries(labels).map(([key, value]) => (value === "" ? key : `${key}=${value}`))
  const filters = Object.entries({ label: terms, ...more }).filter(
    ([, values]) => values !== undefined && values.length > 0
  )
  return filters.length === 0 ? undefined : JSON.stringify(Object.fromEntries(filters))
}
