/** Status codes of lifecycle calls, bodies, and what the adapter makes of inspect and stats. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { EngineShape } from "../src/Engine.ts"
import type { Exchange, Routes } from "./support/FakeDocker.ts"
import { until, withFake } from "./support/FakeDocker.ts"

const answer =
  (status: number, message?: string) =>
  ({ json, response }: Exchange) =>
    message === undefined ? void response.writeHead(status).end() : json(status, { message })

/** The error of one call on an engine that answers it so. */
const errorOf = <A, E>(
  route: string,
  status: number,
  message: string,
  call: (engine: EngineShape) => Effect.Effect<A, E>
) => withFake({ [route]: answer(status, message) }, (engine) => Effect.flip(call(engine)))

const inspect = (more: object = {}, state: object = {}) => ({
  Id: "c",
  Name: "/web",
  Created: "2026-01-01T00:00:00.123456789Z",
  Image: "sha256:0",
  State: { Status: "running", Running: true, ExitCode: 0, ...state },
  HostConfig: {},
  Config: {},
  ...more
})

describe("Docker: create", () => {
  const routes: Routes = {
    "POST /containers/create": ({ json }) => json(201, { Id: "c", Warnings: ["no swap limit"] })
  }

  // dockerode's createContainer puts the whole body into the query string.
  it.effect("keeps the body, and the secrets in it, out of the request line, each time", () =>
    withFake(routes, (engine, fake) =>
      Effect.gen(function* () {
        const spec = { name: "web", image: "i", env: { TOKEN: "s3cr3t" }, labels: { a: "b" } }
        yield* engine.createContainer(spec)
        yield* engine.createContainer(spec)
        for (const request of fake.requests) {
          assert.strictEqual(request.url, "/v1.41/containers/create?name=web")
          assert.deepInclude(JSON.parse(request.body), { Env: ["TOKEN=s3cr3t"], Tty: false })
        }
      })
    )
  )

  it.effect("states only what was asked for", () =>
    withFake(routes, (engine, fake) =>
      Effect.gen(function* () {
        yield* engine.createContainer({
          name: "web",
          image: "i",
          healthcheck: { test: ["CMD", "true"], intervalMillis: 1.5, timeoutMillis: 2, retries: 1 },
          networkAliases: ["db"],
          host: {
            networkMode: "net",
            memoryBytes: 1,
            mounts: [
              { kind: "volume", source: "v", target: "/v", noCopy: true },
              { kind: "bind", source: "/b", target: "/b", readOnly: true, propagation: "rslave" },
              { kind: "tmpfs", target: "/t", sizeBytes: 4, mode: 0o700 }
            ],
            devices: [{ pathOnHost: "/dev/a", pathInContainer: "/dev/b", permissions: "r" }],
            ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
            restartPolicy: { name: "no" },
            logConfig: { type: "local", config: {} }
          }
        })
        assert.deepStrictEqual(JSON.parse(fake.requests[0]?.body ?? ""), {
          Image: "i",
          Tty: false,
          Healthcheck: { Test: ["CMD", "true"], Interval: 1_500_000, Timeout: 2_000_000, Retries: 1 },
          HostConfig: {
            NetworkMode: "net",
            Memory: 1,
            Mounts: [
              { Type: "volume", Source: "v", Target: "/v", VolumeOptions: { NoCopy: true } },
              { Type: "bind", Source: "/b", Target: "/b", ReadOnly: true, BindOptions: { Propagation: "rslave" } },
              { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 4, Mode: 0o700 } }
            ],
            Devices: [{ PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "r" }],
            Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
            RestartPolicy: { Name: "no" },
            LogConfig: { Type: "local", Config: {} }
          },
          NetworkingConfig: { EndpointsConfig: { net: { Aliases: ["db"] } } }
        })
      })
    )
  )

  it.effect("tells image, neighbour, name and parameter apart", () =>
    Effect.gen(function* () {
      const create = (engine: EngineShape) => engine.createContainer({ name: "web", image: "img" })
      const route = "POST /containers/create"
      assert.deepInclude(yield* errorOf(route, 404, "No such image: img:latest", create), {
        _tag: "ObjectNotFound",
        kind: "image",
        id: "img"
      })
      assert.deepInclude(yield* errorOf(route, 404, "No such container: other", create), {
        kind: "container",
        id: "other"
      })
      assert.deepInclude(
        yield* errorOf(route, 409, 'Conflict. The container name "/web" is already in use by container "0".', create),
        { _tag: "EngineConflict", reason: "name-in-use", id: "web" }
      )
      assert.deepInclude(yield* errorOf(route, 400, "invalid mount config", create), {
        _tag: "InvalidRequest",
        reason: "bad-parameter"
      })
      assert.deepInclude(yield* errorOf(route, 500, "disk is full", create), { _tag: "EngineFailure", status: 500 })
    })
  )
})

