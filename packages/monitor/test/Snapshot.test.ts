import { assert, describe, it } from "@effect/vitest"
import { Journal } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as HostSampler from "../src/HostSampler.ts"
import { ContainerMetric, derive } from "../src/ContainerSampler.ts"
import { HostMetric } from "../src/HostSampler.ts"
import { Monitor } from "../src/Monitor.ts"
import { family, snapshotStream } from "../src/ResourceEvent.ts"
import * as RunnerSampler from "../src/RunnerSampler.ts"
import { RunnerMetric } from "../src/RunnerSampler.ts"
import type { Sample } from "../src/Sample.ts"
import type { Snapshot } from "../src/Snapshot.ts"
import { compare, takeFullSnapshot, takeSnapshot } from "../src/Snapshot.ts"
import { readingAt, statsAt, target } from "./readings.ts"

const memoryOf = (bytes: number) => ({ memory: { ...statsAt(0, 0).memory!, usageBytes: bytes, inactiveFileBytes: 0 } })

const snapshotOf = (over: Parameters<typeof readingAt>[2], cores = 0.25): Snapshot => ({
  id: "snap_a",
  label: "",
  atMillis: 1000,
  containers: [derive(target, readingAt(1, cores, over), readingAt(2, cores, over))],
  host: undefined,
  runner: undefined
})

/** A sample with the same value for each of the metrics. */
const sampleOf = <M extends string>(
  subject: Sample<M>["subject"],
  metrics: ReadonlyArray<M>,
  value: number
): Sample<M> => {
  const values: { [K in M]?: number } = {}
  for (const metric of metrics) values[metric] = value
  return { subject, id: target.containerId, name: target.name, atMillis: 0, intervalMillis: 1000, values, absent: {} }
}

describe("compare", () => {
  it.effect("answers how much memory was added", () =>
    Effect.gen(function* () {
      const before = snapshotOf(memoryOf(10e6))
      const after = { ...snapshotOf(memoryOf(74e6), 0.5), atMillis: 4000 }
      const delta = yield* compare(before, after)
      assert.isTrue(delta.memoryUsedMb < 100)
      assert.strictEqual(delta.memoryUsedMb, 64)
      assert.strictEqual(delta.cpuCores, 0.25)
      assert.strictEqual(delta.elapsedMillis, 3000)
    })
  )

  it.effect("covers every metric there is, of containers, the host and the runner", () =>
    Effect.gen(function* () {
      const full = (value: number): Snapshot => ({
        ...snapshotOf({}),
        containers: [sampleOf("container", ContainerMetric.literals, value)],
        host: sampleOf("host", HostMetric.literals, value),
        runner: sampleOf("runner", RunnerMetric.literals, value)
      })
      const delta = yield* compare(full(1), full(3))
      const each = (metrics: ReadonlyArray<string>) => Object.fromEntries(metrics.map((metric) => [metric, 2]))
      assert.deepStrictEqual<object | undefined>(delta.containers[0]?.values, each(ContainerMetric.literals))
      assert.deepStrictEqual<object | undefined>(delta.host?.values, each(HostMetric.literals))
      assert.deepStrictEqual<object | undefined>(delta.runner?.values, each(RunnerMetric.literals))
    })
  )

  it.effect("gives a value or a reason for every metric, also for one that a sample does not mention", () =>
    Effect.gen(function* () {
      const measured = ["memoryBytes", "cpuCores", "pids"] as const
      const bare: Snapshot = { ...snapshotOf({}), containers: [sampleOf("container", [...measured], 1)] }
      const [delta] = (yield* compare(bare, bare)).containers
      for (const metric of ContainerMetric.literals) {
        if (measured.some((one) => one === metric)) assert.strictEqual(delta?.values[metric], 0)
        else assert.strictEqual(delta?.absent[metric], "not-reported", metric)
      }
    })
  )

  it.effect("has no difference of a counter that fell, and one of a gauge that did", () =>
    Effect.gen(function* () {
      const before = snapshotOf({ blockIo: { readBytes: 10, writeBytes: 10 } })
      const after = snapshotOf({ blockIo: { readBytes: 5, writeBytes: 12 }, pids: { current: 1, limit: 64 } })
      const [delta] = (yield* compare(before, after)).containers
      assert.deepStrictEqual(
        [delta?.absent.blockReadBytes, delta?.values.blockWriteBytes, delta?.values.pids],
        ["counter-went-back", 2, -2]
      )
    })
  )

  it.effect("has no difference of counters across a restart or a change of source, even where they grew", () =>
    Effect.gen(function* () {
      const of = (over: Partial<Sample<ContainerMetric>>): Snapshot => ({
        ...snapshotOf({}),
        containers: snapshotOf({}).containers.map((sample) => ({ ...sample, incarnation: "1/1", ...over }))
      })
      const [restarted] = (yield* compare(of({}), of({ incarnation: "2/9" }))).containers
      assert.deepStrictEqual(
        [restarted?.absent.networkRxBytes, restarted?.absent.memoryPeakBytes, restarted?.values.pids],
        ["counter-went-back", "counter-went-back", 0]
      )
      const [moved] = (yield* compare(of({}), of({ source: "engine" }))).containers
      assert.deepStrictEqual([moved?.absent.blockWriteBytes, moved?.values.pids], ["source-changed", 0])
    })
  )

  it.effect("has no difference of a host's counter that fell", () =>
    Effect.gen(function* () {
      const withHost = (value: number): Snapshot => ({
        ...snapshotOf({}),
        host: sampleOf("host", HostMetric.literals, value)
      })
      const { host } = yield* compare(withHost(9), withHost(4))
      assert.deepStrictEqual(
        [host?.absent.diskReadBytes, host?.absent.diskWriteBytes, host?.values.diskUsedBytes],
        ["counter-went-back", "counter-went-back", -5]
      )
    })
  )

  it.effect("refuses snapshots of which one shows the host and the other does not", () =>
    Effect.gen(function* () {
      const host: Snapshot = { ...snapshotOf({}), host: sampleOf("host", HostMetric.literals, 1) }
      const missing = (a: Snapshot, b: Snapshot) => Effect.map(Effect.flip(compare(a, b)), (error) => error.missing)
      assert.deepStrictEqual(yield* missing(host, snapshotOf({})), ["host: only in the first snapshot"])
      assert.deepStrictEqual(yield* missing(snapshotOf({}), host), ["host: only in the second snapshot"])
    })
  )

  it.effect("says why a field has no difference", () =>
    Effect.gen(function* () {
      const delta = yield* compare(snapshotOf({}), snapshotOf({ blockIo: undefined }))
      assert.strictEqual(delta.containers[0]?.absent.blockReadBytes, "not-reported")
    })
  )

  it.effect("refuses a total over something that was not measured", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(compare(snapshotOf({}), snapshotOf({ memory: undefined })))
      assert.deepStrictEqual(error.missing, ["subject: memoryBytes is not-reported"])
    })
  )

  it.effect("refuses snapshots of different containers", () =>
    Effect.gen(function* () {
      const none = { ...snapshotOf({}), containers: [] }
      assert.deepStrictEqual((yield* Effect.flip(compare(snapshotOf({}), none))).missing, [
        "subject: only in the first snapshot"
      ])
      assert.deepStrictEqual((yield* Effect.flip(compare(none, snapshotOf({})))).missing, [
        "subject: only in the second snapshot",
        "no container in the first snapshot"
      ])
    })
  )
})

