import { assert, describe, it } from "@effect/vitest"
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as AutoSource from "../src/AutoSource.ts"
import type { SampleSource } from "../src/Sample.ts"
import type { ReadError } from "../src/ContainerSource.ts"
import { CgroupUnreadable, ContainerSource, TargetGone, TargetNotRunning } from "../src/ContainerSource.ts"
import { readingAt, statsAt, target } from "./readings.ts"
import { hostPid, inspected } from "./recordedHost.ts"

const other: ContainerTarget = { containerId: "decaf0", name: "other" }

/** A source that fails as told, by container. */
const sourceOf = (source: SampleSource, failures: Map<string, ReadError> = new Map()) => {
  const asked: Array<string> = []
  return {
    asked,
    failures,
    read: ({ containerId }: ContainerTarget) =>
      Effect.suspend(() => {
        asked.push(containerId)
        const failure = failures.get(containerId)
        return failure === undefined ? Effect.succeed({ ...readingAt(1, 1), source }) : Effect.fail(failure)
      })
  }
}

const unreadable = new CgroupUnreadable({ ...target, detail: "the engine is elsewhere" })

describe("AutoSource", () => {
  it.effect("reads the kernel's files where it can, per container, and asks the engine for the others", () =>
    Effect.gen(function* () {
      const cgroup = sourceOf("cgroup", new Map([[target.containerId, unreadable]]))
      const engine = sourceOf("engine")
      const read = AutoSource.make(cgroup.read, engine.read)
      assert.strictEqual((yield* read(target)).source, "engine")
      assert.strictEqual((yield* read(other)).source, "cgroup")
      assert.deepStrictEqual(engine.asked, [target.containerId])
    })
  )

  it.effect("tries the files again after half a minute, not before", () =>
    Effect.gen(function* () {
      const cgroup = sourceOf("cgroup", new Map([[target.containerId, unreadable]]))
      const read = AutoSource.make(cgroup.read, sourceOf("engine").read)
      yield* read(target)
      cgroup.failures.clear()
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual((yield* read(target)).source, "engine")
      assert.strictEqual(cgroup.asked.length, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* read(target)).source, "cgroup")
      assert.strictEqual((yield* read(target)).source, "cgroup")
    })
  )

  it.effect("does not ask the engine about what is gone or not running", () =>
    Effect.gen(function* () {
      for (const failure of [new TargetGone(target), new TargetNotRunning(target)]) {
        const engine = sourceOf("engine")
        const read = AutoSource.make(sourceOf("cgroup", new Map([[target.containerId, failure]])).read, engine.read)
        assert.strictEqual((yield* Effect.flip(read(target)))._tag, failure._tag)
        assert.deepStrictEqual(engine.asked, [])
      }
    })
  )

  it.effect("takes the engine's word for a container that this machine does not show", () =>
    Effect.gen(function* () {
      const source = yield* ContainerSource
      const reading = yield* source.read(target)
      assert.deepStrictEqual([reading.source, reading.cpuLimitCores], ["engine", 1])
    }).pipe(
      Effect.provide(
        Layer.provide(
          AutoSource.layer,
          Layer.mock(Engine)({
            endpoint: { kind: "explicit", address: "tcp://elsewhere" },
            statsContainer: () => Effect.succeed(statsAt(1, 1)),
            // No process of this machine has such a number.
            inspectContainer: () => Effect.succeed(inspected({ hostPid: 2 ** 31 + hostPid }, { nanoCpus: 1e9 }))
          })
        )
      )
    )
  )
})