describe("Docker: lifecycle statuses", () => {
  it.effect("takes 304 of start and stop for success", () =>
    withFake({ "POST /containers/c/start": answer(304), "POST /containers/c/stop": answer(304) }, (engine) =>
      Effect.andThen(engine.startContainer("c"), engine.stopContainer("c", { graceSeconds: 0 }))
    )
  )

  it.effect("does not take 304 of another call for success", () =>
    Effect.gen(function* () {
      const error = yield* errorOf("POST /containers/c/kill", 304, "", (engine) => engine.killContainer("c", "TERM"))
      assert.deepInclude(error, { _tag: "EngineFailure", status: 304 })
    })
  )

  it.effect("tells why a start failed, whatever status the engine chose for it", () =>
    Effect.gen(function* () {
      const start = (engine: EngineShape) => engine.startContainer("c")
      const route = "POST /containers/c/start"
      const absent =
        'OCI runtime create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown'
      const denied =
        'OCI runtime create failed: starting container process caused: exec: "/etc": permission denied: unknown'
      for (const status of [400, 404, 500]) {
        assert.deepInclude(yield* errorOf(route, status, absent, start), {
          _tag: "InvalidRequest",
          reason: "command-not-found"
        })
        assert.deepInclude(yield* errorOf(route, status, denied, start), {
          _tag: "InvalidRequest",
          reason: "command-not-executable"
        })
      }
      assert.deepInclude(yield* errorOf(route, 404, "No such container: c", start), {
        _tag: "ObjectNotFound",
        kind: "container"
      })
      assert.deepInclude(yield* errorOf(route, 404, "network n1 not found", start), { kind: "network", id: "n1" })
      assert.deepInclude(yield* errorOf(route, 409, "cannot start a paused container, try unpause instead", start), {
        reason: "paused"
      })
      assert.deepInclude(yield* errorOf(route, 409, "container is marked for removal and cannot be started", start), {
        reason: "removal-in-progress"
      })
      assert.deepInclude(
        yield* errorOf(route, 500, "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", start),
        { _tag: "EngineFailure" }
      )
    })
  )

  it.effect("names the state that forbids a kill, a pause or an exec", () =>
    Effect.gen(function* () {
      const cases = [
        [
          "POST /containers/c/kill",
          409,
          "Container c is not running",
          "not-running",
          (e: EngineShape) => e.killContainer("c", "TERM")
        ],
        [
          "POST /containers/c/pause",
          409,
          "Container c is already paused",
          "already-paused",
          (e: EngineShape) => e.pauseContainer("c")
        ],
        [
          "POST /containers/c/unpause",
          500,
          "Container c is not paused",
          "not-paused",
          (e: EngineShape) => e.unpauseContainer("c")
        ],
        [
          "POST /containers/c/exec",
          409,
          "Container c is paused, unpause the container before exec",
          "paused",
          (e: EngineShape) => Effect.scoped(e.exec("c", { argv: ["a"] }))
        ],
        [
          "POST /containers/c/update",
          409,
          "Memory limit should be smaller than already set memoryswap limit",
          "other",
          (e: EngineShape) => e.updateContainer("c", { memoryBytes: 1 })
        ],
        [
          "GET /containers/c/top",
          409,
          "Container c is restarting, wait until the container is running",
          "not-running",
          (e: EngineShape) => e.topContainer("c")
        ]
      ] as const
      for (const [route, status, message, reason, call] of cases) {
        const error = yield* errorOf<unknown, unknown>(route, status, message, call)
        assert.deepInclude(error, { _tag: "EngineConflict", reason })
      }
    })
  )

  it.effect("removes by force with anonymous volumes, and takes absence for success", () =>
    withFake({ "DELETE /containers/c": answer(404, "No such container: c") }, (engine, fake) =>
      Effect.gen(function* () {
        yield* engine.removeContainer("c")
        yield* engine.removeContainer("..")
        assert.deepStrictEqual(
          fake.requests.map(({ url }) => url),
          ["/v1.41/containers/c?force=true&v=true"]
        )
      })
    )
  )

  it.live("waits until the container is gone when another removal is under way", () => {
    let looks = 0
    return withFake(
      {
        "DELETE /containers/c": answer(409, "removal of container c is already in progress"),
        "GET /containers/c/json": ({ json }) =>
          ++looks < 3 ? json(200, inspect({}, { Status: "removing" })) : json(404, { message: "No such container: c" })
      },
      (engine) => Effect.map(engine.removeContainer("c"), () => assert.strictEqual(looks, 3))
    )
  })

  it.effect("reports another conflict of a removal", () =>
    Effect.gen(function* () {
      const remove = (message: string) =>
        errorOf("DELETE /containers/c", 409, message, (engine) => engine.removeContainer("c"))
      assert.deepInclude(yield* remove("cannot remove: in use by a plugin"), {
        _tag: "EngineConflict",
        reason: "in-use"
      })
      const running = "You cannot remove a running container c. Stop the container before attempting removal"
      assert.deepInclude(yield* remove(running), { reason: "already-running" })
    })
  )

  it.effect("waits without a limit and reports the engine's own failure to wait", () =>
    Effect.gen(function* () {
      let respond: ((body: object) => void) | undefined
      const waiting = (reply: object) =>
        withFake(
          {
            "POST /containers/c/wait": ({ response }) => {
              response.writeHead(200) // the head comes at once
              response.flushHeaders()
              respond = (body) => response.end(JSON.stringify(body))
            }
          },
          (engine, fake) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(Effect.result(engine.waitContainer("c")))
              yield* until("the wait arrives", () => fake.requests.length === 1)
              respond?.(reply)
              return yield* Fiber.join(fiber)
            })
        )
      assert.deepInclude(yield* waiting({ StatusCode: 137 }), { _tag: "Success", success: { exitCode: 137 } })
      assert.include(String(yield* waiting({ StatusCode: -1, Error: { Message: "lost" } })), "lost")
    })
  )

  it.effect("sends memory and swap together", () =>
    withFake({ "POST /containers/c/update": ({ json }) => json(200, {}) }, (engine, fake) =>
      Effect.gen(function* () {
        yield* engine.updateContainer("c", { memoryBytes: 5, memorySwapBytes: 5 })
        assert.deepStrictEqual(JSON.parse(fake.requests[0]?.body ?? ""), { Memory: 5, MemorySwap: 5 })
      })
    )
  )

  it.effect("reads processes by the titles of the columns", () =>
    Effect.gen(function* () {
      const top = (reply: object) =>
        withFake({ "GET /containers/c/top": ({ json }) => json(200, reply) }, (engine) => engine.topContainer("c"))
      assert.deepStrictEqual(yield* top({ Titles: ["PPID", "PID", "COMMAND"], Processes: [["1", "2", "sh -c x"]] }), [
        { hostPid: 2, parentPid: 1, command: "sh -c x" }
      ])
      assert.strictEqual((yield* Effect.flip(top({ Titles: ["USER"] })))._tag, "EngineProtocolError")
    })
  )
})

