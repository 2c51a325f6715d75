/**
 * Samples to an OpenTelemetry collector over OTLP/HTTP, by effect's own exporter. Sampling never waits for it: a receiver that is
 * down costs its points and nothing else (effect's exporter tries again after a minute).
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Headers from "effect/http/Headers"
import type { HttpClient } from "effect/http/HttpClient"
import type { Flusher } from "effect/observability/OtlpExporter"
import * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import { SampleMetrics } from "./SampleMetrics.ts"

export interface OtlpOptions {
  /** Of the metrics endpoint, e.g. `http://127.0.0.1:4318/v1/metrics`. */
  readonly url: string
  /** Default `service.name` is `sbx`. */
  readonly serviceName?: string
  readonly headers?: Headers.Input
  /** Default 10 seconds. */
  readonly exportInterval?: Duration.Input
  /** Default 3 seconds. */
  readonly shutdownTimeout?: Duration.Input
}

/** Exports what {@link SampleMetrics} knows, every interval and once at the end. Points carry the time of the export. */
export const layerWith = (
  options: OtlpOptions
): Layer.Layer<Flusher, never, HttpClient | OtlpSerialization.OtlpSerialization | SampleMetrics> =>
  Layer.unwrap(
    Effect.map(SampleMetrics, ({ registry }) =>
      OtlpMetrics.layer({ ...options, resource: { serviceName: options.serviceName ?? "sbx" } }).pipe(
        Layer.provide(withoutUnitAttribute),
        Layer.provide(Layer.succeed(Metric.MetricRegistry, registry))
      )
    )
  )

/** As protobuf. */
export const layer = (options: OtlpOptions): Layer.Layer<Flusher, never, HttpClient | SampleMetrics> =>
  layerWith(options).pipe(Layer.provide(OtlpSerialization.layerProtobuf))

/** As JSON. */
export const layerJson = (options: OtlpOptions): Layer.Layer<Flusher, never, HttpClient | SampleMetrics> =>
  layerWith(options).pipe(Layer.provide(OtlpSerialization.layerJson))

type Point = { readonly attributes: ReadonlyArray<{ readonly key: string }> }
type Points = { readonly dataPoints: ReadonlyArray<Point> }

const pointsOf = <P extends Points>(points: P): P => ({
  ...points,
  dataPoints: points.dataPoints.map((point) => ({
    ...point,
    attributes: point.attributes.filter(({ key }) => key !== "unit")
  }))
})

/** effect carries a metric's unit in an attribute, and leaves it there beside the field that it fills. */
const withoutUnitAttribute = Layer.effect(
  OtlpSerialization.OtlpSerialization,
  Effect.map(OtlpSerialization.OtlpSerialization, (inner) => ({
    ...inner,
    metrics: (data: OtlpMetrics.MetricsData) =>
      inner.metrics({
        resourceMetrics: data.resourceMetrics.map((resource) => ({
          ...resource,
          scopeMetrics: resource.scopeMetrics.map((scope) => ({
            ...scope,
            metrics: scope.metrics.map((metric) => ({
              ...metric,
              ...(metric.gauge === undefined ? {} : { gauge: pointsOf(metric.gauge) }),
              ...(metric.sum === undefined ? {} : { sum: pointsOf(metric.sum) })
            }))
          }))
        }))
      })
  }))
)
