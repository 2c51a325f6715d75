import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { FetchHttpClient, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Flusher } from "effect/observability/OtlpExporter"
import { derive } from "../src/ContainerSampler.ts"
import * as Otlp from "../src/Otlp.ts"
import { follow, layer as metrics, SampleMetrics } from "../src/SampleMetrics.ts"
import { loopbackServer } from "./loopbackServer.ts"
import { decode, type Received } from "./otlpRequest.ts"
import { readingAt, target } from "./readings.ts"

const uncached = { usageBytes: 7, inactiveFileBytes: undefined, limitBytes: undefined, maxUsageBytes: undefined }
const sample = derive(target, readingAt(10, 0.25), readingAt(12, 0.25, { memory: uncached }))
const labels = { "container.id": "c0ffee", "container.name": "subject" }

interface Got {
  readonly body: Uint8Array
  readonly contentType: string
}

/** A receiver on this machine that answers with `status`, or not before it is `over`; where it is, and what it was sent. */
const receiver = Effect.fnUntraced(function* (status: number | "never" = 200) {
  const got = yield* Queue.unbounded<Got>()
  const over = yield* Deferred.make<void>()
  const server = yield* HttpServer.HttpServer
  yield* HttpServer.serveEffect(
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const body = new Uint8Array(yield* request.arrayBuffer)
      yield* Queue.offer(got, { body, contentType: request.headers["content-type"] ?? "" })
      if (status === "never") yield* Deferred.await(over)
      return HttpServerResponse.empty({ status: status === "never" ? 503 : status })
    })
  )
  const { address } = server
  const port = address._tag === "InetAddressV4" ? address.port : 0
  return { got, over, url: `http://127.0.0.1:${port}/v1/metrics` }
})

const find = (received: ReadonlyArray<Received>, name: string) => received.filter((number) => number.name === name)
const services = Layer.mergeAll(loopbackServer, FetchHttpClient.layer, metrics)

describe("OTLP", () => {
  const kinds = [
    ["protobuf", "application/x-protobuf", Otlp.layer],
    ["JSON", "application/json", Otlp.layerJson]
  ] as const
  for (const [name, expected, layer] of kinds) {
    it.live(`is read as ${name} by OpenTelemetry's generated code: names, units, kinds, attributes and values`, () =>
      Effect.gen(function* () {
        const { got, url } = yield* receiver()
        yield* (yield* SampleMetrics).record(sample)
        yield* Effect.scoped(
          Effect.flatMap(Flusher, ({ flush }) => flush).pipe(Effect.provide(layer({ url, exportInterval: "1 hour" })))
        )
        const { body, contentType } = yield* Queue.take(got)
        assert.strictEqual(contentType, expected)
        const { received, resource } = decode(body, contentType)
        assert.strictEqual(resource["service.name"], "sbx")
        assert.deepStrictEqual(find(received, "container.cpu.usage"), [
          { name: "container.cpu.usage", unit: "{cpu}", kind: "gauge", attributes: labels, value: 0.25 }
        ])
        assert.deepStrictEqual(find(received, "container.memory.usage"), [
          { name: "container.memory.usage", unit: "By", kind: "sum", attributes: labels, value: 7 }
        ])
        assert.deepStrictEqual(
          find(received, "container.network.io").map((it) => [
            it.kind,
            it.unit,
            it.attributes["network.io.direction"],
            it.value
          ]),
          [
            ["monotonic sum", "By", "receive", 12_005],
            ["monotonic sum", "By", "transmit", 30]
          ]
        )
        // Absent in the sample: no cache figure, so no working set.
        assert.isDefined(sample.absent.memoryBytes)
        assert.deepStrictEqual(find(received, "container.memory.working_set"), [])
        assert.deepStrictEqual(find(received, "sbx.container.cpu.throttled.interval.time")[0]?.value, 1)
      }).pipe(Effect.provide(services))
    )
  }

  it("is not read by a judge that would take anything", () => {
    const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
    assert.throws(() => decode(new Uint8Array([7, 7, 7]), "application/x-protobuf"))
    assert.throws(() => decode(json({ resourceMetrics: [{ resorce: {} }] }), "application/json"), /resorce/)
  })

  for (const [what, status] of [
    ["refuses", 400],
    ["never answers", "never"]
  ] as const) {
    it.live(`costs nothing but its points when the receiver ${what}`, () =>
      Effect.gen(function* () {
        const { got, over, url } = yield* receiver(status)
        const { latest } = yield* SampleMetrics
        const samples = Array.from({ length: 50 }, (_, i) => derive(target, readingAt(i, 1), readingAt(i + 1, 1)))
        const items = samples.map((one, i) => ({ _tag: "Sampled", sequence: i + 1, sample: one }) as const)
        yield* Effect.gen(function* () {
          // An export is under way, or was refused.
          yield* Queue.take(got)
          yield* follow(Stream.fromIterable(items))
        }).pipe(Effect.provide(Otlp.layer({ url, exportInterval: "5 millis", shutdownTimeout: "20 millis" })))
        assert.deepStrictEqual(yield* latest, samples.slice(-1))
        yield* Deferred.succeed(over, undefined)
      }).pipe(Effect.provide(services))
    )
  }
})
