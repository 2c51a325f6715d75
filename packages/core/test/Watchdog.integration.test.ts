import { assert, layer } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import * as Sqlite from "@sbx/journal/Sqlite"
import { verify } from "@sbx/journal/Verification"
import { Clock, Context, Effect, FileSystem, Layer } from "effect"
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as SandboxLabels from "../src/SandboxLabels.ts"
import { StateDir } from "../src/StateDir.ts"
import { UidLeases } from "../src/UidLease.ts"
import { eventually, filesBelow, loopImagesBelow } from "./support/hostView.ts"
import { sandboxesLayer } from "./support/sandboxesLayer.ts"

const fixture = fileURLToPath(new URL("fixtures/ownSandboxes.ts", import.meta.url))

/** A process group of its own with sandboxes, a network and a watchdog; killed when the scope ends. */
const owner = Effect.fnUntraced(function* (runDir: string, count: number) {
  const { path } = yield* StateDir
  fs.mkdirSync(runDir, { recursive: true })
  const args = ["--conditions=@sbx/source", fixture, path, runDir, String(count), "guarded"]
  let output = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = childProcess.spawn(process.execPath, args, {
        detached: true,
        stdio: ["ignore", "pipe", "inherit"]
      })
      started.stdout.on("data", (chunk) => (output += String(chunk)))
      return started
    }),
    (started) => Effect.sync(() => started.kill("SIGKILL"))
  )
  yield* eventually(
    Effect.sync(() => output.includes("all")),
    (all) => all,
    "60 seconds"
  )
  const end = (signal: NodeJS.Signals, pid: number) =>
    Effect.callback<void>((resume) => {
      child.once("exit", () => resume(Effect.void))
      process.kill(pid, signal)
    })
  return {
    ids: [...output.matchAll(/^made (\S+)/gm)].map(([, id = ""]) => id),
    watchdog: Number(/^watchdog (\d+)$/m.exec(output)?.[1]),
    /** The whole group: the watchdog is not of it. */
    killGroup: end("SIGKILL", -(child.pid ?? 0)),
    /** As Ctrl-C does. */
    interrupt: end("SIGINT", child.pid ?? 0)
  }
})

/** What sandboxes have in engine and machine. */
const remains = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  const engine = yield* Engine
  const { path } = yield* StateDir
  const mine = (names: ReadonlyArray<string>) => names.filter((name) => ids.some((id) => name.includes(id)))
  const named = (objects: ReadonlyArray<{ readonly name: string }>) => mine(objects.map(({ name }) => name))
  return {
    containers: named(yield* engine.listContainers(SandboxLabels.ours)),
    volumes: named(yield* engine.listVolumes(SandboxLabels.ours)),
    networks: named(yield* engine.listNetworks(SandboxLabels.ours)),
    images: mine(filesBelow(path).filter((name) => name.endsWith(".img"))),
    loops: mine(loopImagesBelow(path)),
    leases: mine((yield* (yield* UidLeases).list).map(({ sandbox }) => sandbox))
  }
})
const count = (found: Effect.Success<ReturnType<typeof remains>>) =>
  Object.values(found).reduce((sum, names) => sum + names.length, 0)

const isRunning = (pid: number) => Effect.sync(() => fs.existsSync(`/proc/${pid}`))

layer(sandboxesLayer(), { excludeTestServices: true, timeout: "120 seconds" })("watchdog", (it) => {
  it.effect(
    "removes what a killed process group owned, without a next command, and nothing of a neighbour",
    () =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const files = yield* FileSystem.FileSystem
        const runs = yield* files.realPath(yield* files.makeTempDirectoryScoped())
        const [neighbour, victim] = yield* Effect.all([owner(`${runs}/neighbour`, 1), owner(`${runs}/victim`, 3)], {
          concurrency: "unbounded"
        })
        const before = yield* remains(victim.ids)
        assert.strictEqual(count(before), 3 * 5 + 1)
        const theirs = yield* remains(neighbour.ids)
        const box = (yield* engine.listContainers(SandboxLabels.ours)).find(({ name }) =>
          before.containers.includes(name)
        )
        yield* victim.killGroup
        const killedAt = yield* Clock.currentTimeMillis
        yield* eventually(remains(victim.ids), (left) => count(left) === 0, "30 seconds").pipe(
          Effect.tapError(() => Effect.logError(fs.readFileSync(`${runs}/victim/watchdog.log`, "utf8")))
        )
        yield* Effect.logInfo(`nothing is left ${(yield* Clock.currentTimeMillis) - killedAt} ms after the kill`)

        // A volume that the engine makes late, from a call before the death.
        const late = `${box?.name}-late`
        yield* engine.createVolume({
          name: late,
          labels: { ...box?.labels, [SandboxLabels.keys.kind]: "volume" }
        })
        yield* eventually(engine.listVolumes(SandboxLabels.ours), (all) => all.every(({ name }) => name !== late))
        assert.deepStrictEqual(yield* remains(neighbour.ids), theirs)

        yield* neighbour.interrupt
        assert.strictEqual(count(yield* remains(neighbour.ids)), 0)
        // Told goodbye, its watchdog had ended before; the victim's ends when no create can come late any more.
        assert.isFalse(yield* isRunning(neighbour.watchdog))
        assert.notInclude(yield* files.readFileString(`${runs}/neighbour/watchdog.log`), "dead")
        yield* eventually(isRunning(victim.watchdog), (running) => !running, "30 seconds")
        assert.include(yield* files.readFileString(`${runs}/victim/watchdog.log`), "nothing is left")

        const path = `${runs}/victim/journal.sqlite`
        const journal = Context.get(yield* Layer.build(Sqlite.layerReader({ path })), Journal)
        assert.deepStrictEqual(yield* journal.streams({ open: true }), [])
        assert.strictEqual((yield* verify(path)).verdict, "intact")
      }),
    120_000
  )
})
