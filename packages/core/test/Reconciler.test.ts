import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Engine, type EngineInfo } from "@sbx/engine/Engine"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Reconciler from "../src/Reconciler.ts"
import { UidLeases } from "../src/UidLease.ts"
import { Workspaces } from "../src/Workspace.ts"

const cut = new EngineUnavailable({ operation: "events", endpoint: "x", reason: "connection-lost", detail: "" })
const info: EngineInfo = {
  id: "engine",
  version: "1",
  apiVersion: "1.41",
  operatingSystem: "",
  kernelVersion: "",
  architecture: "",
  cpus: 1,
  memoryBytes: 1,
  storageDriver: "",
  backingFilesystem: undefined,
  dataRoot: "",
  cgroupVersion: "1",
  cgroupDriver: "",
  defaultRuntime: "",
  runtimes: [],
  securityOptions: [],
  warnings: []
}

/** Counts how often the engine was asked for its containers. */
const counting = (events: Stream.Stream<never, EngineUnavailable>, fails: boolean) => {
  const seen = { lists: 0 }
  const engine = Layer.mock(Engine, {
    endpoint: { kind: "explicit", address: "unix:///none" },
    info: Effect.succeed(info),
    events: () => events,
    listContainers: () =>
      Effect.suspend(() => {
        seen.lists += 1
        return fails ? Effect.fail(cut) : Effect.succeed([])
      }),
    listVolumes: () => Effect.succeed([]),
    listNetworks: () => Effect.succeed([])
  })
  const leases = Layer.mock(UidLeases, {
    list: Effect.succeed([]),
    boots: Effect.succeed([]),
    recover: Effect.succeed([])
  })
  const workspaces = Layer.mock(Workspaces, {
    diskObstacle: undefined,
    images: Effect.succeed([]),
    removeAll: () => Effect.succeed(new Map())
  })
  const layer = Reconciler.layer.pipe(Layer.provide(Layer.mergeAll(engine, leases, workspaces, NodeServices.layer)))
  return { seen, layer }
}

/** The rounds read /proc, which takes real time. */
const rounds = (count: number, seen: { readonly lists: number }) =>
  Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
    Effect.repeat({ until: () => seen.lists >= count })
  )

describe("keeping engine and journals in agreement", () => {
  it.effect("looks at once and every 10 s, whatever the engine answered", () => {
    const { seen, layer } = counting(Stream.never, true)
    return Effect.gen(function* () {
      yield* Effect.forkChild((yield* Reconciler.Reconciler).keepReconciled({}))
      yield* rounds(1, seen)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(seen.lists, 1)
      yield* TestClock.adjust("1 seconds")
      yield* rounds(2, seen)
      yield* TestClock.adjust("10 seconds")
      yield* rounds(3, seen)
    }).pipe(Effect.provide(layer))
  })

  it.effect("looks a second after the event stream broke", () => {
    const { seen, layer } = counting(Stream.fail(cut), false)
    return Effect.gen(function* () {
      yield* Effect.forkChild((yield* Reconciler.Reconciler).keepReconciled({}))
      yield* rounds(1, seen)
      yield* TestClock.adjust("1 seconds")
      yield* rounds(2, seen)
    }).pipe(Effect.provide(layer))
  })

  it.effect("gives an empty report where there is nothing of ours", () => {
    const { layer } = counting(Stream.never, false)
    return Effect.gen(function* () {
      const report = yield* (yield* Reconciler.Reconciler).reconcile({ dryRun: false })
      assert.deepStrictEqual(report, {
        dryRun: false,
        objects: [],
        inDoubt: [],
        removed: [],
        settled: [],
        undone: [],
        foreign: [],
        failures: []
      })
    }).pipe(Effect.provide(layer))
  })
})
