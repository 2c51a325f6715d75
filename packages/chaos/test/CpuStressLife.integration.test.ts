/** The life of a stress beside others, disturbed and cut short: mostly waiting, so these tests run at the same time. */
import { assert, describe } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { existsSync } from "node:fs"
import { pendingFaults } from "../src/FailureEvent.ts"
import { FailureInjector } from "../src/FailureInjector.ts"
import { cpuStress } from "../src/Fault.ts"
import * as Cgroup from "../src/internal/hostCgroup.ts"
import { idle, live, processesBelow, tags } from "./idleTarget.ts"
import { base, container, eventsOf, eventually, injectorLayer, sidecarsOf } from "./testEngine.ts"

describe("CpuStress on any target", { concurrent: true }, () => {
  live("needs nothing of the target's image", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const program = "import os, time\nos.rename('/bin', '/gone')\ntime.sleep(600)"
      const target = yield* container("toolless", {
        image: yield* base,
        command: ["python3", "-c", program],
        host: { nanoCpus: 5e8 }
      })
      const handle = yield* injector.inject(target, cpuStress(), { duration: "1 second" })
      assert.strictEqual((yield* handle.awaitEnd).reason, "duration")
    })
  )
})

describe("CpuStress beside another", { concurrent: true }, () => {
  live("refuses a second one on the same target and allows one on another", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const a = yield* container("one", idle)
      const b = yield* container("two", idle)
      const first = yield* injector.inject(a, cpuStress(), { duration: "1 minute" })
      const error = yield* Effect.flip(injector.inject(a, cpuStress(), { duration: "1 minute" }))
      assert.isTrue(error._tag === "Conflict" && error.holder === first.faultId)
      yield* injector.inject(b, cpuStress(), { duration: "1 minute" })
      // Another injector, as in another process: it finds the sidecar itself.
      const elsewhere = yield* Effect.flip(
        Effect.gen(function* () {
          const other = yield* FailureInjector
          yield* other.inject(a, cpuStress(), { duration: "1 minute" })
        }).pipe(Effect.scoped, Effect.provide(injectorLayer()))
      )
      assert.strictEqual(elsewhere._tag, "Conflict")
      const reports = yield* injector.stopAll
      assert.deepStrictEqual(
        reports.map((report) => report.reason),
        ["stopped", "stopped"]
      )
      assert.deepStrictEqual([...(yield* sidecarsOf(a.containerId)), ...(yield* sidecarsOf(b.containerId))], [])
      // The claim is free again.
      yield* injector.start(a, cpuStress(), { duration: "1 minute" })
    })
  )
})

describe("CpuStress that ends early", { concurrent: true }, () => {
  live("is reverted when its user is interrupted in the middle", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const target = yield* container("interrupt", idle)
      let faultId = ""
      const user = Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* injector.inject(target, cpuStress(), { duration: "10 minutes" })
          faultId = handle.faultId
          return yield* Effect.never
        })
      )
      const fiber = yield* Effect.forkChild(user)
      yield* eventually(Effect.sync(() => faultId !== ""))
      assert.strictEqual((yield* sidecarsOf(target.containerId)).length, 1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* sidecarsOf(target.containerId), [])
      const events = yield* eventsOf(faultId)
      assert.deepStrictEqual(tags(events).slice(3), ["FaultReverted", "FaultRevertProven", "FaultEnded"])
      assert.isTrue(events.some((event) => event._tag === "FaultEnded" && event.reason === "interrupted"))
      assert.deepStrictEqual(pendingFaults(events.map((payload) => ({ payload }))), [])
    })
  )

  live("is reverted when its user is interrupted before the proof", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const target = yield* container("early", idle)
      const user = Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* injector.start(target, cpuStress(), { duration: "10 minutes" })
          yield* eventually(Effect.map(sidecarsOf(target.containerId), (found) => found.length > 0))
          assert.strictEqual((yield* handle.status)._tag, "Pending")
          return handle
        })
      )
      const handle = yield* user
      assert.deepStrictEqual(yield* sidecarsOf(target.containerId), [])
      assert.strictEqual((yield* Effect.flip(handle.awaitActive))._tag, "NotProven")
      assert.strictEqual((yield* handle.awaitEnd).reason, "interrupted")
    })
  )
})

describe("CpuStress that is disturbed", { concurrent: true }, () => {
  live("cleans up after a target that was removed in the middle, its cgroup included", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const target = yield* container("removed", idle)
      const { path } = yield* processesBelow(target)
      const handle = yield* injector.inject(target, cpuStress(), { duration: "4 seconds" })
      yield* engine.removeContainer(target.containerId)
      assert.isTrue(existsSync(`/sys/fs/cgroup/cpu${path}`), "the control: the engine leaves it behind")
      assert.strictEqual((yield* handle.awaitEnd).reason, "duration")
      assert.isFalse(Cgroup.exists(path))
      assert.deepStrictEqual(yield* sidecarsOf(target.containerId), [])
    })
  )

  live("says so when its sidecar dies before the end", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const target = yield* container("short", idle)
      const handle = yield* injector.inject(target, cpuStress(), { duration: "3 seconds" })
      const [sidecar] = yield* sidecarsOf(target.containerId)
      yield* engine.killContainer(sidecar!.id, "SIGKILL")
      const error = yield* Effect.flip(handle.awaitEnd)
      assert.isTrue(error._tag === "NotProven" && error.phase === "hold" && error.detail.includes("137"))
      assert.deepStrictEqual(tags(yield* eventsOf(handle.faultId)).slice(3), [
        "FaultNotProven",
        "FaultReverted",
        "FaultRevertProven",
        "FaultEnded"
      ])
    })
  )
})

describe("CpuStress that is refused", { concurrent: true }, () => {
  live("refuses targets that are gone, stopped or paused, and a missing image", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const inject = (target: ContainerTarget) =>
        Effect.flip(injector.inject(target, cpuStress(), { duration: "1 second" }))
      const target = yield* container("states", idle)
      yield* engine.pauseContainer(target.containerId)
      const paused = yield* inject(target)
      assert.isTrue(paused._tag === "TargetNotRunning" && paused.status === "paused")
      yield* engine.unpauseContainer(target.containerId)
      yield* engine.stopContainer(target.containerId, { graceSeconds: 0 })
      const stopped = yield* inject(target)
      assert.isTrue(stopped._tag === "TargetNotRunning" && stopped.status === "exited")
      yield* engine.removeContainer(target.containerId)
      assert.strictEqual((yield* inject(target))._tag, "TargetGone")
      const missing = yield* Effect.flip(
        Effect.gen(function* () {
          const other = yield* FailureInjector
          yield* other.inject(target, cpuStress(), { duration: "1 second" })
        }).pipe(Effect.scoped, Effect.provide(injectorLayer({ sidecarImage: "sbx-test/nothing" })))
      )
      assert.isTrue(missing._tag === "Unsupported" && missing.missing.includes("image sbx-test/nothing"))
    })
  )
})
