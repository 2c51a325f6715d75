/**
 * What it costs to sample a hundred live sandboxes once a second, readings, rings and store together: cpu of this process, gaps, and
 * growth of memory after collection, the slope of the line through its readings; against `docker stats` of the same hundred for the same
 * time, with what either asks of the engine.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Sandboxes } from "@sbx/core/Sandboxes"
import { Engine } from "@sbx/engine/Engine"
import { Monitor } from "@sbx/monitor/Monitor"
import * as Monitors from "@sbx/monitor/Monitor"
import { recordItem } from "@sbx/monitor/Recorder"
import * as SampleFile from "@sbx/monitor/SampleFile"
import { SampleStore } from "@sbx/monitor/SampleStore"
import type { SeriesItem } from "@sbx/monitor/Series"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Images } from "../../src/Images.ts"
import { atMost, type Benchmark, BenchmarkFailed } from "../Benchmark.ts"
import * as DockerStats from "../competitors/dockerStats.ts"
import { collector, restingBytes } from "../internal/collector.ts"
import { failing } from "../internal/failing.ts"
import { slope, summarise } from "../internal/figures.ts"
import { BenchPlace } from "../internal/place.ts"
import { cpuMillis, engineProcesses } from "../internal/processCpu.ts"

const name = "monitor-hundred"
const count = 100
const seconds = 60
const intervalMillis = 1000
/** Until the rings are full and V8 has compiled what is hot: at a hundred samples a second that takes a while. */
const warmUpSeconds = 30
/** A compiled program needs its first answers only. */
const competitorWarmUpSeconds = 5
const idleSeconds = 5
/** A full ring neither grows nor hides growth; the store has the rest. */
const capacity = 10
const cpuLimit = 5
/** Megabytes a minute. */
const growthLimit = 10
/** The memory is read before each stretch of so many seconds, and after the last. */
const stretchSeconds = 10

/** When each container was sampled, by this process's monotonic clock, and what else came. */
interface Arrivals {
  readonly last: Map<string, number>
  readonly sources: Map<string, number>
  longestGapMillis: number
  missed: number
}

const arrivals = (): Arrivals => ({ last: new Map(), sources: new Map(), longestGapMillis: 0, missed: 0 })

const arrived = (seen: Arrivals, item: SeriesItem): void => {
  if (item._tag !== "Sampled") {
    seen.missed++
    return
  }
  const { id, source = "unnamed" } = item.sample
  const now = performance.now()
  seen.longestGapMillis = Math.max(seen.longestGapMillis, now - (seen.last.get(id) ?? now))
  seen.last.set(id, now)
  seen.sources.set(source, (seen.sources.get(source) ?? 0) + 1)
}

/** The time since its last sample is a gap too; a container that was never sampled has no gap to find. */
const closeGaps = (seen: Arrivals): void => {
  if (seen.last.size < count) seen.longestGapMillis = Number.NaN
  for (const at of seen.last.values()) seen.longestGapMillis = Math.max(seen.longestGapMillis, performance.now() - at)
}

/** Percent of one core over a time, in slices of a second, and over the whole. */
const cpuOver = Effect.fnUntraced(function* (
  read: () => number | undefined,
  forSeconds: number,
  engine: ReadonlyArray<number>
) {
  const take = () => ({ at: performance.now(), used: read(), engine: cpuMillis(engine) })
  const percent = (used: number | undefined, before: number | undefined, millis: number) =>
    used === undefined || before === undefined ? undefined : ((used - before) / millis) * 100
  const first = take()
  const slices: Array<number> = []
  let last = first
  for (let second = 0; second < forSeconds; second++) {
    yield* Effect.sleep("1 second")
    const now = take()
    const slice = percent(now.used, last.used, now.at - last.at)
    if (slice === undefined) return yield* new BenchmarkFailed({ benchmark: name, detail: "the process ended early" })
    slices.push(slice)
    last = now
  }
  const millis = last.at - first.at
  return {
    slices,
    mean: percent(last.used, first.used, millis) ?? Number.NaN,
    engine: engine.length === 0 ? undefined : percent(last.engine, first.engine, millis)
  }
})

type Cpu = Effect.Success<ReturnType<typeof cpuOver>>

interface Stretch {
  readonly cpu: Cpu
  readonly seen: Arrivals
}

/** Several times measured as one; each counts by its length. */
const joined = (stretches: ReadonlyArray<Stretch>): Stretch => {
  const slices = stretches.flatMap(({ cpu }) => cpu.slices)
  const weighted = (of: (cpu: Cpu) => number) =>
    stretches.reduce((sum, { cpu }) => sum + of(cpu) * cpu.slices.length, 0) / slices.length
  const engine = weighted((cpu) => cpu.engine ?? Number.NaN)
  const seen = arrivals()
  for (const { seen: one } of stretches) {
    seen.longestGapMillis = Math.max(seen.longestGapMillis, one.longestGapMillis)
    seen.missed += one.missed
    for (const [source, times] of one.sources) seen.sources.set(source, (seen.sources.get(source) ?? 0) + times)
  }
  const cpu = { slices, mean: weighted(({ mean }) => mean), engine: Number.isNaN(engine) ? undefined : engine }
  return { cpu, seen }
}

const ownCpuMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Samples all of them and keeps it, as a run would. */
const sampling = Effect.fnUntraced(function* (
  targets: ReadonlyArray<ContainerTarget>,
  forSeconds: number,
  engine: ReadonlyArray<number>
) {
  const monitor = yield* Monitor
  const store = yield* SampleStore
  let seen = arrivals()
  const take = (item: SeriesItem) => {
    arrived(seen, item)
    return recordItem(item)
  }
  for (const target of targets) {
    const series = yield* monitor.watch(target, { interval: intervalMillis, capacity })
    yield* Effect.forkScoped(Stream.runForEach(series.items, take))
  }
  const collect = yield* collector(name)
  yield* Effect.sleep(`${warmUpSeconds} seconds`)
  const started = performance.now()
  const read = (): readonly [number, number] => {
    return [(performance.now() - started) / 60_000, restingBytes(collect) / 1e6]
  }
  const memory: Array<readonly [number, number]> = []
  const stretches: Array<Stretch> = []
  for (let done = 0; done < forSeconds; done += stretchSeconds) {
    memory.push(read())
    // Collecting stops everything for a while, and a gap of our own making is no gap of the sampler.
    yield* Effect.sleep("2 seconds")
    seen = arrivals()
    const cpu = yield* cpuOver(ownCpuMillis, Math.min(stretchSeconds, forSeconds - done), engine)
    closeGaps(seen)
    stretches.push({ cpu, seen })
    seen = arrivals()
  }
  memory.push(read())
  return { ...joined(stretches), memory, status: yield* store.status }
})

const competitor = Effect.fnUntraced(function* (
  targets: ReadonlyArray<ContainerTarget>,
  forSeconds: number,
  engine: ReadonlyArray<number>
) {
  const { endpoint } = yield* Engine
  const { pid } = yield* DockerStats.start(
    name,
    endpoint,
    targets.map(({ containerId }) => containerId)
  )
  yield* Effect.sleep(`${competitorWarmUpSeconds} seconds`)
  return yield* cpuOver(() => cpuMillis([pid]), forSeconds, engine)
})

const measure = Effect.fnUntraced(function* (forSeconds: number) {
  const image = yield* (yield* Images).reference("tiny")
  const { directory } = yield* BenchPlace
  const engine = engineProcesses((yield* Engine).endpoint)
  const sandboxes = yield* Sandboxes
  const targets = yield* Effect.forEach(
    Array.from({ length: count }),
    () => Effect.map(sandboxes.make({ image }), ({ containerId, name }): ContainerTarget => ({ containerId, name })),
    { concurrency: "unbounded" }
  )
  yield* Effect.sleep("2 seconds")
  const idle = yield* cpuOver(ownCpuMillis, idleSeconds, engine)
  // The package's own choice of source, whatever the monitor of the composition around this benchmark was built with and remembered.
  const monitor = Layer.fresh(Monitors.layerEngine)
  const services = Layer.merge(monitor, SampleFile.layer({ path: `${directory}/samples.sqlite` }))
  const ours = yield* Effect.scoped(sampling(targets, forSeconds, engine)).pipe(Effect.provide(services))
  const theirs = yield* Effect.scoped(competitor(targets, forSeconds, engine))
  const { cpu, memory, seen } = ours
  const enough = { n: cpu.slices.length, least: seconds }
  return {
    series: [
      { of: "sbx", what: "cpu of this process, second by second", unit: "%", figures: summarise(cpu.slices) },
      { of: "docker stats", what: "cpu of its client alone", unit: "%", figures: summarise(theirs.slices) }
    ],
    targets: [
      atMost("percent of one core", cpu.mean, cpuLimit, enough),
      atMost("longest gap in ms", seen.longestGapMillis, 2 * intervalMillis, enough),
      atMost("MB grown a minute after collection", slope(memory), growthLimit, enough)
    ],
    notes: notes({ idle, ours, theirs, engine, forSeconds })
  }
})

const notes = (found: {
  readonly idle: Cpu
  readonly ours: Effect.Success<ReturnType<typeof sampling>>
  readonly theirs: Cpu
  readonly engine: ReadonlyArray<number>
  readonly forSeconds: number
}): ReadonlyArray<string> => {
  const { engine, forSeconds, idle, ours, theirs } = found
  const percent = (value: number | undefined) => (value === undefined ? "unknown" : `${value.toFixed(1)} %`)
  const { memory, seen, status } = ours
  const samples = [...seen.sources.values()].reduce((sum, one) => sum + one, 0)
  return [
    `${count} sandboxes at 1 Hz for ${forSeconds} s after ${warmUpSeconds} to warm up; ${samples} samples, ${seen.missed} missed`,
    `source: ${[...seen.sources].map(([source, times]) => `${source} ${times}`).join(", ") || "none"}`,
    `with the store: ${status.written} items written, ${status.dropped} given up, ${(status.bytes / 1e6).toFixed(1)} MB`,
    `this process without sampling, the sandboxes alive: ${percent(idle.mean)}`,
    `resident in MB, every ${stretchSeconds + 2} s: ${memory.map(([, mb]) => mb.toFixed(1)).join(" ")}`,
    engine.length === 0
      ? "cpu of the engine: its processes are not visible from here"
      : `cpu of dockerd and containerd: ${percent(idle.engine)} idle, ${percent(ours.cpu.engine)} under sbx, ` +
        `${percent(theirs.engine)} under docker stats`
  ]
}

export const monitorHundred: Benchmark = {
  name,
  description: "100 sandboxes sampled at 1 Hz, against docker stats",
  run: (options) => measure(options.rounds ?? seconds).pipe(failing(name))
}
