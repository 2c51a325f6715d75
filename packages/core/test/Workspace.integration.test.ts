import { assert, describe, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import { Clock, Effect, FileSystem, Layer, Option, Stream } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { SandboxEvents } from "../src/SandboxEvent.ts"
import { Sandboxes } from "../src/Sandboxes.ts"
import * as SandboxLabels from "../src/SandboxLabels.ts"
import { layerWith, StateDir } from "../src/StateDir.ts"
import * as Workspace from "../src/Workspace.ts"
import { entriesBelow, filesBelow, loopsBelow, onHost } from "./support/hostView.ts"
import { engineLayer, sandboxesLayer, stateLayer, withEngine } from "./support/sandboxesLayer.ts"

const MiB = 1024 ** 2
/** Free bytes and inodes by statfs(2), seen from inside. */
const statfs = ["stat", "-f", "-c", "%a %S %d", "."]
const fill = (name: string, mebibytes: number) =>
  `dd if=/dev/zero of=${name} bs=65536 count=${mebibytes * 16} 2>&1; echo "code $?"`

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "60 seconds" })("workspace", (it) => {
  it.effect("is exact to the byte on disk: all of the limit can be written and nothing past it", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "8M", inodes: 512 })
      const [blocks = 0, size = 0, inodes = 0] = (yield* box.execOk(statfs)).stdout.trim().split(" ").map(Number)
      assert.strictEqual(blocks * size, 8 * MiB)
      assert.isAtLeast(inodes, 512)
      assert.isBelow(inodes, 512 + 64)
      const whole = yield* box.exec(["sh", "-c", fill("whole", 9)])
      assert.include(whole.stdout, "No space left on device")
      assert.strictEqual(Number((yield* box.execOk(["sh", "-c", "wc -c < whole; rm whole"])).stdout), 8 * MiB)
      const first = yield* box.exec(["sh", "-c", fill("a", 5)])
      assert.include(first.stdout, "code 0")
      const second = yield* box.exec(["sh", "-c", fill("b", 5)])
      assert.include(second.stdout, "No space left on device")
      assert.include(second.stdout, "code 1")
      const written = (yield* box.execOk(["sh", "-c", "wc -c < a; wc -c < b"])).stdout.split("\n").map(Number)
      assert.strictEqual((written[0] ?? 0) + (written[1] ?? 0), 8 * MiB)
      yield* box.execOk(["rm", "a"])
      assert.include((yield* box.exec(["sh", "-c", fill("c", 4)])).stdout, "code 0")
    })
  )

  it.effect("bounds the number of files, and is empty, private and on its own device", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const box = yield* make({ disk: "8M", inodes: 64 })
      const listing = yield* box.execOk(["ls", "-lan"])
      assert.match(listing.stdout, new RegExp(`drwx------\\s+2 ${box.uid}\\s+${box.uid}`))
      assert.deepStrictEqual(yield* box.files.list(), [])
      const made = yield* box.exec(["sh", "-c", "i=0; while touch f$i; do i=$((i+1)); done; echo $i"])
      assert.include(made.stderr, "No space left on device")
      const count = Number(made.stdout.trim())
      assert.isAtLeast(count, 64)
      assert.isBelow(count, 128)
      const mounts = (yield* box.execOk(["cat", "/proc/mounts"])).stdout
      assert.match(mounts, /\/dev\/loop\d+ \/workspace ext4 rw,nosuid,nodev/)
    })
  )

  it.effect("keeps a disk workspace over stop and restart, and loses a memory one", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const disk = yield* make({ disk: "8M" })
      yield* disk.files.write("kept.txt", "kept")
      yield* disk.restart()
      assert.strictEqual(yield* disk.files.readString("kept.txt"), "kept")
      const memory = yield* make({ disk: "8M", workspace: "memory", inodes: 100 })
      yield* memory.files.write("lost.txt", "lost")
      assert.strictEqual(yield* memory.files.readString("lost.txt"), "lost")
      const full = yield* memory.exec(["sh", "-c", `${fill("a", 5)}; ${fill("b", 5)}`])
      assert.include(full.stdout, "No space left on device")
      yield* memory.restart()
      assert.isFalse(yield* memory.files.exists("lost.txt"))
    })
  )

  it.effect("gives its loop device back where the state directory is a symlink", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const base = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
      yield* fs.makeDirectory(`${base}/real`)
      yield* fs.symlink(`${base}/real`, `${base}/link`)
      yield* Effect.gen(function* () {
        const workspaces = yield* Workspace.Workspaces
        const volume = `sbx-test-link-${process.pid}`
        yield* Effect.addFinalizer(() => Effect.ignore(workspaces.remove(volume)))
        const made = { kind: "disk", volume, labels: {}, limitBytes: 4 * MiB, inodes: 64, uid: 100_000 } as const
        yield* Effect.flatten(Effect.map(workspaces.create(made), ({ ready }) => ready))
        assert.strictEqual(loopsBelow(`${base}/real`).length, 1)
        assert.deepStrictEqual(yield* workspaces.images, [volume])
        yield* workspaces.remove(volume)
        assert.deepStrictEqual(loopsBelow(`${base}/real`), [])
      }).pipe(Effect.provide(Layer.provide(Layer.fresh(Workspace.layer), layerWith(`${base}/link/`))))
    })
  )

  it.effect("lets an unlimited place be written past the same size: the limit is the workspace's", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const control = yield* make({ disk: "4M", tmp: "32M", loosening: { noUlimits: true } })
      const result = yield* control.exec(["sh", "-c", `cd /tmp; ${fill("a", 10)}`])
      assert.include(result.stdout, "code 0")
    })
  )

  it.effect("removes volume, device and image, and says so only when they are gone", () =>
    Effect.gen(function* () {
      const workspaces = yield* Workspace.Workspaces
      const engine = yield* Engine
      const { path } = yield* StateDir
      const volume = `sbx-test-ws-${process.pid}`
      const request = { kind: "disk", volume, labels: {}, limitBytes: 4 * MiB, inodes: 64, uid: 100_000 } as const
      yield* workspaces.create(request)
      assert.deepStrictEqual(yield* workspaces.images, [volume])
      assert.strictEqual(loopsBelow(path).length, 1)
      // Out of memory: the image is unlinked behind our back, the device still holds it.
      for (const name of filesBelow(`${path}/volumes`).filter((file) => file.endsWith(".img"))) {
        onHost("find", path, "-name", name, "-delete")
      }
      assert.deepStrictEqual(yield* workspaces.images, [volume])
      yield* workspaces.remove(volume)
      yield* workspaces.remove(volume)
      assert.deepStrictEqual(loopsBelow(path), [])
      assert.deepStrictEqual(yield* workspaces.images, [])
      const gone = yield* Effect.flip(engine.inspectVolume(volume))
      assert.strictEqual(gone._tag, "ObjectNotFound")
    })
  )

  it.effect("makes the second of a size from the first: a whole file system of its own, with its own owner", () =>
    Effect.gen(function* () {
      const { make } = yield* Sandboxes
      const [first, second] = [yield* make({ disk: "6M" }), yield* make({ disk: "6M" })]
      yield* first.files.write("mine.txt", "first")
      assert.deepStrictEqual(yield* second.files.list(), [])
      const listing = yield* second.execOk(["ls", "-lan"])
      assert.match(listing.stdout, new RegExp(`drwx------\\s+2 ${second.uid}\\s+${second.uid}`))
      const time = Number((yield* second.execOk(["stat", "-c", "%Y", "."])).stdout)
      assert.isBelow(Math.abs((yield* Clock.currentTimeMillis) / 1000 - time), 60)
      yield* second.files.write("mine.txt", "second")
      assert.strictEqual(yield* first.files.readString("mine.txt"), "first")
    })
  )

  it.effect("fails with the tools' words when the state directory cannot be written", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const workspaces = yield* Workspace.Workspaces
      const { path } = yield* StateDir
      const volume = `sbx-test-broken-${process.pid}`
      // A file stands where the directory should be.
      yield* fs.remove(`${path}/volumes`, { recursive: true, force: true })
      yield* fs.writeFileString(`${path}/volumes`, "in the way")
      const request = { kind: "disk", volume, labels: {}, limitBytes: 4 * MiB, inodes: 64, uid: 100_000 } as const
      const error = yield* Effect.flip(workspaces.create(request))
      assert.strictEqual(error._tag, "WorkspaceFailed")
      yield* fs.remove(`${path}/volumes`)
    })
  )
})

