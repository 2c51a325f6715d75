import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { DistributionPackages } from "../src/DistributionPackages.ts"
import { listLeftovers } from "../src/internal/privateEngine/leftovers.ts"
import { within } from "../src/internal/privateEngine/within.ts"
import * as PrivateEngine from "../src/PrivateEngine.ts"
import {
  api,
  client,
  engineLayer,
  eventually,
  isGone,
  loadTiny,
  ownEngine,
  packagesLayer,
  pidOf,
  prepare,
  removeEngines,
  removeTar,
  sh,
  sleeper,
  temporary
} from "./privateEngineHarness.ts"

/** Longer than an engine that stops after a second of idleness, at which it looks once a second, takes to be gone. */
const unused = 5_000

beforeAll(() => Effect.runPromise(prepare), 180_000)
afterAll(async () => {
  await removeEngines()
  removeTar()
}, 60_000)

describe("PrivateEngine as a user who is not root sees it", () => {
  it.live("runs without telling its version, and does not run when its process is dead", () =>
    Effect.gen(function* () {
      const { stateRoot, paths, up } = ownEngine("user")
      const fixture = new URL("./fixtures/engine.ts", import.meta.url).pathname
      const seen = () => {
        const args = [process.execPath, "--conditions=@sbx/source", fixture, "status", stateRoot, stateRoot]
        return JSON.parse(sh('setpriv --reuid=65534 --regid=65534 --clear-groups "$@"', ...args)) as object
      }
      yield* up
      const endpoint = `unix://${paths.socket}`
      assert.deepStrictEqual(seen(), { kind: "private", endpoint, running: true })
      const daemon = yield* pidOf(paths.id, "dockerd --config-file")
      process.kill(daemon, "SIGKILL")
      yield* eventually("the daemon is dead", () => isGone(daemon))
      assert.isTrue(existsSync(paths.socket))
      assert.deepStrictEqual(seen(), { kind: "private", endpoint, running: false })
    })
  )
})

describe.concurrent("PrivateEngine that is not used", () => {
  it.live("stops by itself and leaves nothing", () =>
    Effect.gen(function* () {
      const { paths, use } = ownEngine("idle", 1)
      yield* use((service) => service.up())
      yield* eventually("it stopped", () => !existsSync(paths.run), 30_000)
      // The supervisor itself ends a moment later.
      const empty = Effect.map(listLeftovers(paths), (left) => left.length === 0)
      assert.isTrue(yield* within(20_000, empty), (yield* listLeftovers(paths)).join("\n"))
    })
  )

  it.live("runs on while a client holds a lease, refuses to be stopped, and stops when that client is killed", () =>
    Effect.gen(function* () {
      const { stateRoot, paths, down } = ownEngine("lease", 1)
      const holder = client("lease", stateRoot, 1)
      yield* Effect.promise(() => holder.output)
      const stopped = Effect.sync(() => !existsSync(paths.run))
      assert.isFalse(yield* within(unused, stopped))
      const refusal = yield* Effect.flip(down)
      assert(refusal._tag === "PrivateEngineInUse", String(refusal))
      assert.deepStrictEqual(
        refusal.holders.map(({ pid }) => pid),
        [holder.child.pid]
      )
      assert.include(refusal.message, "fixtures/engine.ts lease")
      assert.strictEqual((yield* api(paths.socket, "GET", "/_ping")).body, "OK")
      holder.child.kill("SIGKILL")
      yield* Effect.promise(() => holder.ended)
      yield* eventually("it stopped", () => !existsSync(paths.run), 30_000)
    })
  )

  it.live("stops under a client that holds a lease when forced to, and at once when that client ends", () =>
    Effect.gen(function* () {
      const { stateRoot, down, force, leftovers } = ownEngine("force")
      for (const end of ["force", "kill"]) {
        const holder = client("lease", stateRoot)
        yield* Effect.promise(() => holder.output)
        if (end === "force") yield* force
        holder.child.kill("SIGKILL")
        yield* down
        assert.deepStrictEqual(yield* leftovers, [])
      }
    })
  )

  it.live("runs on while a container runs", () =>
    Effect.gen(function* () {
      const { paths, use } = ownEngine("busy", 1)
      yield* use((service) => service.up())
      yield* loadTiny(paths.socket)
      const id = yield* sleeper(paths.socket)
      assert.isFalse(
        yield* within(
          unused,
          Effect.sync(() => !existsSync(paths.run))
        )
      )
      yield* api(paths.socket, "DELETE", `/containers/${id}?force=true`)
      yield* eventually("it stopped", () => !existsSync(paths.run), 30_000)
    })
  )
})

/** The failure of an engine whose programs are those of `prefix`. */
const startWith = (prefix: string, stateRoot: string) => {
  const packages = Layer.succeed(DistributionPackages, {
    plan: () => Effect.die("not asked"),
    ensure: () => Effect.succeed({ prefix, packages: [] }),
    sources: Effect.die("not asked")
  })
  const engine = PrivateEngine.layerWith({ stateRoot }).pipe(Layer.provide(packages), Layer.provide(packagesLayer))
  return Effect.flatMap(PrivateEngine.PrivateEngine, (service) => Effect.flip(service.up())).pipe(
    Effect.provide(engine)
  )
}

