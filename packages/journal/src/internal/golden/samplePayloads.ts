/**
 * Example payloads out of a JSON Schema, the same ones every time: in turn every literal and every member of a union, with
 * all optional fields, and at last one that has none and empty lists. Knows no patterns: what it makes is still to be decoded.
 */
import type { Schema } from "effect"
import { Equal } from "effect"
import type { JsonObject } from "./encodedSchema.ts"
import { fields, isJsonObject, required } from "./encodedSchema.ts"

const most = 32

interface Turn {
  readonly n: number
  /** Leaves out whatever may be absent. */
  readonly bare: boolean
}

/** As many as its widest choice has members, and a bare one where that differs. */
export const samplePayloads = (schema: JsonObject): ReadonlyArray<JsonObject> => {
  const bare = sampleObject(schema, { n: 0, bare: true })
  const full = Array.from({ length: Math.min(most, widest(schema)) }, (_, n) =>
    sampleObject(schema, { n, bare: false })
  )
  return full.some((payload) => Equal.equals(payload, bare)) ? full : [...full, bare]
}

/** Members of the widest `enum` or `anyOf` anywhere in it; those within a union's members come in turn, so they multiply. */
const widest = (json: Schema.Json | undefined): number => {
  if (Array.isArray(json)) return Math.max(1, ...json.map(widest))
  if (!isJsonObject(json)) return 1
  const { enum: literals, anyOf, ...rest } = json
  const inside = Math.max(1, ...Object.values(rest).map(widest))
  const members = Array.isArray(anyOf) ? anyOf.length * widest(anyOf) : 1
  return Math.max(inside, members, Array.isArray(literals) ? literals.length : 1)
}

const sampleObject = (schema: JsonObject, turn: Turn): JsonObject => {
  const needed = required(schema)
  const present = Object.entries(fields(schema)).filter(([name]) => !turn.bare || needed.includes(name))
  const open = schema["additionalProperties"]
  return Object.fromEntries([
    ...present.map(([name, field]) => [name, sample(field, turn, name)]),
    ...(isJsonObject(open) && !turn.bare ? [["key", sample(open, turn, "value")]] : [])
  ])
}

const sample = (json: Schema.Json, turn: Turn, name: string): Schema.Json => {
  const schema: JsonObject = isJsonObject(json) ? json : {}
  const { n, bare } = turn
  const { enum: literals, anyOf, items, prefixItems } = schema
  if (Array.isArray(literals)) return literals[n % literals.length] ?? null
  if (Array.isArray(anyOf)) {
    return sample(anyOf[n % anyOf.length] ?? {}, { n: Math.floor(n / anyOf.length), bare }, name)
  }
  if (Array.isArray(prefixItems)) return prefixItems.map((item: Schema.Json) => sample(item, turn, name))
  switch (schema["type"]) {
    case "object":
      return sampleObject(schema, turn)
    case "array":
      return items === undefined || bare ? [] : [sample(items, turn, name), sample(items, { n: n + 1, bare }, name)]
    case "string":
      return `${name} ${n + 1}`
    case "boolean":
      return n % 2 === 0
    case "integer":
      return clamp(schema, n + 1)
    case "number":
      return clamp(schema, n + 0.5)
    case "null":
      return null
    default:
      return { any: [n, null, "json"] }
  }
}

const clamp = (schema: JsonObject, value: number): number => {
  const bound = (key: string, other: number) => (typeof schema[key] === "number" ? schema[key] : other)
  return Math.min(bound("maximum", value), Math.max(bound("minimum", value), value))
}
