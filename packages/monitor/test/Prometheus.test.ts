import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import parse from "parse-prometheus-text-format"
import { ContainerMetric, derive } from "../src/ContainerSampler.ts"
import { TargetGone, TargetNotRunning } from "../src/ContainerSource.ts"
import { HostMetric } from "../src/HostSampler.ts"
import * as MetricNames from "../src/MetricNames.ts"
import * as Prometheus from "../src/Prometheus.ts"
import { RunnerMetric } from "../src/RunnerSampler.ts"
import { type AnySample, every, follow, layerWith, SampleMetrics } from "../src/SampleMetrics.ts"
import { loopbackServer } from "./loopbackServer.ts"
import { readingAt, target } from "./readings.ts"

const sample = derive(target, readingAt(10, 0.25), readingAt(12, 0.25))
const named = (name: string): AnySample => derive({ ...target, name }, readingAt(10, 0.25), readingAt(12, 0.25))
const full = (subject: AnySample["subject"], metrics: ReadonlyArray<string>): AnySample => ({
  subject,
  id: "id",
  name: "name",
  atMillis: 0,
  intervalMillis: 1000,
  values: Object.fromEntries(metrics.map((metric, i) => [metric, i + 1])),
  absent: {}
})

/** `name{label="value"}` to the number, of every family. */
const numbers = (text: string) =>
  parse(text).flatMap(({ metrics, name, type }) =>
    metrics.map(({ labels, value }) => ({ name, type, labels: labels ?? {}, value: Number(value) }))
  )
const one = (text: string, name: string) => numbers(text).filter((number) => number.name === name)

describe("text", () => {
  it("is what a parser of the format reads back, to the last digit", () => {
    const text = Prometheus.text([sample], "run_1")
    const labels = { container_id: "c0ffee", container_name: "subject", sbx_run_id: "run_1" }
    assert.deepStrictEqual(one(text, "container_cpu_usage"), [
      { name: "container_cpu_usage", type: "GAUGE", labels, value: 0.25 }
    ])
    assert.deepStrictEqual(one(text, "container_memory_working_set_bytes"), [
      { name: "container_memory_working_set_bytes", type: "GAUGE", labels, value: 50e6 }
    ])
    assert.deepStrictEqual(one(text, "container_network_io_bytes_total"), [
      {
        name: "container_network_io_bytes_total",
        type: "COUNTER",
        labels: { ...labels, network_io_direction: "receive" },
        value: 12_005
      },
      {
        name: "container_network_io_bytes_total",
        type: "COUNTER",
        labels: { ...labels, network_io_direction: "transmit" },
        value: 30
      }
    ])
    const third = Prometheus.text([{ ...sample, values: { cpuCores: 1 / 3, cpuPercentOfLimit: 29 } }])
    assert.deepStrictEqual(
      numbers(third).map(({ value }) => value),
      [1 / 3, 0.29]
    )
  })

  it("has the last sample of a subject only, and adds no counters of several up", () => {
    const later = derive(target, readingAt(12, 0.25), readingAt(14, 0.25))
    assert.strictEqual(Prometheus.text([sample, later]), Prometheus.text([later]))
  })

  it("has every metric with help, type and base unit, once a name", () => {
    for (const [subject, metrics, table] of [
      ["container", ContainerMetric.literals, MetricNames.container],
      ["host", HostMetric.literals, MetricNames.host],
      ["runner", RunnerMetric.literals, MetricNames.runner]
    ] as const) {
      const text = Prometheus.text([full(subject, metrics)])
      const families = parse(text)
      const names = Object.values<MetricNames.MetricName | "derived">(table).filter((name) => name !== "derived")
      assert.lengthOf(numbers(text), names.length)
      assert.lengthOf(families, new Set(names.map(MetricNames.prometheusName)).size)
      for (const { help, name, type } of families) {
        assert.isAbove(help.length, 0, name)
        assert.match(name, /^[a-z][a-z0-9_]*$/)
        assert.strictEqual(type, name.endsWith("_total") ? "COUNTER" : "GAUGE", name)
        assert.notMatch(name, /percent|millis|kilo|mega/)
      }
    }
  })

  it("has no line for what is absent", () => {
    const first = derive(target, undefined, readingAt(10, 0.25, { blockIo: undefined }, "none"))
    const text = Prometheus.text([first])
    for (const name of ["container_cpu_usage", "sbx_container_cpu_limit", "container_disk_io_bytes_total"]) {
      assert.notInclude(text, name)
      assert.include(Prometheus.text([sample]), name)
    }
    assert.strictEqual(Prometheus.text([]), "")
  })

  it.each([
    ["quotes", 'a"b"'],
    ["a backslash", "a\\b\\n"],
    ["line breaks", "a\nb\r\nc"],
    ["braces, commas and blanks", 'x{y="z"} , # 1'],
    ["other scripts", "名前 ☃ é 🦀"],
    ["nothing", ""]
  ])("carries a name with %s unchanged", (_what, name) => {
    const found = one(Prometheus.text([named(name)]), "container_cpu_usage")
    assert.strictEqual(found[0]?.labels["container_name"] ?? "", name)
    assert.strictEqual(found[0]?.value, 0.25)
  })
})

