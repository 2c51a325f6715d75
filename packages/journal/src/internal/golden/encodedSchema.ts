/**
 * The JSON Schema of an event as it is stored, in a form that only changes when the stored form does: no annotations, no
 * named parts. Compares two of them: the same, grown by optional fields, or changed.
 */
import { Equal, Schema } from "effect"

export type JsonObject = { readonly [key: string]: Schema.Json }

export const isJsonObject = (json: unknown): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const annotations: ReadonlySet<string> = new Set([
  "$comment",
  "$id",
  "$schema",
  "contentSchema",
  "default",
  "description",
  "examples",
  "readOnly",
  "title",
  "writeOnly"
])
/** Their members are fields or patterns, whose names are nobody's keywords. */
const maps: ReadonlySet<string> = new Set(["properties", "patternProperties"])
const literal: ReadonlySet<string> = new Set(["enum", "const", "required"])

/** Of one case of a union, without its tag: the tag is the row's type. */
export const encodedSchema = (schema: Schema.Constraint): JsonObject => {
  const document = Schema.decodeUnknownSync(Schema.Json)(
    JSON.parse(JSON.stringify(Schema.toJsonSchemaDocument(schema)))
  )
  if (!isJsonObject(document)) throw new Error("a schema without a JSON Schema document")
  const definitions = isJsonObject(document["definitions"]) ? document["definitions"] : {}
  const normal = normalise(document["schema"] ?? {}, definitions, [])
  if (!isJsonObject(normal)) throw new Error("an event that is not an object")
  const whole: JsonObject = normal
  const { _tag: _, ...properties } = fields(whole)
  return { ...whole, properties, required: required(whole).filter((name) => name !== "_tag") }
}

/** Named parts are put in place; one inside itself stays a name. */
const normalise = (json: Schema.Json, definitions: JsonObject, inside: ReadonlyArray<string>): Schema.Json => {
  if (Array.isArray(json)) return json.map((item: Schema.Json) => normalise(item, definitions, inside))
  if (!isJsonObject(json)) return json
  const ref = json["$ref"]
  if (typeof ref === "string") {
    const name = ref.slice(ref.lastIndexOf("/") + 1)
    const part = definitions[name]
    return part === undefined || inside.includes(name)
      ? { $ref: name }
      : normalise(part, definitions, [...inside, name])
  }
  const kept = Object.entries(json).filter(([key]) => !annotations.has(key))
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (literal.has(key)) return [key, value]
      if (!maps.has(key) || !isJsonObject(value)) return [key, normalise(value, definitions, inside)]
      const members = Object.entries(value).map(([name, member]) => [name, normalise(member, definitions, inside)])
      return [key, Object.fromEntries(members)]
    })
  )
}

/** The fields of an object's schema. */
export const fields = (schema: JsonObject): JsonObject =>
  isJsonObject(schema["properties"]) ? schema["properties"] : {}

/** The names of the fields that must be there. */
export const required = (schema: JsonObject): ReadonlyArray<string> => {
  const names = schema["required"]
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : []
}

export interface Comparison {
  /** Optional fields that are new, as paths. */
  readonly grown: ReadonlyArray<string>
  /** Whatever else differs, as statements. */
  readonly changed: ReadonlyArray<string>
}

/** Held against the schema that was released. */
export const compare = (released: JsonObject, present: JsonObject): Comparison => {
  const found = { grown: [], changed: [] }
  walk(released, present, "", found)
  return found
}

interface Found {
  readonly grown: Array<string>
  readonly changed: Array<string>
}

const walk = (was: Schema.Json, is: Schema.Json, path: string, found: Found): void => {
  if (Equal.equals(was, is)) return
  if (isJsonObject(was) && isJsonObject(is)) return walkObject(was, is, path, found)
  if (Array.isArray(was) && Array.isArray(is) && was.length === is.length) {
    for (const [index, item] of was.entries()) walk(item, is[index] ?? null, `${path}[${index}]`, found)
    return
  }
  found.changed.push(`${path === "" ? "it" : path} was ${JSON.stringify(was)}, is ${JSON.stringify(is)}`)
}

const walkObject = (was: JsonObject, is: JsonObject, path: string, found: Found): void => {
  const [before, after] = [fields(was), fields(is)]
  const [neededBefore, neededAfter] = [required(was), required(is)]
  for (const [name, field] of Object.entries(before)) {
    const at = path === "" ? name : `${path}.${name}`
    const next = after[name]
    if (next === undefined) {
      found.changed.push(`${at} is gone`)
      continue
    }
    walk(field, next, at, found)
    const [needed, needs] = [neededBefore.includes(name), neededAfter.includes(name)]
    if (needed !== needs) found.changed.push(`${at} ${needs ? "must be there now" : "may be absent now"}`)
  }
  for (const name of Object.keys(after).filter((key) => !(key in before))) {
    const at = path === "" ? name : `${path}.${name}`
    if (neededAfter.includes(name)) found.changed.push(`${at} is new and must be there`)
    else found.grown.push(at)
  }
  for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
    if (key === "properties" || key === "required") continue
    const [a, b] = [was[key], is[key]]
    const at = key === "items" ? `${path}[]` : key === "anyOf" ? path : `${path} (${key})`
    if (a !== undefined && b !== undefined) walk(a, b, at.trim(), found)
    else found.changed.push(`${at.trim()} ${a === undefined ? `is ${JSON.stringify(b)} now` : "is gone"}`)
  }
}
