/** Connection, version, transport errors, time limits and interruption of the adapter, on an engine that misbehaves. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { chmodSync, linkSync, mkdtempSync, rmSync } from "node:fs"
import type { Server } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { vi } from "vitest"
import * as Docker from "../src/Docker.ts"
import { Engine } from "../src/Engine.ts"
import { EngineFailure } from "../src/EngineError.ts"
import { serve, until, version, withFake, withPauses } from "./support/FakeDocker.ts"

const at = (address: string) => Docker.make({ kind: "explicit", address })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "sbx-sock-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A server that is no HTTP server. */
const rawServer = (path: string, answer: string) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((socket) => {
        socket.on("error", () => {})
        socket.end(answer)
      })
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )

/** Root may connect to any socket: become nobody for the time of the effect. */
const unprivileged = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  process.getuid?.() === 0
    ? Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid?.(65_534)),
        () => self,
        () => Effect.sync(() => process.seteuid?.(0))
      )
    : self

const withEnvironment = (values: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => Object.entries(values).forEach(([key, value]) => vi.stubEnv(key, value))),
    () => Effect.sync(() => vi.unstubAllEnvs())
  )

describe("Docker: finding the engine", () => {
  it.effect("says no-socket where nothing listens", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(at("unix:///nonexistent/docker.sock"))
      assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "no-socket")
      assert.include(error.message, "DOCKER_HOST")
    })
  )

  it.effect("says refused for a socket whose owner is gone", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const live = join(path, "live.sock")
      const stale = join(path, "stale.sock")
      const server = yield* rawServer(live, "")
      linkSync(live, stale) // closing unlinks only the name that was bound
      yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      const error = yield* Effect.flip(at(`unix://${stale}`))
      assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "refused")
    })
  )

  it.effect("says permission-denied for a socket of others", () =>
    Effect.gen(function* () {
      const fake = yield* serve({})
      chmodSync(dirname(fake.socketPath), 0o755)
      chmodSync(fake.socketPath, 0o600)
      const error = yield* Effect.flip(unprivileged(at(fake.endpoint.address)))
      assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "permission-denied")
    })
  )

  it.effect("refuses addresses that it does not speak", () =>
    Effect.gen(function* () {
      for (const address of ["ssh://host", "npipe:////./pipe/docker", "nonsense", "unix://"]) {
        const error = yield* Effect.flip(at(address))
        assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "other", address)
      }
      assert.include((yield* Effect.flip(at("ssh://host"))).message, "forward the socket")
    })
  )

  it.effect("speaks tcp", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(at("tcp://127.0.0.1:1"))
      assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "refused")
    })
  )

  // dockerode#540 prefers the environment's host; its time limit, which is one of idleness, works for TCP hosts only.
  it.effect("takes nothing from the environment: neither host nor time limit", () =>
    Effect.gen(function* () {
      yield* withEnvironment({ DOCKER_HOST: "tcp://127.0.0.1:1", DOCKER_CLIENT_TIMEOUT: "30" })
      yield* withFake(
        { "GET /_ping": ({ response }) => void delay(200).then(() => response.end("OK")) },
        (engine) => engine.ping
      )
    })
  )

  it.effect("reports nonsense in the environment that dockerode chokes on", () =>
    Effect.gen(function* () {
      yield* withEnvironment({ DOCKER_HOST: "tcp://[nonsense" })
      const error = yield* Effect.flip(at("unix:///nonexistent/docker.sock"))
      assert.include(error.message, "DOCKER_HOST")
      assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "other")
    })
  )
})

describe("Docker: the API version", () => {
  const negotiated = (facts: Partial<typeof version>) =>
    withFake(
      {
        "GET /version": ({ json }) => json(200, { ...version, ...facts }),
        "GET /_ping": ({ response }) => void response.end("OK")
      },
      (engine, fake) => Effect.map(engine.ping, () => fake.requests[0]?.url)
    )

  it.effect("is the server's when that is older than ours, else ours", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* negotiated({ ApiVersion: "1.43" }), "/v1.43/_ping")
      assert.strictEqual(yield* negotiated({ ApiVersion: "1.99", MinAPIVersion: "1.44" }), "/v1.47/_ping")
    })
  )

  it.effect("is refused below 1.41, and when the engine refuses all of ours", () =>
    Effect.gen(function* () {
      const old = yield* Effect.flip(negotiated({ ApiVersion: "1.40" }))
      assert.strictEqual(old._tag, "ApiVersionUnsupported")
      assert.include(old.message, "needs at least 1.41")
      const young = yield* Effect.flip(negotiated({ ApiVersion: "2.10", MinAPIVersion: "2.0" }))
      assert.strictEqual(young._tag, "ApiVersionUnsupported")
      assert.include(young.message, "refuses API below 2.0")
    })
  )

  it.effect("is a protocol error when it is no version", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(negotiated({ ApiVersion: "new" })))._tag, "EngineProtocolError")
    })
  )

  it.effect("is fixed once by the layer", () =>
    Effect.gen(function* () {
      const fake = yield* serve({ "GET /_ping": ({ response }) => void response.end("OK") })
      yield* Effect.provide(
        Effect.flatMap(Engine, (engine) => engine.ping),
        Docker.layer(fake.endpoint)
      )
      assert.isTrue(Layer.isLayer(Docker.layer(fake.endpoint)))
      assert.deepStrictEqual(
        fake.requests.map(({ url }) => url),
        ["/v1.41/_ping"]
      )
    })
  )
})

