import { assert, layer } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Engine } from "@sbx/engine/Engine"
import { Effect, FileSystem, Layer } from "effect"
import * as childProcess from "node:child_process"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import * as LeaseStore from "../src/internal/leaseStore.ts"
import * as Owner from "../src/Owner.ts"
import * as SandboxLabels from "../src/SandboxLabels.ts"
import * as StateDir from "../src/StateDir.ts"
import * as UidLease from "../src/UidLease.ts"
import { engineLayer, stateLayer, tinyImage } from "./support/sandboxesLayer.ts"

const fixture = fileURLToPath(new URL("fixtures/leaseUids.ts", import.meta.url))

const inOtherProcess = Effect.fnUntraced(function* (count: number, prefix: string) {
  const { path } = yield* StateDir.StateDir
  const args = ["--conditions=@sbx/source", fixture, path, String(count), prefix]
  return yield* Effect.callback<ReadonlyArray<number>, Error>((resume) => {
    childProcess.execFile(process.execPath, args, (error, stdout) =>
      resume(error ? Effect.fail(error) : Effect.succeed(stdout.trim().split("\n").map(Number)))
    )
  })
})

const services = UidLease.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(engineLayer, stateLayer)),
  Layer.provideMerge(NodeServices.layer)
)

layer(services, { excludeTestServices: true, timeout: "60 seconds" })("uid leases", (it) => {
  it.effect("are given back with their scope, and rest before they are given again", () =>
    Effect.gen(function* () {
      const leases = yield* UidLease.UidLeases
      const first = yield* Effect.scoped(leases.lease("sbx_one"))
      assert.deepStrictEqual(yield* leases.list, [])
      const second = yield* Effect.scoped(leases.lease("sbx_two"))
      assert.notStrictEqual(second, first)
      for (const uid of [first, second]) {
        assert.isAtLeast(uid, 100_000)
        assert.isAtMost(uid, 165_535)
      }
    })
  )

  it.effect("are unique over processes that lease at the same time, and stale ones are taken back", () =>
    Effect.gen(function* () {
      const leases = yield* UidLease.UidLeases
      const mine = yield* leases.lease("sbx_mine")
      const uids = (yield* Effect.forEach(["a", "b", "c"], (prefix) => inOtherProcess(20, prefix), {
        concurrency: "unbounded"
      })).flat()
      assert.strictEqual(uids.length, 60)
      assert.strictEqual(new Set([...uids, mine]).size, 61)
      // The processes are dead, so each recovers what the earlier ones left: only the rest is here, and is taken back now.
      yield* leases.recover
      assert.deepStrictEqual(
        (yield* leases.list).map(({ uid }) => uid),
        [mine]
      )
    })
  )

  it.effect("are kept while a container is labelled with their sandbox, whoever is dead", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const leases = yield* UidLease.UidLeases
      const sandbox = `sbx_held${process.pid}`
      const [uid = 0] = yield* inOtherProcess(1, sandbox)
      const labels = SandboxLabels.encode({
        journal: "jrn_test",
        journalPath: "memory",
        run: "run_test",
        stream: `sandbox/${sandbox}0`,
        intent: 1,
        epoch: 1,
        deadline: 0,
        owner: Owner.toLabel(yield* Owner.current),
        kind: "sandbox"
      })
      const name = `sbx-test-lease-${process.pid}`
      const id = yield* Effect.acquireRelease(
        engine.createContainer({ name, image: yield* tinyImage, labels, command: ["true"] }),
        (container) => Effect.ignore(engine.removeContainer(container))
      )
      assert.deepStrictEqual(yield* leases.recover, [])
      assert.isTrue((yield* leases.list).some((row) => row.uid === uid))
      yield* engine.removeContainer(id)
      assert.deepStrictEqual(
        (yield* leases.recover).map((row) => row.uid),
        [uid]
      )
    })
  )

  it.effect("of dead owners are listed until a lease is wanted: looking changes nothing", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { id } = yield* (yield* Engine).info
      const path = yield* fs.makeTempDirectoryScoped()
      const store = LeaseStore.open(`${path}/leases.sqlite`)
      const uid = store.take(id, "sbx_stale", Owner.toLabel({ ...(yield* Owner.current), startTicks: "1" }))
      store.close()
      yield* Effect.gen(function* () {
        const leases = yield* UidLease.UidLeases
        assert.deepStrictEqual(
          (yield* leases.list).map((row) => row.uid),
          [uid]
        )
        yield* leases.acquire("sbx_wanted")
        assert.deepStrictEqual(
          (yield* leases.list).map((row) => row.sandbox),
          ["sbx_wanted"]
        )
      }).pipe(Effect.provide(Layer.provide(Layer.fresh(UidLease.layer), StateDir.layerWith(path))))
    })
  )

  it.effect("say when none is left, and when their table cannot be used", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const { id } = yield* engine.info
      const store = LeaseStore.open(`${directory}/leases.sqlite`)
      store.close()
      // All at once, as 65536 transactions would take a minute.
      const database = new DatabaseSync(`${directory}/leases.sqlite`)
      const owner = Owner.toLabel(yield* Owner.current)
      database
        .prepare(
          "WITH RECURSIVE n(uid) AS (SELECT ? UNION ALL SELECT uid + 1 FROM n WHERE uid < ?) INSERT INTO lease SELECT ?, uid, 'sbx_full', ? FROM n"
        )
        .run(LeaseStore.firstUid, LeaseStore.lastUid, id, owner)
      database.close()
      const at = (path: string) => Layer.provide(Layer.fresh(UidLease.layer), StateDir.layerWith(path))
      const exhausted = yield* Effect.flip(
        Effect.scoped(
          Effect.flatMap(UidLease.UidLeases, (leases) => leases.lease("sbx_more")).pipe(Effect.provide(at(directory)))
        )
      )
      assert.strictEqual(exhausted._tag, "UidsExhausted")
      yield* fs.makeDirectory(`${directory}/bad/leases.sqlite`, { recursive: true })
      const broken = yield* Effect.flip(Effect.scoped(Layer.build(at(`${directory}/bad`))))
      assert.strictEqual(broken._tag, "LeaseStoreFailed")
    })
  )
})
