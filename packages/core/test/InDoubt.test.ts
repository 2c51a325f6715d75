/** Intents without an outcome, whose owner is dead: what the reconciler makes of each by looking at the engine. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type ContainerInspect, type ContainerState, Engine, type ExecState } from "@sbx/engine/Engine"
import { ObjectNotFound } from "@sbx/engine/EngineError"
import { Journal, noStream } from "@sbx/journal/Journal"
import * as Memory from "@sbx/journal/Memory"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import { TestClock } from "effect/testing"
import * as Owner from "../src/Owner.ts"
import * as Reconciler from "../src/Reconciler.ts"
import { type SandboxEvent, SandboxEvents } from "../src/SandboxEvent.ts"
import * as SandboxLabels from "../src/SandboxLabels.ts"
import { UidLeases } from "../src/UidLease.ts"
import { Workspaces } from "../src/Workspace.ts"
import { inspected } from "./support/contextOn.ts"
import { engineInfo } from "./support/engineInfo.ts"
import { at, history } from "./support/lifecycle.ts"

const sandboxId = "sbx_aaaaaaaaaaaaaaaa"
const stream = SandboxEvents.stream(sandboxId)

/** Nobody has leased anything. */
const leases = Layer.mock(UidLeases, {
  list: Effect.succeed([]),
  boots: Effect.succeed([]),
  recover: Effect.succeed([]),
  release: () => Effect.void
})

/** What the engine has, as the test puts it there, and what was removed. */
const makeThings = () => ({
  containers: new Map<string, ContainerInspect>(),
  execs: new Map<string, ExecState>(),
  volumes: new Map<string, Readonly<Record<string, string>>>(),
  networks: new Map<string, Readonly<Record<string, string>>>(),
  removed: new Array<string>()
})

/** An engine that has these things. */
const engineWith = ({ containers, execs, volumes, networks, removed }: ReturnType<typeof makeThings>) => {
  const absent = (kind: "container" | "volume" | "exec", id: string) =>
    Effect.fail(new ObjectNotFound({ operation: "inspect", kind, id }))
  const found = (reference: string) =>
    [...containers.values()].find(({ id, name }) => id === reference || name === reference)
  const volumeOf = (name: string) => ({
    name,
    driver: "local",
    mountpoint: "",
    options: {},
    labels: volumes.get(name) ?? {}
  })
  return Layer.mock(Engine, {
    endpoint: { kind: "explicit", address: "unix:///none" },
    info: Effect.succeed(engineInfo),
    listContainers: () =>
      Effect.sync(() =>
        [...containers.values()]
          .filter(({ labels }) => SandboxLabels.keys.journal in labels)
          .map(({ id, name, labels, state }) => ({
            id,
            name,
            labels,
            image: "",
            status: state.status,
            createdAtMillis: 1
          }))
      ),
    listVolumes: () =>
      Effect.sync(() => [...volumes.keys()].map(volumeOf).filter(({ labels }) => SandboxLabels.keys.journal in labels)),
    listNetworks: () =>
      Effect.sync(() =>
        [...networks].map(([id, labels]) => ({ id, name: id, driver: "bridge", internal: true, labels }))
      ),
    removeNetwork: (id) => Effect.sync(() => (networks.delete(id), void removed.push(id))),
    inspectContainer: (id) =>
      Effect.suspend(() => {
        const one = found(id)
        return one === undefined ? absent("container", id) : Effect.succeed(one)
      }),
    inspectVolume: (name) =>
      Effect.suspend(() => (volumes.has(name) ? Effect.succeed(volumeOf(name)) : absent("volume", name))),
    inspectExec: (id) =>
      Effect.suspend(() => {
        const exec = execs.get(id)
        return exec === undefined ? absent("exec", id) : Effect.succeed(exec)
      }),
    removeContainer: (id) =>
      Effect.sync(() => {
        const one = found(id)
        if (one === undefined) return
        containers.delete(one.id)
        removed.push(one.name)
      })
  })
}

