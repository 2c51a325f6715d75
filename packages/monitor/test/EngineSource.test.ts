import { assert, describe, it } from "@effect/vitest"
import type { EngineShape } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { EngineConflict, ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { ContainerSource } from "../src/ContainerSource.ts"
import * as EngineSource from "../src/EngineSource.ts"
import { statsAt, target } from "./readings.ts"
import { inspected } from "./recordedHost.ts"

const withQuota = (nanoCpus: number | undefined) => inspected({}, nanoCpus === undefined ? {} : { nanoCpus })

const gone = Effect.fail(new ObjectNotFound({ operation: "read", kind: "container", id: target.containerId }))

const provide = (engine: Partial<EngineShape>) => {
  const endpoint = { kind: "explicit" as const, address: "unix:///nowhere" }
  return Effect.provide(Layer.provide(EngineSource.layer, Layer.mock(Engine)({ endpoint, ...engine })))
}

describe("EngineSource", () => {
  it.effect("reads the statistics with the quota, and asks for the quota again after a while", () => {
    let asked = 0
    return Effect.gen(function* () {
      const source = yield* ContainerSource
      assert.deepStrictEqual(yield* source.read(target), {
        stats: statsAt(1, 1),
        cpuLimitCores: 1,
        source: "engine",
        incarnation: "0",
        details: { processes: "not-requested" }
      })
      assert.strictEqual((yield* source.read(target)).cpuLimitCores, 1)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* source.read(target)).cpuLimitCores, 2)
    }).pipe(
      provide({
        statsContainer: () => Effect.succeed(statsAt(1, 1)),
        inspectContainer: () => Effect.sync(() => withQuota(++asked * 1e9))
      })
    )
  })

  it.effect.each([undefined, 0])("takes a quota of %s for none", (nanoCpus) =>
    Effect.gen(function* () {
      const source = yield* ContainerSource
      assert.isUndefined((yield* source.read(target)).cpuLimitCores)
    }).pipe(
      provide({
        statsContainer: () => Effect.succeed(statsAt(1, 1)),
        inspectContainer: () => Effect.succeed(withQuota(nanoCpus))
      })
    )
  )

  it.effect("counts processes only where asked for, and leaves them out where the engine cannot", () => {
    let asked = 0
    const conflict = new EngineConflict({
      operation: "top",
      reason: "not-running",
      detail: "",
      id: target.containerId
    })
    return Effect.gen(function* () {
      const source = yield* ContainerSource
      yield* source.read(target)
      assert.strictEqual(asked, 0)
      const processes = Effect.map(source.read(target, { details: "fresh" }), ({ details }) => details?.processes)
      assert.strictEqual(yield* processes, 2)
      assert.strictEqual(yield* processes, "not-reported")
    }).pipe(
      provide({
        statsContainer: () => Effect.succeed(statsAt(1, 1)),
        inspectContainer: () => Effect.succeed(withQuota(1)),
        topContainer: () =>
          Effect.suspend(() => {
            const process = { hostPid: 1, parentPid: 0, command: "sh" }
            return ++asked === 1 ? Effect.succeed([process, { ...process, hostPid: 2 }]) : Effect.fail(conflict)
          })
      })
    )
  })

  it.effect("does not count the dead that nobody reaped", () =>
    Effect.gen(function* () {
      const source = yield* ContainerSource
      assert.strictEqual((yield* source.read(target, { details: "fresh" })).details?.processes, 1)
    }).pipe(
      provide({
        statsContainer: () => Effect.succeed(statsAt(1, 1)),
        inspectContainer: () => Effect.succeed(withQuota(1)),
        topContainer: () =>
          Effect.succeed([
            { hostPid: 1, parentPid: 0, command: "sh -c echo <defunct>" },
            { hostPid: 2, parentPid: 1, command: "[sleep] <defunct>" }
          ])
      })
    )
  )

  it.effect("tells one life of a container from the next, a fresh reading at once", () => {
    let startedAtMillis = 10
    return Effect.gen(function* () {
      const source = yield* ContainerSource
      const incarnation = (details: "paced" | "fresh") =>
        Effect.map(source.read(target, { details }), (reading) => reading.incarnation)
      assert.strictEqual(yield* incarnation("paced"), "10")
      startedAtMillis = 20
      assert.strictEqual(yield* incarnation("fresh"), "20")
      assert.strictEqual(yield* incarnation("paced"), "20")
    }).pipe(
      provide({
        statsContainer: () => Effect.succeed(statsAt(1, 1)),
        inspectContainer: () => Effect.sync(() => inspected({ startedAtMillis })),
        topContainer: () => Effect.succeed([])
      })
    )
  })

  it.effect("says that a container does not run where the engine answers with nothing", () =>
    Effect.gen(function* () {
      const source = yield* ContainerSource
      assert.strictEqual((yield* Effect.flip(source.read(target)))._tag, "TargetNotRunning")
    }).pipe(provide({ statsContainer: () => Effect.succeed("absent") }))
  )

  it.effect("says that a container is gone, also when it goes between the two calls", () =>
    Effect.gen(function* () {
      const source = yield* ContainerSource
      assert.strictEqual((yield* Effect.flip(source.read(target)))._tag, "TargetGone")
    }).pipe(
      provide({ statsContainer: () => Effect.succeed(statsAt(1, 1)), inspectContainer: () => gone }),
      Effect.andThen(
        Effect.gen(function* () {
          const source = yield* ContainerSource
          assert.strictEqual((yield* Effect.flip(source.read(target)))._tag, "TargetGone")
        }).pipe(provide({ statsContainer: () => gone }))
      )
    )
  )
})
