import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Journal, noStream, streamName } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import { Context, Deferred, Effect, Fiber, FileSystem, Layer, Schedule, Stream } from "effect"
import * as childProcess from "node:child_process"
import { fileURLToPath } from "node:url"
import { cgroupsOf } from "../src/internal/cgroupLeftovers.ts"
import * as LeaseStore from "../src/internal/leaseStore.ts"
import * as LifecycleState from "../src/LifecycleState.ts"
import * as Owner from "../src/Owner.ts"
import * as Reconciler from "../src/Reconciler.ts"
import { RunEvents } from "../src/RunEvent.ts"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import * as SandboxLabels from "../src/SandboxLabels.ts"
import { fold } from "../src/SandboxLifecycle.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import { StateDir } from "../src/StateDir.ts"
import { UidLeases } from "../src/UidLease.ts"
import { eventually, filesBelow, loopImagesBelow } from "./support/hostView.ts"
import { sandboxesLayer, tinyImage, withEngine } from "./support/sandboxesLayer.ts"

const fixture = fileURLToPath(new URL("fixtures/ownSandboxes.ts", import.meta.url))

/** A process of its own with sandboxes of its own; killed with everything it started when the scope ends. */
const owner = Effect.fnUntraced(function* (runDir: string, count: number) {
  const { path } = yield* StateDir
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(runDir, { recursive: true })
  let output = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const process_ = childProcess.spawn(
        process.execPath,
        ["--conditions=@sbx/source", fixture, path, runDir, String(count)],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
      process_.stdout.on("data", (chunk) => {
        output += String(chunk)
      })
      return process_
    }),
    (process_) => Effect.sync(() => process_.kill("SIGKILL"))
  )
  return {
    /** The kernel's word that it is dead. */
    killNine: Effect.callback<void>((resume) => {
      child.once("exit", () => resume(Effect.void))
      child.kill("SIGKILL")
    }),
    made: () => [...output.matchAll(/^made (\S+) (\S+)$/gm)].map(([, id = "", name = ""]) => ({ id, name })),
    ready: eventually(
      Effect.sync(() => output.includes("all")),
      (all) => all,
      "30 seconds"
    )
  }
})

/** What one run's sandboxes have in engine and machine. */
const remains = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  const engine = yield* Engine
  const { path } = yield* StateDir
  const leases = yield* UidLeases
  const mine = (names: ReadonlyArray<string>) => names.filter((name) => ids.some((id) => name.includes(id))).sort()
  return {
    containers: mine((yield* engine.listContainers(SandboxLabels.ours)).map(({ name }) => name)),
    volumes: mine((yield* engine.listVolumes(SandboxLabels.ours)).map(({ name }) => name)),
    images: mine(filesBelow(path).filter((name) => name.endsWith(".img"))),
    loops: mine(loopImagesBelow(path)),
    leases: mine((yield* leases.list).map(({ sandbox }) => sandbox))
  }
})

const none = { containers: [], volumes: [], images: [], loops: [], leases: [] }

const statesIn = (journalPath: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const services = yield* Layer.build(Sqlite.layerReader({ path: journalPath }))
      const journal = Context.get(services, Journal)
      const streams = yield* journal.streams({ category: "sandbox" })
      return yield* Effect.forEach(streams, ({ name, status }) =>
        Stream.runCollect(SandboxEvents.read(journal, name)).pipe(
          Effect.map((events) => ({
            status,
            tags: events.map(({ payload }) => payload._tag),
            state: fold(events.flatMap(({ payload }) => (payload._tag === "UnknownEvent" ? [] : [payload])))
          }))
        )
      )
    })
  )

/** None before the journal is there. */
const statesSoFar = (journalPath: string) => Effect.orElseSucceed(statesIn(journalPath), () => [])

const labelledWith = (journalPath: string) => ({ [SandboxLabels.keys.journalPath]: journalPath })

