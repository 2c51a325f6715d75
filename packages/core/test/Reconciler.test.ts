import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Engine, type NetworkSummary } from "@sbx/engine/Engine"
import { EngineUnavailable } from "@sbx/engine/EngineError"
import { Deferred, Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Owner from "../src/Owner.ts"
import * as Reconciler from "../src/Reconciler.ts"
import * as SandboxLabels from "../src/SandboxLabels.ts"
import { UidLeases } from "../src/UidLease.ts"
import { Workspaces } from "../src/Workspace.ts"
import { engineInfo } from "./support/engineInfo.ts"

const cut = new EngineUnavailable({ operation: "events", endpoint: "x", reason: "connection-lost", detail: "" })
/** Counts how often the engine was asked for its containers. */
const counting = (events: Stream.Stream<never, EngineUnavailable>, fails: boolean) => {
  const seen: { lists: number; readonly networks: Array<NetworkSummary> } = { lists: 0, networks: [] }
  const engine = Layer.mock(Engine, {
    endpoint: { kind: "explicit", address: "unix:///none" },
    info: Effect.succeed(engineInfo),
    events: () => events,
    listContainers: () =>
      Effect.suspend(() => {
        seen.lists += 1
        return fails ? Effect.fail(cut) : Effect.succeed([])
      }),
    listVolumes: () => Effect.succeed([]),
    listNetworks: () => Effect.sync(() => [...seen.networks]),
    removeNetwork: () => Effect.sync(() => void seen.networks.splice(0))
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

  it.effect("removes, within a second of the cut, what a dead neighbour left while nobody was told of it", () =>
    Effect.gen(function* () {
      const dead = Owner.toLabel({ ...(yield* Owner.current), startTicks: "1" })
      const leftover = {
        id: "n1",
        name: "sbx-left",
        driver: "bridge",
        internal: true,
        labels: SandboxLabels.encode({
          journal: "jrn_x",
          journalPath: "",
          run: "run_x",
          stream: "sandbox/sbx_x",
          intent: 1,
          epoch: 1,
          deadline: 0,
          owner: dead,
          kind: "network"
        })
      }
      const line = yield* Deferred.make<never, EngineUnavailable>()
      const { seen, layer } = counting(Stream.fromEffect(Deferred.await(line)), false)
      yield* Effect.gen(function* () {
        yield* Effect.forkChild((yield* Reconciler.Reconciler).keepReconciled({}))
        yield* rounds(1, seen)
        seen.networks.push(leftover)
        yield* TestClock.adjust("5 seconds")
        assert.lengthOf(seen.networks, 1)
        yield* Deferred.fail(line, cut)
        yield* TestClock.adjust("1 seconds")
        yield* rounds(2, seen)
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
          Effect.repeat({ until: () => seen.networks.length === 0 })
        )
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.provide(NodeServices.layer))
  )

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