const makeWorld = () => {
  const things = makeThings()
  const { removed } = things
  /** Before the workspaces go. */
  const gate: { pass: Effect.Effect<void> } = { pass: Effect.void }
  const workspaces = Layer.mock(Workspaces, {
    diskObstacle: undefined,
    images: Effect.succeed([]),
    removeAll: (names) =>
      Effect.andThen(
        Effect.suspend(() => (names.length === 0 ? Effect.void : gate.pass)),
        Effect.sync(() => (removed.push(...names), new Map<string, string>()))
      )
  })
  const layer = Reconciler.layer.pipe(
    Layer.provide(Layer.mergeAll(engineWith(things), workspaces, leases)),
    Layer.provideMerge(Layer.mergeAll(Memory.layer, NodeServices.layer))
  )
  return { ...things, gate, layer }
}
type World = ReturnType<typeof makeWorld>

/** Labels that the dead owner gave. */
const labelsOf = Effect.gen(function* () {
  const { id } = yield* Journal
  return SandboxLabels.encode({
    journal: id,
    journalPath: "",
    run: "run_x",
    stream,
    intent: 1,
    epoch: 1,
    deadline: 10_000,
    owner: Owner.toLabel({ ...(yield* Owner.current), startTicks: "1" }),
    kind: "sandbox"
  })
})

interface Case {
  readonly before: ReadonlyArray<SandboxEvent>
  /** The container that the engine shows; absent: none. */
  readonly state?: Partial<ContainerState>
  /** Default: as the owner gave. */
  readonly labels?: Readonly<Record<string, string>>
}

const intended = history.createIntended(1)

/** Writes the history, shows the container, reconciles at once. */
const settled = (world: World, { before, state, labels }: Case) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const own = yield* labelsOf
    const events = before.map((event) => (event._tag === "CreateIntended" ? { ...event, labels: own } : event))
    if (isReadonlyArrayNonEmpty(events)) yield* SandboxEvents.append(journal, stream, events, { expected: noStream })
    if (state !== undefined) world.containers.set("c1", { ...inspected(state), labels: labels ?? own })
    return yield* again
  })

const again = Effect.gen(function* () {
  return yield* (yield* Reconciler.Reconciler).reconcile({ dryRun: false, own: yield* Journal })
})

const recorded = Effect.gen(function* () {
  const events = yield* Stream.runCollect(SandboxEvents.read(yield* Journal, stream))
  return events.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload]))
})
const tags = Effect.map(recorded, (events) => events.map(({ _tag }) => _tag))

const created = { ...history.made }
const started = history.started(600)
const running: ReadonlyArray<SandboxEvent> = [intended, created, { _tag: "StartIntended", ...at }, started]
const execIntended = { ...history.exec("k"), _tag: "ExecIntended" } as const
const execStarted = { _tag: "ExecStarted", ...at, execKey: "k", execId: "e1" } as const
const end = ["RemoveIntended", "OrphanReaped"]

