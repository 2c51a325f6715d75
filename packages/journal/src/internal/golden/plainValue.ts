/** Adapter (JSON): a decoded value as JSON that tells apart what JSON alone would lose. */
import { Schema } from "effect"

/** Objects say themselves what they are in JSON (`toJSON`); a bigint is `12n`, sets and maps are lists. */
export const plainValue = (value: unknown): Schema.Json =>
  Schema.decodeSync(Schema.fromJsonString(Schema.Json))(JSON.stringify(value, replacer))

const replacer = (_: string, value: unknown): unknown => {
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "number" && !Number.isFinite(value)) return String(value)
  return value instanceof Map || value instanceof Set ? [...value] : value
}