describe("what a scrape sees", () => {
  const scrape = Effect.map(Prometheus.format, (text) =>
    one(text, "container_memory_working_set_bytes").map(({ labels }) => labels["container_id"])
  )

  it.effect("is the latest sample of each subject", () =>
    Effect.gen(function* () {
      const { record } = yield* SampleMetrics
      yield* record(sample)
      yield* record(full("host", HostMetric.literals))
      yield* record({ ...sample, values: { cpuCores: 2 } })
      const text = yield* Prometheus.format
      assert.deepStrictEqual(
        one(text, "container_cpu_usage").map(({ value }) => value),
        [2]
      )
      assert.notInclude(text, "container_memory_working_set_bytes")
      assert.lengthOf(one(text, "system_memory_limit_bytes"), 1)
    }).pipe(Effect.provide(layerWith({})))
  )

  it.effect("lacks a container that stopped or went, and no other", () =>
    Effect.gen(function* () {
      const other = { containerId: "decaf0", name: "other" }
      const third = { containerId: "facade", name: "third" }
      const taken = [target, other, third].map((it) => derive(it, undefined, readingAt(1, 1)))
      const sampled = taken.map((one) => ({ _tag: "Sampled", sequence: 1, sample: one }) as const)
      yield* follow(Stream.fromIterable(sampled))
      assert.deepStrictEqual(yield* scrape, ["c0ffee", "decaf0", "facade"])
      yield* follow(
        Stream.make(
          { _tag: "Missed", sequence: 2, target, error: new TargetNotRunning(target) } as const,
          { _tag: "Lost", sequence: 2, target: third, error: new TargetGone(third) } as const
        )
      )
      assert.deepStrictEqual(yield* scrape, ["decaf0"])
    }).pipe(Effect.provide(layerWith({})))
  )

  it.effect("lacks a subject that fell silent, for pushing exporters too", () =>
    Effect.gen(function* () {
      const { record, registry } = yield* SampleMetrics
      yield* record(sample)
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(yield* scrape, ["c0ffee"])
      assert.isAbove(registry.size, 0)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* scrape, [])
      yield* record(sample)
      // It exports whenever it likes: not up to twice as late.
      yield* TestClock.adjust("12 seconds")
      assert.strictEqual(registry.size, 0)
    }).pipe(Effect.provide(layerWith({ staleAfter: "10 seconds" })))
  )

  it.effect("has the host as often as it is sampled, until a reading fails", () =>
    Effect.gen(function* () {
      let count = 0
      const host = Effect.suspend(() =>
        ++count > 2 ? Effect.fail("unreadable") : Effect.succeed({ ...full("host", []), values: { load1: count } })
      )
      const fiber = yield* Effect.forkChild(Effect.flip(every(Effect.andThen(Effect.sleep("1 second"), host))))
      for (const load of [1, 2]) {
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(
          one(yield* Prometheus.format, "sbx_host_load_average_1m").map(({ labels, value }) => [labels, value]),
          [[{ host_name: "name" }, load]]
        )
      }
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "unreadable")
    }).pipe(Effect.provide(layerWith({})))
  )

  it.effect("refuses to call everything stale", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(layerWith({ staleAfter: "0 seconds" })))
      assert.strictEqual(error._tag, "InvalidInterval")
    }).pipe(Effect.scoped)
  )
})

describe("the endpoint", () => {
  it.live("answers GET /metrics with the format's content type", () =>
    Effect.gen(function* () {
      yield* (yield* SampleMetrics).record(sample)
      const client = yield* HttpClient.HttpClient
      const response = yield* client.get("/metrics")
      assert.strictEqual(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      const text = yield* response.text
      assert.strictEqual(text, yield* Prometheus.format)
      assert.strictEqual(one(text, "container_cpu_usage")[0]?.value, 0.25)
      assert.strictEqual((yield* client.get("/other")).status, 404)
    }).pipe(Effect.provide(Layer.provideMerge(Prometheus.layer, Layer.merge(loopbackServer, layerWith({})))))
  )

  it("listens on this machine only unless told otherwise", () => {
    assert.strictEqual(Prometheus.listen.host, "127.0.0.1")
  })
})
