import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Clock, Effect } from "effect"
import type { Sandbox } from "../src/SandboxHandle.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

/** Cores used and periods throttled while a busy loop runs for a second, from the engine's counters of the container's cgroup. */
const busy = Effect.fnUntraced(function* (box: Sandbox) {
  const engine = yield* Engine
  const sample = Effect.flatMap(engine.statsContainer(box.containerId), (stats) =>
    stats === "absent" || stats.cpu === undefined
      ? Effect.die(new Error("no cpu statistics"))
      : Effect.succeed(stats.cpu)
  )
  yield* box.spawn(["sh", "-c", "while :; do :; done"])
  const before = yield* sample
  const began = yield* Clock.currentTimeNanos
  yield* Effect.sleep("1 second")
  const after = yield* sample
  const wallNanos = Number((yield* Clock.currentTimeNanos) - began)
  return {
    cores: (after.usageNanos - before.usageNanos) / wallNanos,
    throttled: (after.throttledPeriods ?? 0) - (before.throttledPeriods ?? 0)
  }
})

/** busybox dd allocates its block at once: 64 MiB of touched memory. */
const eat = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("limits", (it) => {
  it.effect("hold for cpu: the quota is reached by throttling, and without one there is none", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const limited = yield* Effect.scoped(Effect.flatMap(make({ cpus: 0.2 }), busy))
      assert.isAtMost(limited.cores, 0.2 * 1.15)
      assert.isAbove(limited.throttled, 0)
      const control = yield* Effect.scoped(Effect.flatMap(make({ loosening: { noCpuLimit: true } }), busy))
      assert.strictEqual(control.throttled, 0)
      assert.isAbove(control.cores, limited.cores)
    })
  )

  it.effect("hold for memory: past it the kernel kills, and without one it does not", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const limited = yield* make({ memory: "32M", command: eat })
      assert.deepInclude(yield* limited.awaitExit, { oomKilled: true, exitCode: 137 })
      const inside = yield* make({ memory: "32M" })
      assert.strictEqual((yield* inside.exec(eat)).exitCode, 137)
      assert.strictEqual(yield* inside.state, "running")
      const control = yield* make({ memory: "32M", command: eat, loosening: { noMemoryLimit: true } })
      assert.deepInclude(yield* control.awaitExit, { oomKilled: false, exitCode: 0 })
    })
  )

  it.effect("hold for processes: fork fails with EAGAIN at the limit, and not below it", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const script = "i=0; while [ $i -lt 24 ]; do sleep 5 & i=$((i+1)); done; echo made $i"
      const limited = yield* make({ pids: 16 })
      const refused = yield* limited.exec(["sh", "-c", script])
      assert.include(refused.stderr, "Resource temporarily unavailable")
      assert.notInclude(refused.stdout, "made 24")
      const control = yield* make({ pids: 64 })
      const made = yield* control.exec(["sh", "-c", `${script}; kill -9 $(jobs -p)`])
      assert.include(made.stdout, "made 24")
    })
  )

  it.effect("are what the engine says it applied", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ cpus: 0.75, memory: "64M", pids: 33 })
      const { host } = yield* box.inspect
      assert.deepInclude(host, {
        nanoCpus: 750_000_000,
        memoryBytes: 64 * 1024 ** 2,
        memorySwapBytes: 64 * 1024 ** 2,
        pidsLimit: 33
      })
    })
  )
})
