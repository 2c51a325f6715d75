/** How long a stress holds and how much it takes, measured: alone on the machine. */
import { assert, describe } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { FailureInjector } from "../src/FailureInjector.ts"
import { cpuStress } from "../src/Fault.ts"
import * as Cgroup from "../src/internal/hostCgroup.ts"
import { idle, live, processesBelow, tags } from "./idleTarget.ts"
import { container, eventsOf, eventually, sidecarsOf } from "./testEngine.ts"

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
})