/** A monitor whose samples are given and whose events go to a real journal. */
const monitorLayer = Layer.provideMerge(
  Layer.effect(
    Monitor,
    Effect.map(Journal, (journal) =>
      Monitor.of({
        sample: () => Effect.succeed(derive(target, readingAt(1, 0.25), readingAt(2, 0.25))),
        watch: () => Effect.die("not used"),
        series: () => Stream.die("not used"),
        seriesAll: () => Stream.die("not used"),
        record: (event) => family.append(journal, snapshotStream, [event], { expected: { _tag: "Any" } })
      })
    )
  ),
  Memory.layer
)

describe("takeSnapshot", () => {
  it.effect("records what it measured and nothing that it did not", () =>
    Effect.gen(function* () {
      const snapshot = yield* takeSnapshot(target, { label: "before" })
      const journal = yield* Journal
      const [recorded] = yield* Stream.runCollect(family.read(journal, snapshotStream))
      assert.match(snapshot.id, /^snap_[a-z2-7]{16}$/)
      assert.deepStrictEqual(recorded?.payload, {
        _tag: "SnapshotTaken",
        snapshotId: snapshot.id,
        label: "before",
        atMillis: snapshot.atMillis,
        subjects: [
          { subject: "container", id: target.containerId, name: target.name, metrics: snapshot.containers[0]!.values }
        ]
      })
    }).pipe(Effect.provide(monitorLayer))
  )

  it.live("shows the host and this process too", () =>
    Effect.gen(function* () {
      const before = yield* takeFullSnapshot(target, { window: "300 millis" })
      const after = yield* takeFullSnapshot([target], { window: "300 millis" })
      const delta = yield* compare(before, after)
      assert.isDefined(delta.host?.values.memoryBytes)
      assert.isDefined(delta.runner?.values.memoryBytes)
      assert.isAbove(before.runner?.values.memoryBytes ?? 0, 10e6)
    }).pipe(Effect.provide(Layer.mergeAll(monitorLayer, HostSampler.layer, RunnerSampler.layer)))
  )
})