const busyboxOf = (prefix: string): string =>
  existsSync(`${prefix}/bin/busybox`) ? `${prefix}/bin/busybox` : "/bin/busybox"

describe("PrivateEngine where it cannot run", () => {
  it.live("falls back to vfs with a warning where overlay mounts do not stack", () =>
    Effect.gen(function* () {
      const outer = temporary("overlay")
      sh(
        'mkdir -p "$1/u" "$1/w" "$1/m"; mount -t overlay overlay -o "lowerdir=$1/u/../m,upperdir=$1/u,workdir=$1/w" "$1/m"',
        outer
      )
      const layer = engineLayer(`${outer}/m`)
      try {
        yield* Effect.gen(function* () {
          const service = yield* PrivateEngine.PrivateEngine
          const up = yield* service.up()
          assert.include(up.warnings.join(), "vfs storage driver copies every image")
          const info = yield* api(up.endpoint.slice("unix://".length), "GET", "/info")
          assert.include(info.body, '"Driver":"vfs"')
          yield* service.down()
        }).pipe(Effect.provide(layer))
      } finally {
        yield* Effect.flatMap(PrivateEngine.PrivateEngine, (service) => service.down({ force: true })).pipe(
          Effect.provide(layer)
        )
        sh('umount "$1/m"; rm -rf "$1"', outer)
      }
    })
  )

  it.live("says that it needs root, with the command", () =>
    Effect.gen(function* () {
      const fixture = new URL("./fixtures/engine.ts", import.meta.url).pathname
      const place = temporary("nobody")
      chmodSync(place, 0o777)
      const said = sh(
        'setpriv --reuid=65534 --regid=65534 --clear-groups "$1" --conditions=@sbx/source "$2" up "$3/s" "$3/p" 2>&1 || true',
        process.execPath,
        fixture,
        place
      )
      assert.include(said, "it needs root")
      assert.include(said, "sudo ./sbx engine up")
      rmSync(place, { recursive: true })
    })
  )

  it.live("fails with the daemon's own words when the daemon does not come up, and leaves nothing", () =>
    Effect.gen(function* () {
      const { stateRoot, paths } = ownEngine("broken")
      mkdirSync(`${stateRoot}/prefix/usr/bin`, { recursive: true })
      sh(
        'printf "#!/bin/sh\\necho \\"failed to start daemon: no luck\\"\\nexit 1\\n" >"$1/dockerd"',
        `${stateRoot}/prefix/usr/bin`
      )
      sh(
        'cp -a "$1"/usr/sbin "$1"/bin "$2"/ 2>/dev/null; mkdir -p "$2/usr"; mv "$2/sbin" "$2/usr/sbin"; rm "$2/usr/sbin/dockerd"; chmod +x "$2/usr/bin/dockerd"',
        yield* prepare,
        `${stateRoot}/prefix`
      )
      const error = yield* startWith(`${stateRoot}/prefix`, stateRoot)
      assert(error._tag === "PrivateEngineStartFailed", String(error))
      assert.include(error.message, "the daemon ended at once")
      assert.include(error.message, "failed to start daemon: no luck")
      assert.deepStrictEqual(yield* listLeftovers(paths), [])
    })
  )

  it.live("fails when the daemon does not tell its id, and leaves nothing", () =>
    Effect.gen(function* () {
      const { stateRoot, paths } = ownEngine("mute")
      const prefix = `${stateRoot}/prefix`
      const version = { Version: "1", ApiVersion: "1.41", Components: [{ Name: "containerd" }] }
      const server = `require("http").createServer((q, a) => q.url === "/version" ? a.end(${JSON.stringify(JSON.stringify(version))}) : a.writeHead(500).end("{}")).listen(${JSON.stringify(paths.socket)})`
      mkdirSync(`${prefix}/usr/bin`, { recursive: true })
      writeFileSync(`${prefix}/mute.cjs`, server)
      writeFileSync(`${prefix}/usr/bin/dockerd`, `#!/bin/sh\nexec "${process.execPath}" "${prefix}/mute.cjs"\n`)
      chmodSync(`${prefix}/usr/bin/dockerd`, 0o755)
      sh(
        'mkdir -p "$2/bin"; cp "$1" "$2/bin/busybox"; ln -s /bin/true "$2/usr/bin/iptables"',
        busyboxOf(yield* prepare),
        prefix
      )
      const error = yield* startWith(prefix, stateRoot)
      assert(error._tag === "PrivateEngineStartFailed", String(error))
      assert.include(error.message, "it did not tell its id: the answer is not that of an engine")
      assert.isFalse(existsSync(paths.daemonId))
      assert.deepStrictEqual(yield* listLeftovers(paths), [])
    })
  )

  it.live("refuses an idle time that is no positive number, naming the variable", () =>
    Effect.gen(function* () {
      for (const value of ["0", "-5", "soon"]) {
        const environment = ConfigProvider.fromEnv({ env: { SBX_ENGINE_IDLE_MINUTES: value, HOME: "/root" } })
        const error = yield* Effect.flip(
          Effect.scoped(Layer.build(PrivateEngine.layer.pipe(Layer.provide(packagesLayer))))
        ).pipe(Effect.provideService(ConfigProvider.ConfigProvider, environment))
        assert.include(error.message, "SBX_ENGINE_IDLE_MINUTES")
      }
    })
  )
})