describe("Docker: transport", () => {
  it.effect("repeats a read at once when a pooled connection was reset", () =>
    Effect.gen(function* () {
      let calls = 0
      yield* withFake(
        { "GET /_ping": ({ response, socket }) => (++calls === 1 ? socket.destroy() : response.end("OK")) },
        (engine) => engine.ping
      )
      assert.strictEqual(calls, 2)
    })
  )

  it.effect("says connection-lost when it is lost again", () =>
    withFake({ "GET /_ping": ({ socket }) => void socket.destroy() }, (engine, fake) =>
      Effect.gen(function* () {
        const error = yield* withPauses(Effect.flip(engine.ping))
        assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "connection-lost")
        assert.strictEqual(fake.requests.length, 4)
      })
    )
  )

  it.effect("never repeats a create, an exec start or a kill", () =>
    withFake(
      {
        "POST /containers/create": ({ socket }) => void socket.destroy(),
        "POST /containers/c/kill": ({ socket }) => void socket.destroy(),
        "POST /containers/c/exec": ({ json }) => json(201, { Id: "e" }),
        "UPGRADE /exec/e/start": ({ socket }) => void socket.destroy()
      },
      (engine, fake) =>
        Effect.gen(function* () {
          const calls = [
            engine.createContainer({ name: "c", image: "i" }),
            engine.killContainer("c", "TERM"),
            Effect.scoped(engine.exec("c", { argv: ["true"] }))
          ]
          for (const call of calls) {
            const error = yield* Effect.flip(Effect.asVoid<unknown, unknown, never>(call))
            assert.deepInclude(error, { _tag: "EngineUnavailable", reason: "connection-lost" })
          }
          assert.strictEqual(fake.requests.length, 4)
        })
    )
  )

  it.effect("says connection-lost when the answer is cut in the middle", () =>
    withFake(
      {
        "GET /containers/json": ({ response, socket }) => {
          response.writeHead(200, { "content-length": 1_000 })
          response.write("[", () => socket.destroy())
        }
      },
      (engine) =>
        Effect.gen(function* () {
          const error = yield* withPauses(Effect.flip(engine.listContainers({})))
          assert.strictEqual(error._tag === "EngineUnavailable" && error.reason, "connection-lost")
        })
    )
  )

  it.effect("says what does not fit when the answer is no JSON, or lacks a field", () =>
    Effect.gen(function* () {
      for (const body of ["{", "", "null", '[{"Names":[]}]']) {
        const error = yield* Effect.flip(
          withFake({ "GET /containers/json": ({ response }) => void response.end(body) }, (engine) =>
            engine.listContainers({})
          )
        )
        assert.strictEqual(error._tag, "EngineProtocolError", body)
      }
    })
  )

  it.effect("tolerates fields that it does not know and nulls for empty lists", () =>
    withFake(
      {
        "GET /containers/json": ({ json }) =>
          json(200, [{ Id: "1", Names: null, Image: "i", Labels: null, State: "created", Created: 1, Future: {} }])
      },
      (engine) =>
        Effect.gen(function* () {
          const [summary] = yield* engine.listContainers({})
          assert.deepStrictEqual(summary, {
            id: "1",
            name: "",
            image: "i",
            labels: {},
            status: "created",
            createdAtMillis: 1000
          })
        })
    )
  )

  it.effect("refuses an answer without end", () =>
    withFake(
      {
        "GET /containers/json": ({ response }) => {
          const more = () => {
            while (!response.destroyed && response.write(Buffer.alloc(1024 * 1024, 32))) {}
          }
          response.on("drain", more)
          more()
        }
      },
      (engine) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(engine.listContainers({}))
          assert.include(error.message, "longer than")
        })
    )
  )

  it.effect("is a protocol error when the server speaks no HTTP", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "raw.sock")
      yield* rawServer(path, "SSH-2.0-OpenSSH\r\n")
      assert.strictEqual((yield* Effect.flip(at(`unix://${path}`)))._tag, "EngineProtocolError")
    })
  )

  it.effect("reads the reason from the answer's text when it is no JSON object", () =>
    Effect.gen(function* () {
      for (const [body, detail] of [
        ["plain", "plain"],
        ["", "(no text)"],
        ["null", "null"],
        ['{"message":"why"}', "why"]
      ]) {
        const error = yield* Effect.flip(
          withFake(
            {
              "GET /containers/json": ({ response }) => void response.writeHead(503).end(body)
            },
            (engine) => withPauses(engine.listContainers({}))
          )
        )
        assert.isTrue(error instanceof EngineFailure && error.retryable)
        assert.strictEqual(error instanceof EngineFailure && error.detail, detail)
      }
    })
  )

  // A custom agent makes the modem inspect it deeply on every request; the default one already keeps connections alive.
  it.effect("keeps one connection for calls in sequence", () =>
    withFake({ "GET /_ping": ({ response }) => void response.end("OK") }, (engine, fake) =>
      Effect.gen(function* () {
        yield* Effect.repeat(engine.ping, { times: 9 })
        assert.strictEqual(new Set(fake.requests.map(({ connection }) => connection)).size, 1)
      })
    )
  )

  it.effect("opens at most 64 connections for calls at once", () => {
    const held: Array<() => void> = []
    return withFake({ "GET /_ping": ({ response }) => void held.push(() => response.end("OK")) }, (engine, fake) =>
      Effect.gen(function* () {
        const all = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 100 }, () => engine.ping),
            { concurrency: "unbounded" }
          )
        )
        yield* until("64 calls arrive", () => held.length === 64)
        yield* Effect.flatMap(Docker.make(fake.endpoint), (other) => other.info) // a 65th would be here by now
        assert.strictEqual(held.length, 64)
        held.splice(0).forEach((answer) => answer())
        yield* until("the others arrive", () => held.length === 36)
        held.forEach((answer) => answer())
        yield* Fiber.join(all)
      })
    )
  })

  it.effect("encodes ids, and takes those that would change the path for absent", () =>
    withFake(
      { "GET /containers/a%2Fb%3Fc/json": ({ json }) => json(404, { message: "No such container: a/b?c" }) },
      (engine, fake) =>
        Effect.gen(function* () {
          for (const id of ["", ".", "..", "a/b?c"]) {
            const error = yield* Effect.flip(engine.inspectContainer(id))
            assert.strictEqual(error._tag, "ObjectNotFound")
          }
          assert.deepStrictEqual(
            fake.requests.map(({ url }) => url),
            ["/v1.41/containers/a%2Fb%3Fc/json"]
          )
        })
    )
  )
})

