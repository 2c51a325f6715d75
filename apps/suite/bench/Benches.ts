/**
 * All benchmarks, and running them: one after the other, alone on the machine, against the engine in use. Refuses unknown names and
 * leaves nothing behind but its answer.
 */
import { Environment, defaults } from "@sbx/core/Environment"
import { MachineLock } from "@sbx/core/MachineLock"
import * as Verdict from "@sbx/core/Verdict"
import { Engine } from "@sbx/engine/Engine"
import { Located } from "@sbx/engine/Located"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { cpus } from "node:os"
import * as Composition from "../src/Composition.ts"
import { Images } from "../src/Images.ts"
import * as benchRemains from "../src/internal/benchRemains.ts"
import { nearest } from "../src/internal/nearest.ts"
import { Progress } from "../src/Progress.ts"
import * as Recovery from "../src/Recovery.ts"
import { type Benchmark, Result } from "./Benchmark.ts"
import { coldStart } from "./cases/coldStart.ts"
import { coldStartBridge } from "./cases/coldStartBridge.ts"
import { exec } from "./cases/exec.ts"
import { hundred } from "./cases/hundred.ts"
import { journalAppend } from "./cases/journalAppend.ts"
import { journalRead } from "./cases/journalRead.ts"
import { memory } from "./cases/memory.ts"
import { monitorHundred } from "./cases/monitorHundred.ts"
import { poolAcquire } from "./cases/poolAcquire.ts"
import { session } from "./cases/session.ts"
import { BenchPlace } from "./internal/place.ts"

export const benchmarks: ReadonlyArray<Benchmark> = [
  coldStart,
  coldStartBridge,
  poolAcquire,
  exec,
  session,
  hundred,
  journalAppend,
  journalRead,
  memory,
  monitorHundred
]

/** No benchmark has that name. */
export class UnknownBenchmark extends Schema.TaggedError<UnknownBenchmark>()("UnknownBenchmark", {
  name: Schema.String,
  nearest: Schema.Array(Schema.String)
}) {
  override get message() {
    const hint = this.nearest.length === 0 ? benchmarks.map(({ name }) => name) : this.nearest
    return `Could not find the benchmark ${this.name}.\nDid you mean: ${hint.join(", ")}?`
  }
}

/** What the figures were taken on; they compare with figures of the same machine only. */
export const Machine = Schema.Struct({
  cpus: Schema.Int,
  cpu: Schema.String,
  kernel: Schema.String,
  node: Schema.String,
  engine: Schema.String,
  storageDriver: Schema.String
})

/** JSON of `bench --json`. */
export const Report = Schema.Struct({
  machine: Machine,
  results: Schema.Array(Result),
  verdict: Verdict.Verdict
})
export type Report = typeof Report.Type

/** The benchmarks of these names, in the catalogue's order; all where none is given. */
export const choose = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const known = benchmarks.map(({ name }) => name)
  const strange = names.find((name) => !known.includes(name))
  if (strange !== undefined) return yield* new UnknownBenchmark({ name: strange, nearest: nearest(strange, known) })
  return names.length === 0 ? benchmarks : benchmarks.filter(({ name }) => names.includes(name))
})

export interface RunOptions {
  readonly chosen: ReadonlyArray<Benchmark>
  readonly rounds: number | undefined
  readonly install: boolean
  /** Absolute; its `.sbx/bench` holds the files meanwhile. */
  readonly directory: string
  readonly onResult: (result: Result) => Effect.Effect<void>
}

/** Room for the most that a benchmark holds at once, and for the one that it copies. */
const atOnce = 110

export const run = Effect.fn("Benches.run")(function* (options: RunOptions) {
  const place = yield* benchRemains.makePlace(options.directory)
  const journalPath = `${place}/journal.sqlite`
  const settings = Layer.succeed(Environment, { ...defaults, maxConcurrentSandboxes: atOnce })
  const run = `bench_${(yield* Random.nextIntBetween(0, 36 ** 6)).toString(36)}`
  const services = Composition.scenarioServices({ runId: run, journalPath, allowDangerous: false }).pipe(
    Layer.provideMerge(Composition.engine({ install: options.install })),
    Layer.provideMerge(Layer.mergeAll(Sqlite.layer({ path: journalPath }), settings)),
    Layer.provideMerge(Layer.succeed(BenchPlace, { directory: place }))
  )
  return yield* measureAll(options).pipe(Effect.provide(services))
})

const measureAll = Effect.fnUntraced(function* (options: RunOptions) {
  const progress = yield* Progress
  yield* Recovery.atStart({ directory: options.directory })
  const { failures } = yield* benchRemains.sweep(options.directory)
  for (const failure of failures) yield* progress.line(`not cleared: ${failure}`)
  // Built before anything is timed.
  yield* (yield* Images).reference("tiny")
  yield* progress.status("waiting for the machine to be free")
  yield* (yield* MachineLock).hold("exclusive")
  const results: Array<Result> = []
  for (const { name, description, run } of options.chosen) {
    yield* progress.status(`${name}: ${description}`)
    const measured = yield* Effect.scoped(run({ rounds: options.rounds }))
    const result = { name, description, ...measured }
    results.push(result)
    yield* progress.status("")
    yield* options.onResult(result)
  }
  const verdict = Verdict.mergeAll(results.flatMap(({ targets }) => targets.map((target) => target.verdict)))
  return { machine: yield* machine, results, verdict } satisfies Report
})

const machine = Effect.gen(function* () {
  const { kind } = yield* Located
  const { version, kernelVersion, storageDriver } = yield* (yield* Engine).info
  return {
    cpus: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    kernel: kernelVersion,
    node: process.versions.node,
    engine: `${kind} ${version}`,
    storageDriver
  }
})