describe("Docker: inspect", () => {
  const look = (wire: object) =>
    withFake({ "GET /containers/c/json": ({ json }) => json(200, wire) }, (engine) => engine.inspectContainer("c"))

  it.effect("reads an exit code only from a container that has exited", () =>
    Effect.gen(function* () {
      const finished = { FinishedAt: "2026-01-01T00:00:02.5Z" }
      const running = yield* look(inspect({}, { ...finished, StartedAt: "2026-01-01T00:00:03Z" }))
      assert.isUndefined(running.state.exitCode)
      const created = yield* look(
        inspect({}, { Status: "created", Running: false, FinishedAt: "0001-01-01T00:00:00Z" })
      )
      assert.isUndefined(created.state.exitCode)
      assert.isUndefined(created.state.finishedAtMillis)
      const exited = yield* look(inspect({}, { Status: "exited", Running: false, ExitCode: 3, ...finished }))
      assert.strictEqual(exited.state.exitCode, 3)
      assert.strictEqual(exited.state.finishedAtMillis, Date.parse("2026-01-01T00:00:02.500Z"))
    })
  )

  it.effect("keeps the fraction below a millisecond", () =>
    Effect.gen(function* () {
      const { createdAtMillis } = yield* look(inspect())
      assert.closeTo(createdAtMillis % 1000, 123.456789, 1e-3)
    })
  )

  it.effect("reads a cpu quota however it was set", () =>
    Effect.gen(function* () {
      const coresOf = (HostConfig: object) =>
        Effect.map(look(inspect({ HostConfig })), ({ host }) => (host.nanoCpus ?? Number.NaN) / 1e9)
      assert.strictEqual(yield* coresOf({ NanoCpus: 250_000_000 }), 0.25)
      assert.strictEqual(yield* coresOf({ NanoCpus: 0, CpuQuota: 50_000, CpuPeriod: 200_000 }), 0.25)
      // The period that the kernel takes where none is given.
      assert.strictEqual(yield* coresOf({ NanoCpus: 0, CpuQuota: 50_000, CpuPeriod: 0 }), 0.5)
      assert.isNaN(yield* coresOf({ NanoCpus: 0, CpuQuota: -1, CpuPeriod: 100_000 }))
      assert.isNaN(yield* coresOf({ NanoCpus: 0, CpuQuota: 0, CpuPeriod: 100_000 }))
    })
  )

  it.effect("leaves out limits that are not set, and reads addresses from Networks", () =>
    Effect.gen(function* () {
      const seen = yield* look(
        inspect({
          HostConfig: {
            Memory: 0,
            MemorySwap: -1,
            NanoCpus: 0,
            PidsLimit: -1,
            MemorySwappiness: 0,
            Ulimits: null,
            PidMode: "",
            Privileged: true
          },
          Mounts: [
            { Type: "volume", Name: "v", Destination: "/v", RW: false },
            { Type: "npipe", Destination: "x" }
          ],
          NetworkSettings: { Networks: { n: { NetworkID: "1", IPAddress: "10.0.0.2", Aliases: null } } }
        })
      )
      assert.deepStrictEqual(seen.host, { memorySwapBytes: -1, memorySwappiness: 0, privileged: true })
      assert.deepStrictEqual(seen.mounts, [{ kind: "volume", source: "v", target: "/v", readOnly: true }])
      assert.deepStrictEqual(seen.networks, { n: { networkId: "1", ipAddress: "10.0.0.2", aliases: [] } })
    })
  )
})
