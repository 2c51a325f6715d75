/**
 * The latest sample of each subject, as what exporters read: a list for scrapes, and a registry of effect metrics for exporters
 * that push. What is absent in a sample is absent there; a subject that stopped, went or fell silent vanishes.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { attributesOf, exported } from "./MetricNames.ts"
import type { Exported } from "./MetricNames.ts"
import type { Sample } from "./Sample.ts"
import type { InvalidInterval, SeriesItem } from "./Series.ts"
import { validInterval } from "./Series.ts"

/** A sample of a container, the host or the runner. */
export type AnySample = Sample<string>

export interface SampleMetricsOptions {
  /** Given to every metric as `sbx.run.id`. */
  readonly runId?: string
  /** A subject not sampled for this long vanishes; from the registry a tenth later at most. Longer than the sampling interval. Default 1 minute. */
  readonly staleAfter?: Duration.Input
}

export class SampleMetrics extends Context.Service<
  SampleMetrics,
  {
    /** Replaces what was known of the sample's subject. */
    readonly record: (sample: AnySample) => Effect.Effect<void>
    readonly forget: (subject: Pick<AnySample, "subject" | "id">) => Effect.Effect<void>
    /** Samples that are not stale, in the order in which their subjects were first seen. */
    readonly latest: Effect.Effect<ReadonlyArray<AnySample>>
    /** The same as effect metrics, for an exporter of effect's. Written here only. */
    readonly registry: Metric.MetricRegistry
    readonly runId: string | undefined
  }
>()("@sbx/monitor/SampleMetrics") {}

export type Service = SampleMetrics["Service"]

interface Known {
  readonly sample: AnySample
  readonly seenNanos: bigint
  readonly registrations: ReadonlyArray<Metric.Registration>
}

export const make = Effect.fnUntraced(function* (
  options: SampleMetricsOptions = {}
): Effect.fn.Return<Service, InvalidInterval, Scope.Scope> {
  const staleAfter = yield* validInterval(options.staleAfter ?? "1 minute")
  const staleNanos = BigInt(Math.ceil(Duration.toMillis(staleAfter) * 1e6))
  const registry: Metric.MetricRegistry = new Map()
  const context = Context.make(Metric.MetricRegistry, registry)
  const known = new Map<string, Known>()
  const drop = (key: string): void => {
    for (const { remove } of known.get(key)?.registrations ?? []) remove()
    known.delete(key)
  }
  const evict = Effect.map(Clock.monotonicTimeNanos, (now) => {
    for (const [key, { seenNanos }] of known) if (now - seenNanos > staleNanos) drop(key)
  })
  const record = (sample: AnySample) =>
    Effect.map(Clock.monotonicTimeNanos, (seenNanos) => {
      const key = keyOf(sample)
      for (const { remove } of known.get(key)?.registrations ?? []) remove()
      known.set(key, { sample, seenNanos, registrations: register(sample, options.runId, context) })
    })
  // Exporters that push read the registry whenever they like, so what is stale must go without being asked for, a tenth late at most.
  const look = Duration.millis(Duration.toMillis(staleAfter) / 10)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(look), evict)))
  return {
    record,
    forget: (subject) => Effect.sync(() => drop(keyOf(subject))),
    latest: Effect.map(evict, () => [...known.values()].map(({ sample }) => sample)),
    registry,
    runId: options.runId
  }
})

const keyOf = ({ id, subject }: Pick<AnySample, "subject" | "id">): string => `${subject} ${id}`

const register = (
  sample: AnySample,
  runId: string | undefined,
  context: Context.Context<never>
): ReadonlyArray<Metric.Registration> => {
  const attributes = attributesOf(sample, runId)
  return exported(sample).map((one) => registerOne(one, attributes, context))
}

/** effect's exporters take the unit from the attribute `unit`. */
const registerOne = (
  { name, value }: Exported,
  attributes: Readonly<Record<string, string>>,
  context: Context.Context<never>
): Metric.Registration => {
  const options = { description: name.help, attributes: { ...attributes, ...name.attributes, unit: name.unit } }
  if (name.kind === "gauge") {
    return Metric.registerUnsafe(Metric.gauge(name.id, options), context, {
      get: () => ({ value }),
      update: () => undefined,
      modify: () => undefined
    })
  }
  const incremental = name.kind === "counter"
  return Metric.registerUnsafe(Metric.counter(name.id, { ...options, incremental }), context, {
    get: () => ({ count: value, incremental }),
    update: () => undefined,
    modify: () => undefined
  })
}

export const layerWith = (options: SampleMetricsOptions): Layer.Layer<SampleMetrics, InvalidInterval> =>
  Layer.effect(SampleMetrics, make(options))

/** Subjects vanish after a minute without a sample. */
export const layer: Layer.Layer<SampleMetrics> = Layer.orDie(layerWith({}))

/** Records the items of a series, of one or of several containers, as long as it lasts. A gap or a loss makes its container vanish. */
export const follow = <E, R>(items: Stream.Stream<SeriesItem, E, R>): Effect.Effect<void, E, R | SampleMetrics> =>
  Effect.flatMap(SampleMetrics, ({ forget, record }) =>
    Stream.runForEach(items, (item) =>
      item._tag === "Sampled" ? record(item.sample) : forget({ subject: "container", id: item.target.containerId })
    )
  )

/** Samples the host or the runner again and again, one window after the other; e.g. `every(host.sample())`. Ends with the first that fails. */
export const every = <A extends AnySample, E, R>(
  sample: Effect.Effect<A, E, R>
): Effect.Effect<never, E, R | SampleMetrics> =>
  Effect.flatMap(SampleMetrics, ({ record }) => Effect.forever(Effect.flatMap(sample, record)))
