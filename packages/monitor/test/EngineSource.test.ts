import { assert, describe, it } from "@effect/vitest"
import type { ContainerInspect, EngineShape } from "@sbx/engine/Engine"
import { Engine } from "@sbx/engine/Engine"
import { ObjectNotFound } from "@sbx/engine/EngineError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { ContainerSource } from "../src/ContainerSource.ts"
import * as EngineSource from "../src/EngineSource.ts"
import { statsAt, target } from "./readings.ts"

const inspected = (nanoCpus: number | undefined): ContainerInspect => ({
  id: target.containerId,
  name: target.name,
  imageId: "sha256:0",
  labels: {},
  env: [],
  user: "",
  createdAtMillis: 0,
  restartCount: 0,
  state: {
    status: "running",
    running: true,
    paused: false,
    restarting: false,
    oomKilled: false,
    hostPid: 1,
    exitCode: undefined,
    error: "",
    startedAtMillis: 0,
    finishedAtMillis: undefined,
    health: "none"
  },
  host: nanoCpus === undefined ? {} : { nanoCpus },
  mounts: [],
  networks: {},
  execIds: []
})

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
      assert.deepStrictEqual(yield* source.read(target), { stats: statsAt(1, 1), cpuLimitCores: 1 })
      assert.strictEqual((yield* source.read(target)).cpuLimitCores, 1)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* source.read(target)).cpuLimitCores, 2)
    }).pipe(
      provide({
        statsContainer: () => Effect.succeed(statsAt(1, 1)),
        inspectContainer: () => Effect.sync(() => inspected(++asked * 1e9))
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
        inspectContainer: () => Effect.succeed(inspected(nanoCpus))
      })
    )
  )

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