describe("a create without an answer", () => {
  it.effect("is Created when the engine shows it, and reaped", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const report = yield* settled(world, {
        before: [intended],
        state: { status: "created", running: false, startedAtMillis: undefined }
      })
      assert.deepStrictEqual(report.settled, [stream])
      assert.deepStrictEqual(world.removed, ["sbx-j-a-1", "sbx-j-a-ws"])
      assert.deepStrictEqual(yield* tags, ["CreateIntended", "Created", ...end])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is in doubt before its deadline, and reaped when it appears late", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const report = yield* settled(world, { before: [intended] })
      assert.deepStrictEqual(report.inDoubt, [{ journalPath: "", stream, untilMillis: 10_000 }])
      assert.deepStrictEqual([report.settled, world.removed], [[], []])
      yield* TestClock.adjust("9 seconds")
      world.containers.set("c1", { ...inspected(), labels: yield* labelsOf })
      assert.deepStrictEqual((yield* again).settled, [stream])
      assert.include(world.removed, "sbx-j-a-1")
      assert.include(yield* tags, "Created")
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("loses its workspace at once, though it is in doubt", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      world.volumes.set("sbx-j-a-ws", { ...(yield* labelsOf), [SandboxLabels.keys.kind]: "volume" })
      const report = yield* settled(world, { before: [intended] })
      assert.lengthOf(report.inDoubt, 1)
      assert.deepStrictEqual([report.removed, world.removed], [["sbx-j-a-ws"], ["sbx-j-a-ws"]])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("takes along the volume that the engine made for it, late and without labels", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      yield* settled(world, { before: [intended] })
      const mount = { kind: "volume", source: "sbx-j-a-ws", target: "/workspace" } as const
      world.containers.set("c1", { ...inspected(), labels: yield* labelsOf, mounts: [mount] })
      world.volumes.set("sbx-j-a-ws", {})
      yield* again
      assert.deepStrictEqual(world.removed, ["sbx-j-a-1", "sbx-j-a-ws"])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is abandoned at its deadline", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      yield* settled(world, { before: [intended] })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* again).inDoubt, [])
      assert.deepStrictEqual(yield* tags, ["CreateIntended", "CreateAbandoned"])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("leaves a container and a volume alone that have its names and not its label", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      world.volumes.set("sbx-j-a-ws", {})
      yield* settled(world, { before: [intended], state: {}, labels: {} })
      yield* TestClock.adjust("10 seconds")
      yield* again
      assert.deepStrictEqual(yield* tags, ["CreateIntended", "CreateAbandoned"])
      assert.deepStrictEqual(world.removed, [])
      assert.isTrue(world.containers.has("c1"))
    }).pipe(Effect.provide(world.layer))
  })
})

describe("a replacement without an answer", () => {
  /** The second attempt, whose predecessor is still there. */
  const replacing: ReadonlyArray<SandboxEvent> = [
    ...running,
    history.died(700),
    { ...history.createIntended(2), replaces: "c1" }
  ]
  const dead = { status: "exited", running: false, exitCode: 137, finishedAtMillis: 700 } as const

  it.effect("loses its predecessor at once, and is in doubt until its deadline", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      world.volumes.set("sbx-j-a-ws", { ...(yield* labelsOf), [SandboxLabels.keys.kind]: "volume" })
      const report = yield* settled(world, { before: replacing, state: dead })
      assert.lengthOf(report.inDoubt, 1)
      assert.deepStrictEqual(world.removed, ["sbx-j-a-1", "sbx-j-a-ws"])
      assert.deepStrictEqual(report.removed, ["sbx-j-a-1", "sbx-j-a-ws"])
      yield* TestClock.adjust("10 seconds")
      const last = yield* again
      assert.deepStrictEqual([last.settled, last.failures, last.inDoubt], [[stream], [], []])
      assert.deepStrictEqual((yield* tags).slice(-3), ["CreateAbandoned", ...end])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("goes together with its predecessor when the engine shows both", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      world.containers.set("c2", { ...inspected(), id: "c2", name: "sbx-j-a-2", labels: yield* labelsOf })
      const report = yield* settled(world, { before: replacing, state: dead })
      assert.deepStrictEqual([report.settled, report.failures], [[stream], []])
      assert.sameMembers(world.removed.slice(0, 2), ["sbx-j-a-1", "sbx-j-a-2"])
      assert.strictEqual(world.removed[2], "sbx-j-a-ws")
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("takes no container along that has its predecessor's id and another label", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      yield* settled(world, { before: replacing, state: dead, labels: {} })
      yield* TestClock.adjust("10 seconds")
      yield* again
      assert.isTrue(world.containers.has("c1"))
    }).pipe(Effect.provide(world.layer))
  })
})