/** As on the private engine, of which it is known that it sees our files. */
const sharing = withEngine((engine) => ({ ...engine, endpoint: { ...engine.endpoint, kind: "private" } }))

/** The container's create has made it, so it bears what finds it after a crash. */
const volumesOfJournal = Effect.gen(function* () {
  const { id } = yield* Journal
  const volumes = yield* (yield* Engine).listVolumes({ [SandboxLabels.keys.journal]: id })
  return { id, volumeLabels: volumes.map(({ labels }) => labels) }
})

layer(sharing, { excludeTestServices: true, timeout: "60 seconds" })("workspace that is attached meanwhile", (it) => {
  const request = { kind: "disk", labels: {}, limitBytes: 4 * MiB, inodes: 64, uid: 100_000 } as const

  it.effect("is what the sandbox writes to, also after a restart, and leaves nothing", () =>
    Effect.gen(function* () {
      const { path } = yield* StateDir
      yield* Effect.scoped(
        Effect.gen(function* () {
          const box = yield* (yield* Sandboxes).make({ disk: "8M", inodes: 512 })
          const [blocks = 0, size = 0] = (yield* box.execOk(statfs)).stdout.trim().split(" ").map(Number)
          assert.strictEqual(blocks * size, 8 * MiB)
          const { id, volumeLabels } = yield* volumesOfJournal
          assert.strictEqual(volumeLabels.length, 1)
          assert.strictEqual(volumeLabels[0]?.[SandboxLabels.keys.journal], id)
          assert.strictEqual(volumeLabels[0]?.[SandboxLabels.keys.kind], "volume")
          yield* box.files.write("kept.txt", "kept")
          yield* box.restart()
          assert.strictEqual(yield* box.files.readString("kept.txt"), "kept")
        })
      )
      assert.deepStrictEqual([...loopsBelow(path), ...entriesBelow(`${path}/volumes`)], [])
    })
  )

  it.effect("is awaited by its removal, whenever that comes", () =>
    Effect.gen(function* () {
      const workspaces = yield* Workspace.Workspaces
      const { path } = yield* StateDir
      const volume = `sbx-test-early-${process.pid}`
      yield* workspaces.create({ ...request, volume })
      yield* workspaces.remove(volume)
      assert.deepStrictEqual([...loopsBelow(path), ...entriesBelow(`${path}/volumes`)], [])
      yield* workspaces.create({ ...request, volume })
      assert.strictEqual((yield* workspaces.removeAll([volume])).size, 0)
      assert.deepStrictEqual([...loopsBelow(path), ...entriesBelow(`${path}/volumes`)], [])
    })
  )

  it.effect("fails typed when it cannot be attached, with the container on record, and nothing is left", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const engine = yield* Engine
      const { make } = yield* Sandboxes
      const { path } = yield* StateDir
      // losetup's lock file cannot be made.
      yield* fs.remove(`${path}/volumes/loop.lock`, { force: true })
      yield* fs.symlink(`${path}/nowhere/lock`, `${path}/volumes/loop.lock`)
      const error = yield* Effect.flip(Effect.scoped(make({ disk: "8M" })))
      assert.deepInclude(error, { _tag: "WorkspaceFailed", operation: "make" })
      yield* fs.remove(`${path}/volumes/loop.lock`)
      const journal = yield* Journal
      const filter = { [SandboxLabels.keys.journal]: journal.id }
      assert.deepStrictEqual(yield* engine.listContainers(filter), [])
      assert.deepStrictEqual(yield* engine.listVolumes(filter), [])
      assert.deepStrictEqual([...loopsBelow(path), ...entriesBelow(`${path}/volumes`)], [])
      const streams = yield* journal.streams({ category: "sandbox" })
      const last = yield* Effect.forEach(streams, ({ name }) => Stream.runLast(SandboxEvents.read(journal, name)))
      assert.deepStrictEqual(
        last.map((event) => Option.getOrThrow(event).payload._tag),
        last.map(() => "Removed")
      )
    })
  )
})

describe("workspace without a local engine", () => {
  const remote = Layer.effect(
    Engine,
    Effect.map(Engine, (engine) => ({
      ...engine,
      endpoint: { kind: "explicit", address: "tcp://10.0.0.1:2375" } as const
    }))
  ).pipe(Layer.provide(engineLayer))
  const services = Workspace.layer.pipe(
    Layer.provideMerge(Layer.merge(remote, stateLayer)),
    Layer.provideMerge(NodeServices.layer)
  )
  layer(services, { excludeTestServices: true })((it) => {
    it.effect("refuses disk with the reason, and takes memory only where auto was asked for", () =>
      Effect.gen(function* () {
        const workspaces = yield* Workspace.Workspaces
        const error = yield* Effect.flip(workspaces.choose("disk"))
        assert.strictEqual(error._tag, "WorkspaceUnsupported")
        assert.include(error.message, "is not local")
        assert.strictEqual(yield* workspaces.choose("auto"), "memory")
        assert.strictEqual(yield* workspaces.choose("memory"), "memory")
      })
    )
  })
})