/** What has been seen to exist when the process is killed, in the order in which it comes to be. */
const stages = {
  spawned: () => Effect.succeed(true),
  intent: (journalPath: string) => Effect.map(statesSoFar(journalPath), (states) => states.length > 0),
  image: Effect.fnUntraced(function* (journalPath: string) {
    const ids = (yield* statesSoFar(journalPath)).flatMap(({ state }) => state.create?.sandboxId ?? [])
    return (yield* remains(ids)).images.length > 0
  }),
  volume: Effect.fnUntraced(function* (journalPath: string) {
    return (yield* (yield* Engine).listVolumes(labelledWith(journalPath))).length > 0
  }),
  container: Effect.fnUntraced(function* (journalPath: string) {
    return (yield* (yield* Engine).listContainers(labelledWith(journalPath))).length > 0
  })
}

const services = Reconciler.layer.pipe(Layer.provideMerge(sandboxesLayer()))

layer(services, { excludeTestServices: true, timeout: "120 seconds" })("reconciler", (it) => {
  it.effect(
    "removes all that a killed process left, in two rounds, and leaves a live neighbour alone",
    () =>
      Effect.gen(function* () {
        const { reconcile } = yield* Reconciler.Reconciler
        const journal = yield* Journal
        const fs = yield* FileSystem.FileSystem
        const runs = yield* fs.makeTempDirectoryScoped()
        const own = yield* (yield* Sandboxes).make({ disk: "4M" })
        const neighbour = yield* owner(`${runs}/neighbour`, 1)
        yield* neighbour.ready
        const neighbours = neighbour.made().map(({ id }) => id)
        for (const round of [1, 2]) {
          const victim = yield* owner(`${runs}/run${round}`, 2)
          yield* victim.ready
          const ids = victim.made().map(({ id }) => id)
          yield* victim.killNine
          const before = yield* remains(ids)
          assert.deepStrictEqual([before.containers.length, before.volumes.length, before.images.length], [2, 2, 2])

          const dry = yield* reconcile({ dryRun: true, own: journal, runDirectories: [runs] })
          const mine = dry.objects.filter(({ name }) => ids.some((id) => name.includes(id)))
          assert.strictEqual(mine.length, 4)
          assert.deepStrictEqual([dry.removed, dry.settled], [[], []])
          assert.deepStrictEqual(yield* remains(ids), before)

          const report = yield* reconcile({ dryRun: false, own: journal, runDirectories: [runs] })
          assert.deepStrictEqual(report.failures, [])
          assert.deepStrictEqual(yield* remains(ids), none)
          for (const id of ids) assert.isTrue(report.removed.some((name) => name.includes(id)))
          for (const { status, state, tags } of yield* statesIn(`${runs}/run${round}/journal.sqlite`)) {
            assert.strictEqual(status, "closed")
            assert.isTrue(LifecycleState.isTerminal(state))
            assert.includeMembers([...tags], ["ExecLost", "RemoveIntended", "OrphanReaped"])
          }
          const again = yield* reconcile({ dryRun: false, own: journal, runDirectories: [runs] })
          assert.isFalse(again.objects.some(({ name }) => ids.some((id) => name.includes(id))))
        }
        assert.strictEqual((yield* own.exec(["true"])).exitCode, 0)
        const left = yield* remains(neighbours)
        assert.strictEqual(left.containers.length, 1)
        assert.strictEqual(left.leases.length, 1)
        yield* neighbour.killNine
        yield* reconcile({ dryRun: false, own: journal, runDirectories: [runs] })
        assert.deepStrictEqual(yield* remains(neighbours), none)
      }),
    120_000
  )

  it.effect(
    "cleans up after a process killed at each stage of the creation",
    () =>
      Effect.gen(function* () {
        const { reconcile } = yield* Reconciler.Reconciler
        const journal = yield* Journal
        const fs = yield* FileSystem.FileSystem
        const runs = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
        const had: Record<string, number> = {}
        const idsOf = (path: string) =>
          Effect.map(statesSoFar(path), (states) => states.map(({ state }) => state.create?.sandboxId ?? "none"))
        for (const [stage, isReached] of Object.entries(stages)) {
          const path = `${runs}/${stage}/journal.sqlite`
          const victim = yield* owner(`${runs}/${stage}`, 3)
          yield* isReached(path).pipe(
            Effect.repeat({ until: (reached) => reached, schedule: Schedule.spaced("2 millis") }),
            Effect.timeout("20 seconds")
          )
          yield* victim.killNine
          const left = yield* remains(yield* idsOf(path))
          had[stage] = left.containers.length + left.volumes.length + left.images.length
        }
        // All at once: what is in doubt is so for ten seconds.
        const report = yield* reconcile({ dryRun: false, own: journal, runDirectories: [runs], settle: true })
        assert.deepStrictEqual(report.failures, [])
        assert.deepStrictEqual(report.inDoubt, [])
        for (const stage of Object.keys(stages)) {
          const path = `${runs}/${stage}/journal.sqlite`
          for (const { state } of yield* statesSoFar(path))
            assert.isTrue(LifecycleState.isTerminal(state), state.status)
          assert.deepStrictEqual(yield* remains(yield* idsOf(path)), none, stage)
        }
        assert.strictEqual(had["spawned"], 0)
        for (const stage of ["image", "volume", "container"]) assert.isAbove(had[stage] ?? 0, 0, stage)
      }),
    120_000
  )

  it.effect("touches nothing that lacks a label of ours, nor what lacks some of them", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { reconcile } = yield* Reconciler.Reconciler
      const names = [`sbx-test-plain-${process.pid}`, `sbx-test-partial-${process.pid}`]
      yield* Effect.acquireRelease(engine.createVolume({ name: names[0] ?? "", labels: {} }), ({ name }) =>
        Effect.ignore(engine.removeVolume(name))
      )
      const partial = { [SandboxLabels.keys.journal]: "jrn_x", [SandboxLabels.keys.owner]: "nobody" }
      yield* Effect.acquireRelease(engine.createVolume({ name: names[1] ?? "", labels: partial }), ({ name }) =>
        Effect.ignore(engine.removeVolume(name))
      )
      yield* reconcile({ dryRun: false })
      for (const name of names) assert.strictEqual((yield* engine.inspectVolume(name)).name, name)
    })
  )

  it.effect("leaves what another machine's process owns, and lists it", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { reconcile } = yield* Reconciler.Reconciler
      const name = `sbx-test-foreign-${process.pid}`
      const labels = SandboxLabels.encode({
        journal: "jrn_elsewhere",
        journalPath: "/nowhere/journal.sqlite",
        run: "run_x",
        stream: "sandbox/sbx_aaaaaaaaaaaaaaaa",
        intent: 1,
        epoch: 1,
        deadline: 0,
        owner: "00000000-0000-0000-0000-000000000000/1/1/1",
        kind: "volume"
      })
      yield* Effect.acquireRelease(engine.createVolume({ name, labels }), () =>
        Effect.ignore(engine.removeVolume(name))
      )
      const report = yield* reconcile({ dryRun: false })
      assert.isTrue(report.foreign.some((object) => object.name === name))
      assert.strictEqual((yield* engine.inspectVolume(name)).name, name)
    })
  )

  it.effect("reaps what an earlier boot of this machine left, on any engine, though lease and journal are gone", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { path } = yield* StateDir
      const { reconcile } = yield* Reconciler.Reconciler
      const bootId = "11111111-1111-1111-1111-111111111111"
      const owner = `${bootId}/1/1/1`
      const name = `sbx-test-boot-${process.pid}`
      const labels = forged(owner, "volume")
      yield* Effect.acquireRelease(engine.createVolume({ name, labels }), () =>
        Effect.ignore(engine.removeVolume(name))
      )
      // The control: of a boot that this machine knows nothing of.
      const before = yield* reconcile({ dryRun: true })
      assert.isTrue(before.foreign.some((object) => object.name === name))
      // In that boot a process leased a uid, and gave it back.
      const { id } = yield* engine.info
      const store = LeaseStore.open(`${path}/leases.sqlite`)
      store.give(id, store.take(id, "sbx_x", owner) ?? 0, "sbx_x")
      store.close()
      const report = yield* reconcile({ dryRun: false })
      assert.include(report.removed, name)
    })
  )

  it.effect("runs what is pending to be undone before it removes, and has it recorded", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const { reconcile } = yield* Reconciler.Reconciler
      const fs = yield* FileSystem.FileSystem
      const runs = yield* fs.makeTempDirectoryScoped()
      yield* fs.makeDirectory(`${runs}/run`)
      const path = `${runs}/run/journal.sqlite`
      const run = RunEvents.stream("run_dead")
      const fault = streamName("failure", "flt_x")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const journal = Context.get(yield* Layer.build(Sqlite.layer({ path })), Journal)
          const started = { _tag: "RunStarted" as const, atMillis: 1, runId: "run_dead", seed: "1", scenarios: ["a/b"] }
          yield* RunEvents.append(journal, run, [started], { expected: noStream })
          const intended = { type: "FaultIntended", schemaVersion: 1, payload: {} }
          yield* journal.append(fault, [intended], { expected: noStream })
        })
      )
      const box = yield* (yield* Sandboxes).make({ disk: "4M" })
      yield* engine.pauseContainer(box.containerId)
      let recorded = 0
      const pendingUndos = () =>
        Effect.succeed([
          {
            id: "flt_x",
            plan: { steps: [{ _tag: "UnpauseContainer" as const, containerId: box.containerId }] },
            record: Effect.sync(() => void (recorded += 1))
          }
        ])
      const dry = yield* reconcile({ dryRun: true, runDirectories: [runs], pendingUndos })
      assert.deepStrictEqual(dry.undone, ["flt_x"])
      assert.strictEqual((yield* box.inspect).state.paused, true)
      const report = yield* reconcile({ dryRun: false, runDirectories: [runs], pendingUndos })
      assert.deepStrictEqual(report.undone, ["flt_x"])
      assert.deepStrictEqual([...report.settled].sort(), [fault, run])
      const after = yield* Effect.scoped(
        Effect.gen(function* () {
          const journal = Context.get(yield* Layer.build(Sqlite.layerReader({ path })), Journal)
          const events = yield* Stream.runCollect(RunEvents.read(journal, run))
          return { open: yield* journal.streams({ open: true }), last: events.at(-1)?.payload._tag }
        })
      )
      assert.deepStrictEqual(after, { open: [], last: "RunInterrupted" })
      assert.strictEqual(recorded, 1)
      assert.strictEqual((yield* box.inspect).state.paused, false)
    })
  )

  it.effect("reaps its own objects whose stream is closed, and not those whose stream is open", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const journal = yield* Journal
      const { reconcile } = yield* Reconciler.Reconciler
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "4M" })
      const labels = (yield* box.inspect).labels
      const name = `sbx-test-late-${process.pid}`
      const late = { ...labels, [SandboxLabels.keys.stream]: "sandbox/sbx_bbbbbbbbbbbbbbbb" }
      yield* engine.createVolume({ name, labels: late })
      const report = yield* reconcile({ dryRun: false, own: journal })
      assert.deepStrictEqual(report.removed, [name])
      assert.strictEqual(yield* box.state, "running")
    })
  )
})