describe("a start without an answer", () => {
  it.effect("is Started when it runs", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      yield* settled(world, { before: [intended, created, { _tag: "StartIntended", ...at }], state: {} })
      assert.deepStrictEqual((yield* tags).slice(3), ["Started", ...end])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is Started and Died when it ran and is over, with the engine's exit code", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const state = { status: "exited", running: false, exitCode: 9, finishedAtMillis: 700 } as const
      yield* settled(world, { before: [intended, created, { _tag: "StartIntended", ...at }], state })
      assert.deepStrictEqual((yield* tags).slice(3), ["Started", "Died", ...end])
      assert.deepInclude(
        (yield* recorded).find(({ _tag }) => _tag === "Died"),
        { exitCode: 9 }
      )
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is no start when the engine never started it; the container goes", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const state = { status: "created", running: false, startedAtMillis: undefined } as const
      yield* settled(world, { before: [intended, created, { _tag: "StartIntended", ...at }], state })
      assert.deepStrictEqual((yield* tags).slice(3), end)
      assert.include(world.removed, "sbx-j-a-1")
    }).pipe(Effect.provide(world.layer))
  })
})

describe("an exec without an answer", () => {
  const lost = Effect.map(recorded, (events) => events.find(({ _tag }) => _tag === "ExecLost"))
  const exec = (change: Partial<ExecState>): ExecState => ({
    running: false,
    exitCode: undefined,
    hostPid: undefined,
    containerId: "c1",
    ...change
  })

  it.effect("is lost with the exit code that the engine knows", () => {
    const world = makeWorld()
    world.execs.set("e1", exec({ exitCode: 3 }))
    return Effect.gen(function* () {
      yield* settled(world, { before: [...running, execIntended, execStarted], state: {} })
      assert.deepInclude(yield* lost, { execKey: "k", exitCode: 3 })
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is lost without one while it runs, when the engine forgot it, and when it has no id", () => {
    const cases = [
      { exec: exec({ running: true, exitCode: 0 }), before: [execIntended, execStarted] },
      { exec: undefined, before: [execIntended, execStarted] },
      { exec: exec({ exitCode: 3 }), before: [execIntended] }
    ]
    return Effect.forEach(cases, ({ exec, before }) => {
      const world = makeWorld()
      if (exec !== undefined) world.execs.set("e1", exec)
      return Effect.gen(function* () {
        yield* settled(world, { before: [...running, ...before], state: {} })
        const event = yield* lost
        assert.isDefined(event)
        assert.notProperty(event, "exitCode")
      }).pipe(Effect.provide(world.layer))
    })
  })
})

describe("a network of a dead owner", () => {
  it.effect("goes as soon as the containers are gone, while the workspaces still take their time", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const open = yield* Deferred.make<void>()
      world.gate.pass = Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(open))
      world.networks.set("net", { ...(yield* labelsOf), [SandboxLabels.keys.kind]: "network" })
      const fiber = yield* Effect.forkChild(settled(world, { before: running, state: {} }))
      yield* Deferred.await(reached)
      yield* Effect.repeat(Effect.yieldNow, { until: () => world.removed.includes("net") })
      assert.deepStrictEqual(world.removed, ["sbx-j-a-1", "net"])
      yield* Deferred.succeed(open, undefined)
      const report = yield* Fiber.join(fiber)
      assert.deepStrictEqual(report.failures, [])
      assert.sameMembers([...report.removed], ["sbx-j-a-1", "sbx-j-a-ws", "net"])
    }).pipe(Effect.provide(world.layer))
  })
})

describe("a removal without an answer", () => {
  it.effect("is Removed when the container was there and is gone", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      yield* settled(world, { before: [...running, { _tag: "RemoveIntended", ...at, reason: "" }] })
      assert.strictEqual((yield* tags).at(-1), "Removed")
      assert.deepStrictEqual(world.removed, ["sbx-j-a-ws"])
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is in doubt before the create deadline when the container was never seen", () => {
    const world = makeWorld()
    return Effect.gen(function* () {
      const report = yield* settled(world, { before: [intended, { _tag: "RemoveIntended", ...at, reason: "" }] })
      assert.lengthOf(report.inDoubt, 1)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* again).settled, [stream])
      assert.strictEqual((yield* tags).at(-1), "Removed")
    }).pipe(Effect.provide(world.layer))
  })
})
