/**
 * Known loads, as both sources read them and as the kernel's own files tell it to a shell script (fixtures/kernel.sh), which shares no
 * code with them. Needs an engine on this machine: elsewhere it is red, not skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import * as CgroupSource from "../src/CgroupSource.ts"
import type { ContainerMetric, ContainerSample } from "../src/ContainerSampler.ts"
import { derive } from "../src/ContainerSampler.ts"
import type { ContainerSource } from "../src/ContainerSource.ts"
import * as EngineSource from "../src/EngineSource.ts"
import { half } from "./liveMonitor.ts"
import { base, container, engineLayer } from "./testEngine.ts"

const MiB = 2 ** 20

const live = <A, E>(title: string, effect: () => Effect.Effect<A, E, Engine | Scope.Scope>) =>
  it.live(title, () => effect().pipe(Effect.scoped, Effect.provide(engineLayer)), 60_000)

/** Runs the script on a container. */
const kernel = Effect.fnUntraced(function* (what: "now" | "cpu", { containerId }: ContainerTarget, seconds = 0) {
  const engine = yield* Engine
  const { state } = yield* engine.inspectContainer(containerId)
  const script = `${import.meta.dirname}/fixtures/kernel.sh`
  const args = [script, what, containerId, String(state.hostPid), String(seconds)]
  return (yield* Effect.promise(() => promisify(execFile)("sh", args))).stdout
})

const kernelNow = (target: ContainerTarget) =>
  Effect.map(kernel("now", target), (text) => {
    const found = new Map(text.split("\n").map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]))
    return (name: string) => found.get(name) ?? Number.NaN
  })

const sources = Effect.gen(function* () {
  const engine = yield* Engine
  return { cgroup: yield* CgroupSource.make(engine), engine: EngineSource.make(engine) }
})

const sample = Effect.fnUntraced(function* (
  read: ContainerSource["Service"]["read"],
  target: ContainerTarget,
  seconds: number
) {
  const before = yield* read(target)
  yield* Effect.sleep(`${seconds} seconds`)
  return derive(target, before, yield* read(target, { details: "fresh" }))
})

/** What is there now, by one source: an engine may answer with what it had collected a moment before it was asked. */
const now = Effect.fnUntraced(function* (read: ContainerSource["Service"]["read"], target: ContainerTarget) {
  const askedAtMillis = yield* Clock.currentTimeMillis
  const look = Effect.map(read(target, { details: "fresh" }), (reading) => derive(target, undefined, reading))
  return yield* Effect.repeat(look, { until: ({ atMillis }) => atMillis >= askedAtMillis })
})

const value = ({ values }: ContainerSample, metric: ContainerMetric) => values[metric] ?? Number.NaN

/** `actual` within `share` of `expected`. */
const near = (actual: number, expected: number, share: number, what: string) =>
  assert.isAtMost(Math.abs(actual - expected), expected * share, `${what}: ${actual}, expected ${expected}`)

const text = ({ containerId }: ContainerTarget) =>
  Stream.unwrap(Effect.map(Engine, (engine) => engine.logs(containerId, { follow: true }))).pipe(
    Stream.map((frame) => frame.bytes),
    Stream.decodeText,
    Stream.splitLines
  )

/** Waits until the container has printed the line. */
const printed = (target: ContainerTarget, line: string) =>
  text(target).pipe(
    Stream.filter((candidate) => candidate === line),
    Stream.runHead,
    Effect.timeout("20 seconds")
  )

/** Burns a share of a core by its own cpu clock, making up for what it was denied: exact over any second, once it has said so. */
const burns = (cores: number) => [
  "python3",
  "-c",
  [
    "import time",
    "start, warm = time.monotonic(), False",
    "while True:",
    `  while time.process_time() < ${cores} * (time.monotonic() - start): pass`,
    "  time.sleep(0.005)",
    "  if not warm and time.monotonic() - start > 1:",
    "    warm = True",
    "    print('warm', flush=True)"
  ].join("\n")
]

interface Point {
  readonly atMillis: number
  readonly usageNanos: number
}

/** Cores in use between two times, by a counter that was looked at every 50 ms. */
const coresOver = (points: ReadonlyArray<Point>, fromMillis: number, toMillis: number) => {
  const usageAt = (atMillis: number) => {
    const after = points.findIndex((point) => point.atMillis >= atMillis)
    const [from, to] = [points[after - 1], points[after]]
    if (from === undefined || to === undefined) return Number.NaN
    const share = (atMillis - from.atMillis) / (to.atMillis - from.atMillis)
    return from.usageNanos + share * (to.usageNanos - from.usageNanos)
  }
  return (usageAt(toMillis) - usageAt(fromMillis)) / 1e6 / (toMillis - fromMillis)
}

type ReadContainer = ContainerSource["Service"]["read"]