/** Labels of a dead owner's object; its journal is nowhere. */
const forged = (owner: string, kind: SandboxLabels.ObjectRole) =>
  SandboxLabels.encode({
    journal: "jrn_forged",
    journalPath: "",
    run: "run_x",
    stream: "sandbox/sbx_cccccccccccccccc",
    intent: 1,
    epoch: 1,
    deadline: 0,
    owner,
    kind
  })
const earlier = "00000000-0000-0000-0000-000000000000/1/1/1"

const own = `sbx-test-forged-${process.pid}`
const isOwn = ({ name }: { readonly name: string }) => name.startsWith(own)
/** Says that it is private, and shows nothing but this test's objects, the oldest first. */
const pretended = withEngine((engine) => ({
  ...engine,
  endpoint: { ...engine.endpoint, kind: "private" },
  listContainers: (labels) =>
    Effect.map(engine.listContainers(labels), (all) =>
      all.filter(isOwn).toSorted((a, b) => a.createdAtMillis - b.createdAtMillis)
    ),
  listVolumes: (labels) => Effect.map(engine.listVolumes(labels), (all) => all.filter(isOwn)),
  listNetworks: () => Effect.succeed([])
}))

layer(Reconciler.layer.pipe(Layer.provideMerge(pretended)), { excludeTestServices: true, timeout: "60 seconds" })(
  "reconciler on a private engine",
  (it) => {
    it.effect("reaps what an earlier boot left, though its journal is gone", () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const { reconcile } = yield* Reconciler.Reconciler
        const name = `${own}-boot`
        yield* Effect.acquireRelease(engine.createVolume({ name, labels: forged(earlier, "volume") }), () =>
          Effect.ignore(engine.removeVolume(name))
        )
        const report = yield* reconcile({ dryRun: false })
        assert.deepStrictEqual(report.foreign, [])
        assert.deepStrictEqual(report.removed, [name])
        assert.strictEqual((yield* Effect.flip(engine.inspectVolume(name)))._tag, "ObjectNotFound")
      })
    )

    it.effect("removes nested sidecars before the sandbox, so that no cgroup is left", () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const { reconcile } = yield* Reconciler.Reconciler
        const fs = yield* FileSystem.FileSystem
        const dead = Owner.toLabel({ ...(yield* Owner.current), startTicks: "1" })
        const image = yield* tinyImage
        const start = (name: string, kind: SandboxLabels.ObjectRole, cgroupParent?: string) =>
          Effect.acquireRelease(
            engine.createContainer({
              name: `${own}-${name}`,
              image,
              labels: forged(dead, kind),
              command: ["sleep", "1000"],
              ...(cgroupParent === undefined ? {} : { host: { cgroupParent } })
            }),
            (id) => Effect.ignore(engine.removeContainer(id))
          ).pipe(Effect.tap((id) => engine.startContainer(id)))
        const target = yield* start("target", "sandbox")
        const { hostPid } = (yield* engine.inspectContainer(target)).state
        const cgroup = yield* fs.readFileString(`/proc/${hostPid}/cgroup`)
        const sidecar = yield* start("sidecar", "sidecar", /:memory:(.*)/.exec(cgroup)?.[1] ?? "none")
        assert.isAbove(cgroupsOf(target).length, 0)
        assert.isAbove(cgroupsOf(sidecar).length, 0)
        const report = yield* reconcile({ dryRun: false })
        assert.deepStrictEqual(report.removed, [`${own}-sidecar`, `${own}-target`])
        assert.deepStrictEqual([...cgroupsOf(target), ...cgroupsOf(sidecar)], [])
      })
    )
  }
)

