/** Memory and processes as the monitor sees them, and targets that change: no time is measured, so these tests run at the same time. */
import { assert, describe } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Monitor } from "../src/Monitor.ts"
import { compare, takeSnapshot } from "../src/Snapshot.ts"
import { hostCgroup } from "./hostCgroup.ts"
import { half, live } from "./liveMonitor.ts"
import { base, container } from "./testEngine.ts"

/** Waits until the container has printed the line. */
const printed = Effect.fnUntraced(function* ({ containerId }: ContainerTarget, line: string) {
  const engine = yield* Engine
  const text = engine.logs(containerId, { follow: true }).pipe(
    Stream.map((frame) => frame.bytes),
    Stream.decodeText,
    Stream.splitLines
  )
  yield* text.pipe(
    Stream.filter((candidate) => candidate === line),
    Stream.runHead,
    Effect.timeout("20 seconds")
  )
})

/** Python that does each step when it gets SIGUSR1 and prints its number when done. */
const steps = (...bodies: ReadonlyArray<string>) => [
  "python3",
  "-c",
  [
    "import os, signal",
    "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})",
    "print('ready', flush=True)",
    ...bodies.flatMap((body, index) => ["signal.sigwait({signal.SIGUSR1})", body, `print(${index + 1}, flush=True)`]),
    "signal.pause()"
  ].join("\n")
]

describe("memory", { concurrent: true }, () => {
  live("64 MiB touched in one container show there, in the kernel's files, and not in the other", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const image = yield* base
      const touch = "b = bytearray(64 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1"
      const host = { memoryBytes: 256 << 20, memorySwapBytes: 256 << 20, networkMode: "none" }
      const a = yield* container("touch", { image, command: steps(touch), host })
      const b = yield* container("still", { image, command: steps(touch), host })
      yield* Effect.all([printed(a, "ready"), printed(b, "ready")])
      const cgroup = yield* hostCgroup(a)
      const kernelBefore = cgroup.workingSetBytes()
      const before = yield* takeSnapshot([a, b])
      yield* engine.killContainer(a.containerId, "SIGUSR1")
      yield* printed(a, "1")
      const delta = yield* compare(before, yield* takeSnapshot([a, b]))
      const [inA, inB] = delta.containers.map((container) => container.values.memoryBytes ?? Number.NaN)
      const expected = 64 * 2 ** 20
      assert.isBelow(Math.abs(inA! - expected), expected * 0.1)
      assert.isBelow(Math.abs(cgroup.workingSetBytes() - kernelBefore - inA!), expected * 0.02)
      assert.isBelow(Math.abs(inB!), expected * 0.02)
      assert.isTrue(delta.memoryUsedMb < 100)
      assert.isAbove(delta.memoryUsedMb, 60)
    })
  )

  live("page cache of a file that is read does not count", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const write = [
        "with open('/big', 'wb') as f:",
        "  for _ in range(200): f.write(bytes(1 << 20))",
        "  os.fsync(f.fileno()); os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)"
      ].join("\n")
      const read = "with open('/big', 'rb', buffering=0) as f:\n  while f.read(1 << 16): pass"
      const target = yield* container("cache", {
        image: yield* base,
        command: steps(write, read),
        host: { memoryBytes: 512 << 20, memorySwapBytes: 512 << 20, networkMode: "none" }
      })
      yield* printed(target, "ready")
      yield* engine.killContainer(target.containerId, "SIGUSR1")
      yield* printed(target, "1")
      const before = yield* takeSnapshot(target, { window: "200 millis" })
      yield* engine.killContainer(target.containerId, "SIGUSR1")
      yield* printed(target, "2")
      const { containers, memoryUsedMb } = yield* compare(before, yield* takeSnapshot(target, { window: "200 millis" }))
      // The control: the cache is really there, and charged.
      assert.isAbove(containers[0]?.values.memoryChargedBytes ?? 0, 190e6)
      assert.isBelow(Math.abs(memoryUsedMb), 10)
    })
  )
})

describe("pids", { concurrent: true }, () => {
  live("sleeping processes are counted as the kernel counts them", () =>
    Effect.gen(function* () {
      const command = ["sh", "-c", "for i in 1 2 3 4 5 6 7; do sleep 600 & done; echo forked; wait"]
      const target = yield* container("fork", { command, host: { pidsLimit: 32, networkMode: "none" } })
      yield* printed(target, "forked")
      const monitor = yield* Monitor
      const { values } = yield* monitor.sample(target, { window: "200 millis" })
      const cgroup = yield* hostCgroup(target)
      assert.deepStrictEqual([values.pids, values.pidsLimit, cgroup.pids()], [8, 32, 8])
    })
  )
})

describe("targets that change", { concurrent: true }, () => {
  live("a container removed in mid-stream is lost, and the other goes on", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const monitor = yield* Monitor
      const doomed = yield* container("doomed", { command: ["sleep", "600"], host: half })
      const stays = yield* container("stays", { command: ["sleep", "600"], host: half })
      let lostAt = 0
      const items = yield* monitor.seriesAll([doomed, stays], { interval: "200 millis" }).pipe(
        Stream.tap((item) =>
          item._tag === "Sampled" && item.sample.id === doomed.containerId && item.sequence === 2
            ? engine.removeContainer(doomed.containerId)
            : Effect.void
        ),
        Stream.tap((item) => Effect.sync(() => item._tag === "Lost" && (lostAt = item.sequence))),
        Stream.takeUntil((item) => lostAt > 0 && item._tag === "Sampled" && item.sequence > lostAt + 2),
        Stream.runCollect,
        Effect.timeout("20 seconds")
      )
      assert.strictEqual(items.filter((item) => item._tag === "Lost").length, 1)
      assert.isAbove(lostAt, 2)
    })
  )

  live("a stopped container is not running, a removed one is gone", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const monitor = yield* Monitor
      const target = yield* container("stop", { command: ["sleep", "600"], host: half })
      yield* engine.stopContainer(target.containerId, { graceSeconds: 0 })
      assert.strictEqual((yield* Effect.flip(monitor.sample(target)))._tag, "TargetNotRunning")
      yield* engine.removeContainer(target.containerId)
      assert.strictEqual((yield* Effect.flip(monitor.sample(target)))._tag, "TargetGone")
    })
  )

  live("a restarted container leaves a gap and goes on", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const monitor = yield* Monitor
      const target = yield* container("restart", { command: ["sleep", "600"], host: half })
      const { containerId } = target
      let missed = false
      const items = yield* monitor.seriesAll([target], { interval: "200 millis" }).pipe(
        Stream.tap((item) => {
          if (item._tag === "Sampled" && item.sequence === 2)
            return engine.stopContainer(containerId, { graceSeconds: 0 })
          if (item._tag !== "Missed" || missed) return Effect.void
          missed = true
          return engine.startContainer(containerId)
        }),
        Stream.takeUntil((item) => missed && item._tag === "Sampled" && item.sample.values.cpuCores !== undefined),
        Stream.runCollect,
        Effect.timeout("20 seconds")
      )
      assert.isTrue(items.some((item) => item._tag === "Missed" && item.error._tag === "TargetNotRunning"))
    })
  )
})
