/**
 * Samples containers, ours or not: on demand, or as series. Every series has its own fiber, so that one that dies
 * disturbs no other. Refuses non-positive intervals; with metrics disabled it refuses everything and starts nothing.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import type { Engine } from "@sbx/engine/Engine"
import * as Journals from "@sbx/journal/Journal"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AutoSource from "./AutoSource.ts"
import type { CgroupOptions } from "./CgroupSource.ts"
import type { ContainerSample } from "./ContainerSampler.ts"
import { derive } from "./ContainerSampler.ts"
import type { ReadError, TargetGone } from "./ContainerSource.ts"
import { ContainerSource } from "./ContainerSource.ts"
import * as ResourceEvent from "./ResourceEvent.ts"
import type { InvalidCapacity, InvalidInterval, Series, SeriesItem, SeriesOptions } from "./Series.ts"
import { make as makeSeries, validInterval } from "./Series.ts"

/** Metrics were switched off. */
export class MetricsDisabled extends Schema.TaggedError<MetricsDisabled>()("MetricsDisabled", {
  name: Schema.String
}) {
  override get message() {
    return `Could not sample ${this.name}: metrics are disabled.\nEnable them (ENABLE_RESOURCE_MONITORING=true), or leave the sampling out.`
  }
}

export type SeriesError = InvalidInterval | InvalidCapacity | MetricsDisabled

export interface SampleOptions {
  /** How long the rates are measured. Default 1 second: ten periods of the cpu quota, so within 10 % of a throttled rate. */
  readonly window?: Duration.Input
}

type Service = Monitor["Service"]

export class Monitor extends Context.Service<
  Monitor,
  {
    /** Takes two readings a window apart, so no rate is ever a zero of a first reading. Takes as long as the window. */
    readonly sample: (
      target: ContainerTarget,
      options?: SampleOptions
    ) => Effect.Effect<ContainerSample, ReadError | InvalidInterval | MetricsDisabled>
    /** Starts a series that lives as long as the scope. */
    readonly watch: (
      target: ContainerTarget,
      options?: SeriesOptions
    ) => Effect.Effect<Series, SeriesError, Scope.Scope>
    /** Samples of one container, the first at once; gaps are left out. Fails with `TargetGone` when it is removed. */
    readonly series: (
      target: ContainerTarget,
      options?: SeriesOptions
    ) => Stream.Stream<ContainerSample, SeriesError | TargetGone>
    /** Items of several containers, merged. One that is lost says so (`Lost`) and the others go on. */
    readonly seriesAll: (
      targets: ReadonlyArray<ContainerTarget>,
      options?: SeriesOptions
    ) => Stream.Stream<SeriesItem, SeriesError>
    /** Puts an event on record; used by snapshots. */
    readonly record: (event: ResourceEvent.ResourceEvent) => Effect.Effect<void, Journals.AppendError>
  }
>()("@sbx/monitor/Monitor") {}

/** Samples through {@link ContainerSource}, records in the journal. */
export const layer: Layer.Layer<Monitor, never, ContainerSource | Journals.Journal> = Layer.effect(
  Monitor,
  Effect.gen(function* () {
    const source = yield* ContainerSource
    const journal = yield* Journals.Journal
    const watch: Service["watch"] = (target, options) =>
      makeSeries({
        target,
        read: source.read(target, { details: options?.details ?? "paced" }),
        interval: options?.interval,
        capacity: options?.capacity,
        onLost: (lost, last) => recordLost(journal, lost, last)
      })
    return Monitor.of({ ...derived(watch), sample: sampleOnce(source), record: (event) => record(journal, event) })
  })
)

/** Samples the engine's containers, by the kernel's files where this machine shows them, else by the engine's statistics. */
export const layerAuto = (options: CgroupOptions): Layer.Layer<Monitor, never, Engine | Journals.Journal> =>
  layer.pipe(Layer.provide(AutoSource.layerWith(options)))

/** {@link layerAuto} as it comes: what most programs want. */
export const layerEngine: Layer.Layer<Monitor, never, Engine | Journals.Journal> = layerAuto({})

/** Metrics switched off: no sampler is started, every request fails with {@link MetricsDisabled}. */
export const layerDisabled: Layer.Layer<Monitor> = Layer.succeed(
  Monitor,
  Monitor.of({
    ...derived((target) => Effect.fail(new MetricsDisabled({ name: target.name }))),
    sample: (target) => Effect.fail(new MetricsDisabled({ name: target.name })),
    record: () => Effect.void
  })
)

function derived(watch: Service["watch"]): Pick<Service, "watch" | "series" | "seriesAll"> {
  const items = (target: ContainerTarget, options?: SeriesOptions) =>
    Stream.unwrap(Effect.map(watch(target, options), (series) => series.items))
  return {
    watch,
    series: (target, options) =>
      items(target, options).pipe(
        Stream.flatMap((item): Stream.Stream<ContainerSample, TargetGone> => {
          if (item._tag === "Sampled") return Stream.succeed(item.sample)
          return item._tag === "Lost" ? Stream.fail(item.error) : Stream.empty
        })
      ),
    seriesAll: (targets, options) =>
      Stream.mergeAll(
        targets.map((target) => items(target, options)),
        { concurrency: "unbounded" }
      )
  }
}

const sampleOnce = (source: ContainerSource["Service"]) =>
  Effect.fn("Monitor.sample")(function* (target: ContainerTarget, options?: SampleOptions) {
    const window = yield* validInterval(options?.window ?? "1 second")
    const before = yield* source.read(target)
    yield* Effect.sleep(window)
    return derive(target, before, yield* source.read(target, { details: "fresh" }))
  })

const record = (journal: Journals.Journal["Service"], event: ResourceEvent.ResourceEvent) =>
  ResourceEvent.family
    .append(journal, ResourceEvent.streamOf(event), [event], { expected: Journals.any })
    .pipe(Effect.asVoid)

/** A journal that refuses must not end other samplers: it is reported, and the series' own `Lost` item still comes. */
const recordLost = (journal: Journals.Journal["Service"], lost: TargetGone, last: ContainerSample | undefined) =>
  record(journal, {
    _tag: "SamplerTargetLost",
    containerId: lost.containerId,
    name: lost.name,
    ...(last === undefined ? {} : { lastSampleAtMillis: last.atMillis })
  }).pipe(Effect.catch((error) => Effect.logError("Could not record a lost container", error)))