describe("Docker: time limits and interruption", () => {
  const silent = { "GET /_ping": () => {}, "POST /containers/c/stop": () => {}, "POST /containers/c/start": () => {} }

  it.effect("gives up on a silent engine and closes the connection", () =>
    withFake(silent, (engine, fake) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.flip(engine.startContainer("c")))
        yield* until("the call arrives", () => fake.requests.length === 1)
        const closed = fake.closedConnections()
        yield* TestClock.adjust("60 seconds")
        const error = yield* Fiber.join(call)
        assert.strictEqual(error._tag, "EngineTimeout")
        yield* until("the connection is closed", () => fake.closedConnections() > closed)
      })
    )
  )

  it.effect("lets a stop take its grace and a margin", () =>
    withFake(silent, (engine, fake) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.exit(engine.stopContainer("c", { graceSeconds: 100 })))
        yield* until("the call arrives", () => fake.requests.length === 1)
        assert.include(fake.requests[0]?.url, "t=100")
        yield* TestClock.adjust("159 seconds")
        assert.isUndefined(call.pollUnsafe())
        yield* TestClock.adjust("1 seconds")
        assert.include(String(yield* Fiber.join(call)), "EngineTimeout")
      })
    )
  )

  it.effect("closes the connection of an interrupted call, also the second of its kind", () =>
    withFake(silent, (engine, fake) =>
      Effect.gen(function* () {
        for (const round of [1, 2]) {
          const call = yield* Effect.forkChild(engine.ping)
          yield* until("the call arrives", () => fake.requests.length === round)
          const closed = fake.closedConnections()
          yield* Fiber.interrupt(call)
          yield* until("the connection is closed", () => fake.closedConnections() > closed)
        }
      })
    )
  )

  it.effect("ends an interrupted follower as interrupted, not as failed", () =>
    withFake(
      {
        "GET /containers/c/json": ({ json }) => json(200, minimalInspect),
        "GET /containers/c/logs": ({ response }) => void response.writeHead(200).write("")
      },
      (engine, fake) =>
        Effect.gen(function* () {
          const call = yield* Effect.forkChild(Stream.runDrain(engine.logs("c", { follow: true })))
          yield* until("the call arrives", () => fake.requests.length === 2)
          const closed = fake.closedConnections()
          yield* Fiber.interrupt(call)
          const exit = yield* Fiber.await(call)
          assert.isTrue(Exit.hasInterrupts(exit) && !Exit.hasFails(exit))
          yield* until("the connection is closed", () => fake.closedConnections() > closed)
        })
    )
  )
})

const minimalInspect = {
  Id: "c",
  Name: "/c",
  Created: "2026-01-01T00:00:00.123456789Z",
  Image: "sha256:0",
  State: { Status: "running", Running: true },
  HostConfig: {},
  Config: {}
}
