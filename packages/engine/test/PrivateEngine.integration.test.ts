import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { lockHolders } from "../src/internal/privateEngine/lockHolders.ts"
import { PrivateEngine } from "../src/PrivateEngine.ts"
import {
  api,
  client,
  commandsOf,
  eventually,
  isGone,
  loadTiny,
  ownEngine,
  pidOf,
  prepare,
  recovers,
  removeEngines,
  removeTar,
  sleeper
} from "./privateEngineHarness.ts"

const { stateRoot, paths, layer, use: engine, up, down } = ownEngine("engine")

/** The process that holds the supervisor's lock: one that only just forked, or is about to end, does not. */
const supervisorOf = (engine: { readonly run: string }) =>
  Effect.gen(function* () {
    const look = Effect.map(lockHolders(`${engine.run}/supervisor.lock`), (all) =>
      all.find(({ command }) => command.includes("supervisor.sh"))
    )
    const holder = yield* look.pipe(
      Effect.repeat({ until: (found) => found !== undefined, schedule: Schedule.spaced("20 millis") }),
      Effect.timeout("20 seconds")
    )
    assert.isFalse(isGone(holder?.pid ?? 0))
    return holder?.pid
  })

beforeAll(() => Effect.runPromise(Effect.andThen(prepare, Effect.andThen(up, loadTiny(paths.socket)))), 180_000)
afterAll(async () => {
  await removeEngines()
  removeTar()
}, 60_000)

describe("PrivateEngine", () => {
  it.live("answers at its endpoint with the version of the daemon", () =>
    Effect.gen(function* () {
      const status = yield* engine((service) => service.status)
      assert.deepInclude(status, { kind: "private", endpoint: `unix://${paths.socket}`, running: true })
      const info = JSON.parse((yield* api(paths.socket, "GET", "/info")).body) as Record<string, unknown>
      assert.deepInclude(info, { ServerVersion: status.version, DockerRootDir: paths.dataRoot, Driver: "overlay2" })
      assert.isFalse(readdirSync(paths.run).includes("failed"))
    })
  )

  it.live("is up in less than 100 ms when it runs, and does not start again", () =>
    Effect.gen(function* () {
      const service = yield* PrivateEngine
      const times: Array<number> = []
      // The best of several: the machine may be busy with other tests.
      while (times.length < 5 || (Math.min(...times) >= 100 && times.length < 100)) {
        const before = performance.now()
        assert.isFalse((yield* service.up()).started)
        times.push(performance.now() - before)
      }
      assert.isBelow(Math.min(...times), 100, times.join(", "))
    }).pipe(Effect.provide(layer))
  )

  it.live("keeps its id over a restart", () =>
    Effect.gen(function* () {
      const id = Effect.map(api(paths.socket, "GET", "/info"), ({ body }) => (JSON.parse(body) as { ID: string }).ID)
      const before = yield* id
      yield* down
      yield* up
      assert.strictEqual(yield* id, before)
    })
  )

  it.live("starts once for two starters at the same time", () =>
    Effect.gen(function* () {
      yield* down
      const starters = [client("up", stateRoot), client("up", stateRoot)]
      const answers = yield* Effect.promise(() => Promise.all(starters.map(({ output }) => output)))
      assert.deepStrictEqual(
        answers
          .map((answer) => (JSON.parse(answer) as { started: boolean }).started)
          .toSorted((a, b) => Number(a) - Number(b)),
        [false, true]
      )
      const daemons = (yield* commandsOf(paths.id)).filter((command) => command.startsWith("dockerd "))
      assert.strictEqual(daemons.length, 1)
    })
  )

  it.live("recovers from kill -9 of the daemon while containers run and are paused", () =>
    Effect.gen(function* () {
      yield* sleeper(paths.socket)
      const paused = yield* sleeper(paths.socket)
      yield* api(paths.socket, "POST", `/containers/${paused}/pause`)
      const daemon = yield* pidOf(paths.id, "dockerd --config-file")
      const shim = yield* pidOf(paths.id, "containerd-shim")
      process.kill(daemon, "SIGKILL")
      yield* eventually("the daemon is dead", () => isGone(daemon))
      yield* recovers({ up, paths })
      assert.isTrue(isGone(shim))
      const shims = (yield* commandsOf(paths.id)).filter((command) => command.includes("containerd-shim"))
      assert.strictEqual(shims.length, 1)
    })
  )

  it.live("starts another supervisor when the old one was killed", () =>
    Effect.gen(function* () {
      const supervisor = yield* pidOf(paths.id, "supervisor.sh")
      process.kill(supervisor, "SIGKILL")
      yield* eventually("the supervisor is dead", () => isGone(supervisor))
      yield* up
      const holder = yield* supervisorOf(paths)
      assert.notStrictEqual(holder, supervisor)
    })
  )
})

// Engines of their own, at the same time: these tests are mostly waiting.
describe.concurrent("PrivateEngine that is hurt", () => {
  it.live("recovers from kill -9 of its containerd", () =>
    Effect.gen(function* () {
      const own = ownEngine("containerd")
      const { paths } = own
      yield* own.up
      const containerd = yield* pidOf(paths.id, "containerd --config")
      process.kill(containerd, "SIGKILL")
      yield* eventually("containerd is dead", () => isGone(containerd))
      yield* recovers(own)
    })
  )

  it.live("replaces a daemon that lives and does not answer", () =>
    Effect.gen(function* () {
      const own = ownEngine("stuck")
      const { paths } = own
      yield* own.up
      const daemon = yield* pidOf(paths.id, "dockerd --config-file")
      process.kill(daemon, "SIGSTOP")
      yield* recovers(own)
      assert.isTrue(isGone(daemon))
    })
  )

  it.live("recovers from kill -9 of its starter, whenever that dies", () =>
    Effect.gen(function* () {
      const own = ownEngine("starter")
      const { paths } = own
      for (const fact of ["daemon.json", "engine.id", "docker.pid"]) {
        yield* own.down
        rmSync(paths.daemonConfig, { force: true })
        const starter = client("up", own.stateRoot)
        const seen = (): boolean =>
          [paths.home, paths.run].some((folder) => {
            try {
              return readdirSync(folder).includes(fact)
            } catch {
              return false
            }
          })
        yield* eventually(`${fact} appears`, seen)
        starter.child.kill("SIGKILL")
        yield* Effect.promise(() => starter.ended)
        if (fact !== "daemon.json") yield* supervisorOf(paths)
        yield* recovers(own)
        const daemons = (yield* commandsOf(paths.id)).filter((command) => command.startsWith("dockerd "))
        assert.strictEqual(daemons.length, 1, fact)
      }
    })
  )

  it.live("has a supervisor after an interrupted start, which ends it, and its daemon's id by the next lease", () =>
    Effect.gen(function* () {
      const own = ownEngine("interrupted", 4)
      const starter = yield* Effect.forkChild(own.up)
      yield* eventually("the daemon runs", () => existsSync(own.paths.identity))
      yield* Fiber.interrupt(starter)
      yield* supervisorOf(own.paths)
      yield* own.up
      const info = JSON.parse((yield* api(own.paths.socket, "GET", "/info")).body) as { readonly ID: string }
      assert.strictEqual(readFileSync(own.paths.daemonId, "utf8"), info.ID)
      yield* eventually("it stopped", () => !existsSync(own.paths.run), 30_000)
    })
  )
})
