import { assert, describe, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import type { Journal } from "@sbx/journal/Journal"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import { pendingFaults } from "../src/FailureEvent.ts"
import { FailureInjector } from "../src/FailureInjector.ts"
import { cpuStress } from "../src/Fault.ts"
import * as Cgroup from "../src/internal/hostCgroup.ts"
import { base, container, eventsOf, eventually, injectorLayer, sidecarsOf } from "./testEngine.ts"

type Services = FailureInjector | Engine | Journal | Scope.Scope

const live = <A, E>(title: string, effect: () => Effect.Effect<A, E, Services>) =>
  it.live(title, () => effect().pipe(Effect.scoped, Effect.provide(injectorLayer())), 60_000)

const idle = { command: ["sleep", "600"], host: { nanoCpus: 5e8, networkMode: "none" } }

/** Host pids below the target's cgroup, its own included. */
const processesBelow = Effect.fnUntraced(function* ({ containerId }: ContainerTarget) {
  const engine = yield* Engine
  const { id, state } = yield* engine.inspectContainer(containerId)
  const path = Cgroup.pathOf(id, state.hostPid)
  assert.isDefined(path, "the engine is local and its cgroups are visible")
  return { path, pids: Cgroup.processes(path) }
})

/** When the engine saw a container die, milliseconds since 1970. */
const deathOf = Effect.fnUntraced(function* (id: string, sinceMillis: number) {
  const engine = yield* Engine
  const death = yield* engine.events({ sinceMillis, labels: {} }).pipe(
    Stream.filter((event) => event.action === "die" && event.actorId === id),
    Stream.runHead,
    Effect.timeout("10 seconds")
  )
  return Option.getOrThrow(death).atMillis
})

/** Cpu times of a cgroup, twice. */
const readings = Effect.fnUntraced(function* (path: string, apart: Duration.Input) {
  const read = Effect.map(Clock.monotonicTimeNanos, (nanos) => ({
    ...(Cgroup.cpuTimes(path) ?? assert.fail(`${path} is readable`)),
    atMillis: Number(nanos) / 1e6
  }))
  return [yield* read, yield* Effect.delay(read, apart)] as const
})

const tags = (events: ReadonlyArray<{ readonly _tag: string }>) => events.map((event) => event._tag)

describe("CpuStress", () => {
  live("is proved against the control, holds for its duration, is reverted and leaves nothing", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const target = yield* container("stress", idle)
      const handle = yield* injector.inject(target, cpuStress(), { duration: "3 seconds" })
      const activeAt = yield* Clock.currentTimeMillis
      assert.strictEqual((yield* handle.status)._tag, "Active")
      const [sidecar] = yield* sidecarsOf(target.containerId)
      assert.isDefined(sidecar)
      const { path } = yield* processesBelow(target)
      // A second opinion, read by the test: the target's cgroup pays for it.
      const [from, to] = yield* readings(path, "2 seconds")
      assert.isAbove(to.usageNanos - from.usageNanos, 0.2e9)
      const report = yield* handle.awaitEnd
      const endedAt = yield* Clock.currentTimeMillis

      assert.strictEqual(report.reason, "duration")
      const [cpu] = report.evidence
      assert.strictEqual(cpu?.metric, "targetCpuCores")
      assert.isBelow(cpu?.baseline ?? Number.NaN, 0.05)
      assert.isAbove(cpu?.observed ?? Number.NaN, 0.1)
      assert.isBelow(report.revertEvidence[0]?.observed ?? Number.NaN, 0.05)
      const events = yield* eventsOf(handle.faultId)
      assert.deepStrictEqual(tags(events), [
        "FaultIntended",
        "FaultInjected",
        "FaultProven",
        "FaultReverted",
        "FaultRevertProven",
        "FaultEnded"
      ])
      const at = (tag: string) => {
        const event = events.find((candidate) => candidate._tag === tag)
        return event !== undefined && "atMillis" in event ? event.atMillis : Number.NaN
      }
      // How long it held, by the engine's word: until the sidecar's death.
      const held = (yield* deathOf(sidecar.id, at("FaultProven"))) - at("FaultProven")
      assert.isAtLeast(held, 3000)
      assert.isBelow(held, 3600)
      assert.isAbove(endedAt - activeAt, 2900)
      assert.deepStrictEqual(yield* sidecarsOf(target.containerId), [])
      assert.isFalse(Cgroup.exists(`${path}/${sidecar.id}`))
      const { pids } = yield* processesBelow(target)
      assert.strictEqual(pids.length, 1)
    })
  )
})

describe("CpuStress by its size", () => {
  live("uses as much cpu as it is asked for", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const target = yield* container("load", { ...idle, host: { networkMode: "none" } })
      const fault = cpuStress({ workers: 2, loadPercent: 20 })
      const handle = yield* injector.inject(target, fault, { duration: "30 seconds" })
      const { path } = yield* processesBelow(target)
      // A busy host gives less, never more: one of the windows has to show all of it, none of them more.
      const shares: Array<number> = []
      yield* eventually(
        Effect.map(readings(path, "1 second"), ([from, to]) => {
          shares.push((to.usageNanos - from.usageNanos) / (to.atMillis - from.atMillis) / 1e6)
          return Math.abs((shares.at(-1) ?? 0) - 0.4) < 0.06
        })
      )
      assert.isBelow(Math.max(...shares), 0.5)
      assert.strictEqual((yield* handle.stop).reason, "stopped")
      assert.strictEqual((yield* handle.stop).reason, "stopped")
    })
  )

  live("is proved by what it takes from a target that is at its quota already", () =>
    Effect.gen(function* () {
      const injector = yield* FailureInjector
      const target = yield* container("busy", { ...idle, command: ["sh", "-c", "while :; do :; done"] })
      const handle = yield* injector.inject(target, cpuStress(), { duration: "1 second" })
      const report = yield* handle.awaitEnd
      assert.strictEqual(report.evidence[0]?.metric, "sidecarCpuCores")
      assert.isAbove(report.evidence[0]?.observed ?? Number.NaN, 0.05)
    })
  )

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

describe("CpuStress beside another", () => {
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
      yield* injector.inject(a, cpuStress(), { duration: "1 minute" })
    })
  )
})

describe("CpuStress that ends early", () => {
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

describe("CpuStress that is disturbed", () => {
  live("cleans up after a target that was removed in the middle, its cgroup included", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const injector = yield* FailureInjector
      const target = yield* container("removed", idle)
      const { path } = yield* processesBelow(target)
      const handle = yield* injector.inject(target, cpuStress(), { duration: "2 seconds" })
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
      const handle = yield* injector.inject(target, cpuStress(), { duration: "1 second" })
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

describe("CpuStress that is refused", () => {
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
