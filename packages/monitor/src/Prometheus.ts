/**
 * The latest samples as Prometheus reads them: text exposition format 0.0.4 over HTTP, written by effect's own formatter.
 * An absent metric is an absent line; a subject that vanished has none. Refuses nothing, needs no sandbox.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type { PathInput } from "effect/http/HttpRouter"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServer } from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { attributesOf, exported, prometheusName } from "./MetricNames.ts"
import type { AnySample } from "./SampleMetrics.ts"
import { SampleMetrics } from "./SampleMetrics.ts"

/** Where to listen unless told otherwise: this machine only, on the port that OpenTelemetry's exporters use. */
export const listen = { host: "127.0.0.1", port: 9464 } as const

/** prometheus.io/docs/instrumenting/exposition_formats. */
const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** Samples as text; of a subject that is there several times, the last. Names and units as in `MetricNames.prometheusName`; labels `container_id`, `container_name`, `sbx_run_id`. */
export const text = (samples: ReadonlyArray<AnySample>, runId?: string): string => {
  const context = Context.make(Metric.MetricRegistry, new Map())
  // A counter of effect's adds up what it is told.
  const latest = new Map(samples.map((sample) => [`${sample.subject} ${sample.id}`, sample]))
  for (const sample of latest.values()) {
    for (const { name, value } of exported(sample)) {
      const options = { description: name.help, attributes: { ...attributesOf(sample, runId), ...name.attributes } }
      const id = prometheusName(name)
      // What may fall is a gauge to Prometheus, also where OpenTelemetry calls it a sum.
      if (name.kind === "counter") Metric.counter(id, options).updateUnsafe(value, context)
      else Metric.gauge(id, options).updateUnsafe(value, context)
    }
  }
  return PrometheusMetrics.formatUnsafe(context)
}

/** What {@link SampleMetrics} knows now, as text. */
export const format: Effect.Effect<string, never, SampleMetrics> = Effect.gen(function* () {
  const { latest, runId } = yield* SampleMetrics
  return text(yield* latest, runId)
})

/** `GET /metrics`, or another path, in the router of an HTTP server that is there already. */
export const layerRoute = (
  path: PathInput = "/metrics"
): Layer.Layer<never, never, HttpRouter.HttpRouter | SampleMetrics> =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const metrics = yield* SampleMetrics
      const answer = Effect.map(Effect.provideService(format, SampleMetrics, metrics), (body) =>
        HttpServerResponse.text(body, { contentType })
      )
      yield* router.add("GET", path, answer)
    })
  )

/** Serves nothing but {@link layerRoute}; the server says where, e.g. `NodeHttpServer.layer(createServer, Prometheus.listen)`. */
export const layer: Layer.Layer<never, never, HttpServer | SampleMetrics> = HttpRouter.serve(layerRoute(), {
  disableListenLog: true,
  disableLogger: true
})