/**
 * Both sources and the script over 3 s each. Their windows are not the same (an engine samples at its own pace, up to a second later),
 * so each is held against the kernel's counter over its own window, whatever the load did there.
 */
const judged = Effect.fnUntraced(function* (
  cgroup: ReadContainer,
  engine: ReadContainer,
  { percent, target }: { readonly percent: number; readonly target: ContainerTarget }
) {
  const points: Array<Point> = []
  const track = Effect.map(cgroup(target), ({ stats }) => {
    points.push({ atMillis: stats.readAtMillis, usageNanos: stats.cpu?.usageNanos ?? Number.NaN })
  })
  // One before, and one after, so that every window lies within.
  yield* track
  const tracking = yield* Effect.forkChild(Effect.repeat(track, Schedule.spaced("50 millis")), {
    startImmediately: true
  })
  const [byCgroup, byEngine, script] = yield* Effect.all(
    [sample(cgroup, target, 3), sample(engine, target, 3), kernel("cpu", target, 3)],
    { concurrency: "unbounded" }
  )
  yield* Effect.andThen(Effect.sleep("100 millis"), track)
  yield* Fiber.interrupt(tracking)
  const [byKernel = Number.NaN, from = Number.NaN, to = Number.NaN] = script.split(" ").map(Number)
  const engineFrom = byEngine.atMillis - (byEngine.intervalMillis ?? Number.NaN)
  const overKernel = coresOver(points, from, to)
  const overEngine = coresOver(points, engineFrom, byEngine.atMillis)
  const close = (cores: number, counted: number, by: string) =>
    assert.isAtMost(Math.abs(cores - counted) / 0.5, 0.05, `${percent} % by ${by}: ${cores}, by the cgroup ${counted}`)
  close(byKernel, overKernel, "the script")
  close(value(byEngine, "cpuCores"), overEngine, "the engine")
  assert.deepStrictEqual([byCgroup.source, byEngine.source], ["cgroup", "engine"])
  return { percent, byCgroup, byEngine, byCounters: [byKernel, overEngine] }
})

const python = (...lines: ReadonlyArray<string>) => ["python3", "-u", "-c", lines.join("\n")]

describe("cpu", () => {
  live("at 10, 50 and 100 % of half a core is read within 5 points by both sources, and a neighbour is not moved", () =>
    Effect.gen(function* () {
      const image = yield* base
      const { cgroup, engine } = yield* sources
      const busyLoop = ["sh", "-c", "while :; do :; done"]
      const loads = [
        { percent: 10, target: yield* container("burn-10", { image, command: burns(0.05), host: half }) },
        { percent: 50, target: yield* container("burn-50", { image, command: burns(0.25), host: half }) },
        { percent: 100, target: yield* container("burn-100", { command: busyLoop, host: half }) }
      ]
      const idle = yield* container("idle", { command: ["sleep", "600"], host: half })
      const before = yield* now(cgroup, idle)
      yield* Effect.forEach(loads.slice(0, 2), ({ target }) => printed(target, "warm"))
      const look = Effect.forEach(loads, (load) => judged(cgroup, engine, load), { concurrency: "unbounded" })
      // Other work on this machine takes cpu away from a load: then the kernel itself says less than was asked for.
      const calm = (found: Effect.Success<typeof look>) =>
        found.every(({ byCounters, percent }) => byCounters.every((cores) => Math.abs(cores / 0.005 - percent) < 4))
      const found = yield* look.pipe(Effect.repeat({ until: calm, schedule: Schedule.spaced("100 millis") }))
      for (const { byCgroup, byEngine, percent } of found)
        for (const read of [byCgroup, byEngine])
          assert.isAtMost(Math.abs(value(read, "cpuPercentOfLimit") - percent), 5, `${read.source}, ${percent} %`)
      const [, , full] = found
      assert.isAbove(value(full!.byCgroup, "cpuThrottledPeriods"), 20)
      const after = yield* sample(cgroup, idle, 1)
      assert.isBelow(value(after, "cpuCores"), 0.005)
      assert.isBelow(Math.abs(value(after, "memoryBytes") - value(before, "memoryBytes")), MiB)
    })
  )
})

