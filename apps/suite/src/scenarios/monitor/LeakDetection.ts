/**
 * The same work done 3,600 times by two programs in one sandbox: one gives everything back and must pass, the other keeps 1 MB and a
 * process of every 100 operations and must be found out, at the pace that the kernel tells.
 */
import type { Sandbox } from "@sbx/core/SandboxHandle"
import { Sandboxes } from "@sbx/core/Sandboxes"
import * as Scenario from "@sbx/core/Scenario"
import * as Verdict from "@sbx/core/Verdict"
import { judgeReadings, type LeakReport } from "@sbx/monitor/LeakCheck"
import type { LeakReading } from "@sbx/monitor/LeakSources"
import { Monitor } from "@sbx/monitor/Monitor"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { Images } from "../../Images.ts"
import * as KernelView from "../../internal/kernelView.ts"
import { caught, isNear } from "../../internal/measured.ts"

const batches = 36
const operationsOfBatch = 100
const bytesOfOperation = 10_000
const operations = batches * operationsOfBatch

/** A line in is a batch, a line out says that it is done. Writes with built-ins only: nothing comes and goes but what is meant to. */
const program100 = (path: string, afterwards: string) =>
  [
    "while read -r go; do i=0",
    `while [ $i -lt ${operationsOfBatch} ]; do printf '%${bytesOfOperation}s' x >> ${path}; i=$((i + 1)); done`,
    afterwards,
    "echo done; done"
  ].join("\n")
const clean = program100("/tmp/scratch", "sleep 0 & wait $!; : > /tmp/scratch")
const leaky = program100("/tmp/leak", "sleep 600 &")

/** What the monitor says of the sandbox after so many operations. Counters that its source does not know are not asked for. */
const reading = Effect.fnUntraced(function* (sandbox: Sandbox, done: number) {
  const { absent, values } = yield* (yield* Monitor).sample(sandbox, { window: "10 millis" })
  const { memoryBytes, openFiles, processes } = values
  const found: LeakReading = {
    operations: done,
    atMillis: Number(yield* Clock.monotonicTimeNanos) / 1e6,
    values: {
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(openFiles === undefined ? {} : { fileDescriptors: openFiles }),
      ...(processes === undefined ? {} : { processes })
    },
    absent: {
      ...(memoryBytes === undefined ? { memoryBytes: "failed" } : {}),
      ...(openFiles === undefined
        ? { fileDescriptors: absent.openFiles === "not-reported" ? "not-asked" : "failed" }
        : {}),
      ...(processes === undefined ? { processes: "failed" } : {})
    }
  }
  return found
})

/** Runs all batches, with a reading before, between and after, and the kernel's view at both ends. */
const runs = Effect.fnUntraced(function* (sandbox: Sandbox, script: string) {
  const worker = yield* sandbox.spawn(["sh", "-c", script], { stdin: true })
  const answers = yield* Queue.unbounded<string>()
  yield* worker.stdout.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => Queue.offer(answers, line)),
    Effect.forkScoped
  )
  const go = new TextEncoder().encode("go\n")
  const before = yield* KernelView.read(sandbox)
  const readings = [yield* reading(sandbox, 0)]
  for (let batch = 1; batch <= batches; batch++) {
    yield* worker.writeStdin(go)
    yield* Queue.take(answers)
    readings.push(yield* reading(sandbox, batch * operationsOfBatch))
  }
  const after = yield* KernelView.read(sandbox)
  const report = yield* Effect.fromResult(judgeReadings(readings))
  return { report, grownBytes: after.memoryBytes - before.memoryBytes, grownTasks: after.tasks - before.tasks }
}, Effect.scoped)
type Run = Effect.Success<ReturnType<typeof runs>>

const counterOf = ({ counters }: LeakReport, name: string) => counters.find(({ counter }) => counter === name)

const say = Effect.fnUntraced(function* (key: string, { grownBytes, grownTasks, report }: Run) {
  const { evidence } = yield* Scenario.ScenarioContext
  const counters = report.counters.map(({ counter, finding, first, last, verdict }) => ({
    counter,
    first: first ?? null,
    last: last ?? null,
    slopePer1000: finding?.axes[0]?.scales[0]?.slope ?? null,
    verdict: verdict._tag
  }))
  yield* evidence(key, { operations, counters, kernel: { grownBytes, grownTasks } })
})

const passesClean = Effect.fnUntraced(function* (run: Run) {
  const { finding } = yield* Scenario.ScenarioContext
  yield* say("clean", run)
  for (const { counter, verdict } of run.report.counters) yield* finding(`no false alarm on ${counter}`, verdict)
})

const findsLeak = Effect.fnUntraced(function* (run: Run) {
  const { check, finding } = yield* Scenario.ScenarioContext
  yield* say("leaky", run)
  yield* check(
    "the leak was planted, by the kernel",
    run.grownTasks === batches && run.grownBytes >= operations * bytesOfOperation,
    {
      expected: `${batches} tasks, ${operations * bytesOfOperation} bytes or more`,
      actual: `${run.grownTasks} tasks, ${run.grownBytes} bytes`
    }
  )
  for (const name of ["memoryBytes", "processes"]) {
    const verdict = counterOf(run.report, name)?.verdict ?? Verdict.unknown(`${name} was not read`)
    yield* finding(`the planted leak of ${name} is found`, caught(verdict))
  }
  const files = counterOf(run.report, "fileDescriptors")
  if (files !== undefined) yield* finding("the planted leak of fileDescriptors is found", caught(files.verdict))
  const slope = counterOf(run.report, "memoryBytes")?.finding?.axes[0]?.scales[0]?.slope
  if (slope === undefined) return
  const byKernel = (run.grownBytes / operations) * 1000
  yield* check("it leaks at the kernel's pace", isNear(slope, byKernel, 0.1), {
    expected: `${byKernel} bytes per 1,000 operations ± 10 %`,
    actual: String(slope)
  })
})

const program = Effect.gen(function* () {
  const { step } = yield* Scenario.ScenarioContext
  const image = yield* (yield* Images).reference("tiny")
  const sandbox = yield* step("create", (yield* Sandboxes).make({ image, memory: "256M", tmp: "128M" }))
  yield* step("a clean program", Effect.flatMap(runs(sandbox, clean), passesClean))
  yield* step("a leaky program", Effect.flatMap(runs(sandbox, leaky), findsLeak))
})

export const leakDetection = Scenario.make(
  "monitor/leak-detection",
  {
    description:
      "a leak of 1 MB and one process per 100 operations is found, and the same work without it raises no alarm",
    images: ["tiny"],
    // An engine that answers for its containers takes up to 2 s a reading.
    timeout: "3 minutes"
  },
  program
)
