/** Decodes OTLP requests with the code that OpenTelemetry generates from its proto files. Refuses what that code refuses. */
import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js"
import * as Schema from "effect/Schema"

const Attributes = Schema.Array(
  Schema.Struct({ key: Schema.String, value: Schema.Struct({ stringValue: Schema.optionalKey(Schema.String) }) })
)

const Point = Schema.Struct({
  attributes: Attributes,
  timeUnixNano: Schema.String,
  asDouble: Schema.optionalKey(Schema.Number),
  asInt: Schema.optionalKey(Schema.String)
})

const Request = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Schema.Struct({ attributes: Attributes }),
      scopeMetrics: Schema.Array(
        Schema.Struct({
          metrics: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              unit: Schema.String,
              description: Schema.String,
              gauge: Schema.optionalKey(Schema.Struct({ dataPoints: Schema.Array(Point) })),
              sum: Schema.optionalKey(
                Schema.Struct({
                  dataPoints: Schema.Array(Point),
                  isMonotonic: Schema.Boolean,
                  aggregationTemporality: Schema.String
                })
              )
            })
          )
        })
      )
    })
  )
})

/** One number as a receiver sees it. */
export interface Received {
  readonly name: string
  readonly unit: string
  readonly kind: "gauge" | "sum" | "monotonic sum"
  readonly attributes: Readonly<Record<string, string | undefined>>
  readonly value: number | undefined
}

interface Generated {
  readonly decode: (bytes: Uint8Array) => object
  /** What is wrong with a plain object, or null. */
  readonly verify: (object: unknown) => string | null
  readonly fromObject: (object: unknown) => object
  readonly toObject: (message: object, options: object) => unknown
}

const within = (value: unknown, name: string): unknown => {
  const inside: unknown = value !== null && value !== undefined ? Reflect.get(Object(value), name) : undefined
  return inside
}

const isGenerated = (value: unknown): value is Generated =>
  ["decode", "verify", "fromObject", "toObject"].every((name) => typeof within(value, name) === "function")

/** The generated declarations name the root only; what is below it is as in the proto files. */
const generated = ((): Generated => {
  const path = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"
  const found = path.split(".").reduce(within, root)
  if (!isGenerated(found)) throw new Error(`the generated code has no ${path}`)
  return found
})()

/** Numbers of a request body, and the resource's attributes. */
export const decode = (body: Uint8Array, contentType: string) => {
  const message = contentType === "application/json" ? fromJson(body) : generated.decode(body)
  const plain = generated.toObject(message, { longs: String, enums: String, defaults: false, arrays: true })
  const { resourceMetrics } = Schema.decodeUnknownSync(Request)(plain)
  return {
    resource: Object.assign({}, ...resourceMetrics.map(({ resource }) => attributes(resource.attributes))),
    received: resourceMetrics.flatMap(({ scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }) => metrics.flatMap((metric) => numbersOf(metric)))
    )
  }
}

const parseJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Json))

const fromJson = (body: Uint8Array): object => {
  const object = parseJson(new TextDecoder().decode(body))
  const message = generated.fromObject(object)
  const wrong = generated.verify(generated.toObject(message, {}))
  if (wrong !== null) throw new Error(wrong)
  // Fields that the proto files do not know would be left out silently.
  const known = generated.toObject(message, { longs: String, arrays: true })
  unknownFields(object, parseJson(JSON.stringify(known)), "$")
  return message
}

const unknownFields = (given: Schema.Json, known: Schema.Json, path: string): void => {
  if (typeof given !== "object" || given === null) return
  if (typeof known !== "object" || known === null) throw new Error(`${path} is not what the proto files have`)
  const there = new Map(Object.entries(known))
  for (const [key, value] of Object.entries(given)) {
    const counterpart = there.get(key)
    if (counterpart === undefined) throw new Error(`${path}.${key} is not in the proto files`)
    unknownFields(value, counterpart, `${path}.${key}`)
  }
}

const attributes = (list: typeof Attributes.Type): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue]))

type Metric = (typeof Request.Type)["resourceMetrics"][number]["scopeMetrics"][number]["metrics"][number]

const numbersOf = ({ gauge, name, sum, unit }: Metric): ReadonlyArray<Received> =>
  [...(gauge?.dataPoints ?? []), ...(sum?.dataPoints ?? [])].map((point) => ({
    name,
    unit,
    kind: sum === undefined ? "gauge" : sum.isMonotonic ? "monotonic sum" : "sum",
    attributes: attributes(point.attributes),
    value: point.asDouble ?? (point.asInt === undefined ? undefined : Number(point.asInt))
  }))