describe("memory", { concurrent: true }, () => {
  live("of 100 MiB touched is read within 5 %, and none of a file of 500 MB that is read", () =>
    Effect.gen(function* () {
      const port = yield* Engine
      const { cgroup, engine } = yield* sources
      const command = python(
        "import os, signal",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})",
        "with open('/big', 'wb') as f: f.truncate(500_000_000)",
        "print('ready'); signal.sigwait({signal.SIGUSR1})",
        "b = bytearray(100 << 20)",
        "for i in range(0, len(b), 4096): b[i] = 1",
        "print('touched'); signal.sigwait({signal.SIGUSR1})",
        "with open('/big', 'rb', buffering=0) as f:",
        "  while f.read(1 << 16): pass",
        "print('read'); signal.pause()"
      )
      const host = { memoryBytes: 900 * MiB, memorySwapBytes: 900 * MiB, networkMode: "none" }
      const target = yield* container("memory", { image: yield* base, command, host })
      const look = Effect.all({ c: now(cgroup, target), e: now(engine, target), k: kernelNow(target) })
      const step = (line: string) =>
        Effect.andThen(port.killContainer(target.containerId, "SIGUSR1"), printed(target, line))
      yield* printed(target, "ready")
      const before = yield* look
      yield* step("touched")
      const touched = yield* look
      yield* step("read")
      const read = yield* look
      for (const by of ["c", "e"] as const) {
        near(value(touched[by], "memoryBytes") - value(before[by], "memoryBytes"), 100 * MiB, 0.05, `touched, ${by}`)
        assert.isBelow(value(read[by], "memoryBytes") - value(touched[by], "memoryBytes"), 5 * MiB)
        // The control: the file's pages are really there, and charged.
        assert.isAbove(value(read[by], "memoryChargedBytes") - value(touched[by], "memoryChargedBytes"), 480e6, by)
        for (const { [by]: found, k } of [before, touched, read]) {
          // The kernel charges 64 pages a core ahead, and lets as many changes of its statistics wait.
          const slack = Math.max(MiB, 0.05 * k("workingSet"))
          assert.isAtMost(Math.abs(value(found, "memoryBytes") - k("workingSet")), slack, `kernel, ${by}`)
        }
      }
    })
  )

  live("killed for want of it is counted, and the container lives on", () =>
    Effect.gen(function* () {
      const { cgroup } = yield* sources
      const host = { memoryBytes: 24 * MiB, memorySwapBytes: 24 * MiB, networkMode: "none" }
      const target = yield* container("oom", { command: ["sh", "-c", "tail /dev/zero; echo killed; sleep 600"], host })
      yield* printed(target, "killed")
      const k = yield* kernelNow(target)
      assert.deepStrictEqual([value(yield* now(cgroup, target), "memoryOomKills"), k("oomKills")], [1, 1])
    })
  )
})

describe("counts", { concurrent: true }, () => {
  live("of processes, threads, zombies and open files are the kernel's", () =>
    Effect.gen(function* () {
      const { cgroup, engine } = yield* sources
      const command = python(
        "import os, threading, time",
        "files = [open('/proc/self/stat') for _ in range(30)]",
        "for _ in range(4): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "for _ in range(7):",
        "  if os.fork() == 0: time.sleep(600)",
        "for _ in range(2):",
        "  child = os.fork()",
        "  if child == 0: os._exit(0)",
        "  os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)",
        "print('forked'); time.sleep(600)"
      )
      const target = yield* container("counts", {
        image: yield* base,
        command,
        host: { pidsLimit: 64, networkMode: "none" }
      })
      yield* printed(target, "forked")
      const [c, e, k] = yield* Effect.all([now(cgroup, target), now(engine, target), kernelNow(target)])
      assert.deepStrictEqual([value(c, "processes"), value(e, "processes"), k("processes")], [8, 8, 8])
      assert.deepStrictEqual([value(c, "threads"), k("threads")], [12, 12])
      // Two are dead and not reaped: the limit counts them, nobody runs them.
      assert.deepStrictEqual([value(c, "pids"), value(e, "pids"), value(c, "pidsLimit")], [14, 14, 64])
      assert.strictEqual(value(c, "openFiles"), k("files"))
      assert.isAtLeast(value(c, "openFiles"), 8 * 33)
    })
  )

  live("of bytes written to the layer and to bounded mounts are du's and df's", () =>
    Effect.gen(function* () {
      const { cgroup } = yield* sources
      const command = [
        "sh",
        "-c",
        "mkdir -p /a/b; dd if=/dev/zero of=/a/b/big bs=1M count=5; dd if=/dev/zero of=/ws/f bs=1M count=3; du -s -k /a; df -k /ws | tail -n 1; echo written; sleep 600"
      ]
      const host = { networkMode: "none", tmpfs: { "/ws": "rw,size=10m" } }
      const target = yield* container("disk", { command, host })
      const lines = yield* text(target).pipe(
        Stream.takeUntil((line) => line === "written"),
        Stream.runCollect,
        Effect.timeout("20 seconds")
      )
      const all = [...lines].join("\n")
      const du = Number(/^(\d+)\s+\/a$/m.exec(all)?.[1]) * 1024
      const df = /\s(\d+)\s+(\d+)\s+\d+\s+\d+%\s+\/ws/.exec(all)
      const { values } = yield* now(cgroup, target)
      assert.isAtLeast(du, 5 * MiB)
      near(values.writableLayerBytes ?? Number.NaN, du, 0.01, "the layer")
      assert.deepStrictEqual(
        [values.mountUsedBytes, values.mountLimitBytes],
        [Number(df?.[2]) * 1024, Number(df?.[1]) * 1024]
      )
    })
  )
})