const listing = Deferred.makeUnsafe<void>()
const made = Deferred.makeUnsafe<void>()
let isHeld = false
/** Lists only after the test has made a sandbox. */
const slow = withEngine((engine) => ({
  ...engine,
  listContainers: (labels) =>
    Effect.suspend(() =>
      isHeld ? Deferred.succeed(listing, undefined).pipe(Effect.andThen(Deferred.await(made))) : Effect.void
    ).pipe(Effect.andThen(engine.listContainers(labels)))
}))

layer(Reconciler.layer.pipe(Layer.provideMerge(slow)), { excludeTestServices: true, timeout: "60 seconds" })(
  "reconciler on a slow engine",
  (it) => {
    it.effect("leaves alone a sandbox that its own process makes while it looks", () =>
      Effect.gen(function* () {
        const { reconcile } = yield* Reconciler.Reconciler
        const journal = yield* Journal
        const { make } = yield* Sandboxes
        isHeld = true
        const reconciling = yield* Effect.forkChild(reconcile({ dryRun: false, own: journal }))
        yield* Deferred.await(listing)
        const box = yield* make({ disk: "4M" })
        yield* Deferred.succeed(made, undefined)
        const report = yield* Fiber.join(reconciling)
        assert.isFalse(report.objects.some(({ stream }) => stream.endsWith(box.id)))
        assert.strictEqual((yield* box.exec(["true"])).exitCode, 0)
      })
    )
  }
)
