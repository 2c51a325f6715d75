/** Every call ends in bounded time, whatever the engine does: limits of each stage, silent streams, and the circuit breaker. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { createInterface } from "node:readline"
import * as Docker from "../src/Docker.ts"
import type { EngineShape } from "../src/Engine.ts"
import type { Fault, FaultProxyShape } from "../src/testing/FaultProxy.ts"
import type { Routes } from "./support/FakeDocker.ts"
import { until, upgradeHead } from "./support/FakeDocker.ts"
import { withProxied } from "./support/withProxied.ts"

const routes: Routes = {
  "GET /_ping": ({ response }) => void response.end("OK"),
  "GET /containers/json": ({ json }) => json(200, []),
  "GET /events": ({ response }) => response.writeHead(200).flushHeaders(),
  "GET /containers/c/archive": ({ response }) => void response.writeHead(200).write("some"),
  "POST /containers/c/start": ({ response }) => void response.writeHead(204).end(),
  "POST /containers/c/wait": ({ response }) => response.writeHead(200).flushHeaders(),
  "DELETE /containers/c": ({ response }) => void response.writeHead(204).end(),
  "POST /containers/c/exec": ({ json }) => json(201, { Id: "e" }),
  "UPGRADE /exec/e/start": ({ socket }) => void socket.write(upgradeHead)
}

const all = (method: string, path: string, fault: Fault) => ({ method, path, calls: "all", fault }) as const

/** Awaits a count that the outside world makes, beside the test clock. */
const reaches = (count: Effect.Effect<number>, least: number) =>
  Effect.repeat(TestClock.withLive(Effect.andThen(Effect.sleep(5), count)), { until: (now) => now >= least })

/** Lets the test clock go on, slowly enough for what really happens meanwhile, until something has come true. */
const untilLater = (fact: Effect.Effect<boolean>) =>
  Effect.gen(function* () {
    while (!(yield* fact)) {
      yield* TestClock.adjust("1 second")
      yield* TestClock.withLive(Effect.sleep(5))
    }
  })

/** What becomes of a call in the end. */
const outcome = <A, E>(call: Fiber.Fiber<A, E>) =>
  Effect.andThen(untilLater(Effect.sync(() => call.pollUnsafe() !== undefined)), Fiber.join(call))

describe("Docker: limits of a call", () => {
  const hanging = (fault: Fault) =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const { injected } = yield* proxy.inject(all("GET", "/containers/json", fault))
        const call = yield* Effect.forkChild(Effect.flip(engine.listContainers({})))
        return { error: yield* outcome(call), attempts: yield* injected }
      })
    )

  it.effect("of a read are twenty seconds an attempt, and the error names the stage", () =>
    Effect.gen(function* () {
      for (const [at, stage, text] of [
        ["request", "head", "no answer within 20000 ms"],
        ["body", "body", "no end of the answer within 20000 ms"]
      ] as const) {
        const { error, attempts } = yield* hanging({ kind: "hang", at })
        assert.deepInclude(error, { _tag: "EngineTimeout", operation: "list containers", stage, retryable: true })
        assert.include(error.message, text)
        assert.strictEqual(attempts, 4)
      }
    })
  )

  it.effect("of a change are a minute, once", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const { injected } = yield* proxy.inject(all("POST", "/containers/c/start", { kind: "hang" }))
        const call = yield* Effect.forkChild(Effect.flip(engine.startContainer("c")))
        assert.deepInclude(yield* outcome(call), { _tag: "EngineTimeout", timeoutMillis: 60_000, stage: "head" })
        assert.strictEqual(yield* injected, 1)
      })
    )
  )

  it.effect("of a look whether it lives are ten seconds, once", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const { injected } = yield* proxy.inject(all("GET", "/_ping", { kind: "hang" }))
        const call = yield* Effect.forkChild(Effect.flip(engine.ping))
        assert.deepInclude(yield* outcome(call), { _tag: "EngineTimeout", timeoutMillis: 10_000 })
        assert.strictEqual(yield* injected, 1)
      })
    )
  )

  it.effect("do not count latency below them", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const { injected } = yield* proxy.inject(
          all("GET", "/containers/json", { kind: "latency", delay: "19 seconds" })
        )
        const call = yield* Effect.forkChild(engine.listContainers({}))
        yield* reaches(injected, 1)
        yield* TestClock.adjust("19 seconds")
        assert.deepStrictEqual(yield* Fiber.join(call), [])
        assert.strictEqual(yield* injected, 1)
      })
    )
  )
})

/** A TCP port whose owner is stopped and whose queue is full: the kernel drops what would connect. */
const deafPort = Effect.gen(function* () {
  const script =
    'const s = require("net").createServer(); s.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))'
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const port = yield* Effect.promise(async () => Number((await once(createInterface(server.stdout), "line"))[0]))
  server.kill("SIGSTOP")
  const fillers = Array.from({ length: 8 }, () => connect({ host: "127.0.0.1", port }).on("error", () => {}))
  yield* Effect.addFinalizer(() => Effect.sync(() => fillers.forEach((socket) => socket.destroy())))
  yield* until("some connect and some wait", () => fillers.some(({ connecting }) => !connecting))
  return port
})

describe("Docker: connecting", () => {
  it.effect("is given up where nothing accepts, and not tried again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const address = `tcp://127.0.0.1:${yield* deafPort}`
        const error = yield* Effect.flip(Docker.make({ kind: "explicit", address }))
        assert.deepInclude(error, { _tag: "EngineTimeout", stage: "connect", timeoutMillis: 5_000 })
        assert.include(String(error), "no connection within 5000 ms")
      })
    )
  )
})

describe("Docker: silence", () => {
  /** Streams that may be silent, each until its first failure. */
  const silent = {
    events: { route: "GET /events", watch: (engine) => Stream.runDrain(engine.events({ labels: {} })) },
    wait: { route: "POST /containers/c/wait", watch: (engine) => engine.waitContainer("c") },
    exec: {
      route: "POST /exec/e/start",
      watch: (engine) =>
        Effect.scoped(Effect.flatMap(engine.exec("c", { argv: ["sleep"] }), ({ output }) => Stream.runDrain(output)))
    }
  } satisfies Record<
    string,
    { route: string; watch: (engine: EngineShape) => Effect.Effect<unknown, { readonly _tag: string }> }
  >

  const pinged = (proxy: FaultProxyShape) => proxy.requests("GET", "/_ping")

  it.effect("of what may be silent lasts as long as the engine answers pings, and no longer", () =>
    Effect.gen(function* () {
      for (const [name, { route, watch }] of Object.entries(silent)) {
        yield* withProxied(routes, ({ engine, proxy, reached }) =>
          Effect.gen(function* () {
            const call = yield* Effect.forkChild(Effect.flip(watch(engine)))
            yield* until("the call arrives", () => reached().includes(route))
            yield* untilLater(Effect.map(pinged(proxy), (pings) => pings === 3))
            assert.isUndefined(call.pollUnsafe(), name)
            const { injected } = yield* proxy.inject(all("GET", "/_ping", { kind: "hang" }))
            assert.deepInclude(yield* outcome(call), { _tag: "EngineTimeout", stage: "idle", timeoutMillis: 60_000 })
            assert.strictEqual(yield* injected, 1)
          })
        )
      }
    })
  )

  it.effect("of what ought to flow lasts a minute", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.flip(Stream.runDrain(engine.getArchive("c", "/"))))
        assert.deepInclude(yield* outcome(call), { _tag: "EngineTimeout", operation: "read archive", stage: "idle" })
        assert.strictEqual(yield* proxy.requests("GET", "/containers/c/archive"), 1)
      })
    )
  )
})

describe("Docker: a dead engine", () => {
  it.effect("is found dead by calls that wait, and then no call waits; the first sign of life ends it", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const death = yield* Scope.make()
        const { injected } = yield* Scope.provide(proxy.inject(all("*", "/**", { kind: "hang" })), death)
        const calls = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 5 }, () => Effect.flip(engine.startContainer("c"))),
            { concurrency: "unbounded" }
          )
        )
        yield* reaches(injected, 5)
        yield* TestClock.adjust("60 seconds")
        const errors: ReadonlyArray<{ readonly _tag: string }> = yield* Fiber.join(calls)
        assert.deepStrictEqual(
          errors.map(({ _tag }) => _tag),
          Array.from({ length: 5 }, () => "EngineTimeout")
        )
        const refused = yield* Effect.flip(engine.startContainer("c"))
        assert.deepInclude(refused, { _tag: "CircuitOpen", operation: "start container", retryAfterMillis: 1_000 })
        assert.include(refused.message, "no answer within 60000 ms")
        assert.strictEqual(yield* injected, 5)
        // A removal asks by itself, and ends with its ping.
        const removal = yield* Effect.forkChild(Effect.flip(engine.removeContainer("c")))
        yield* reaches(injected, 6)
        yield* TestClock.adjust("2 seconds")
        assert.deepInclude(yield* Fiber.join(removal), { _tag: "CircuitOpen", operation: "remove container" })
        assert.strictEqual(yield* proxy.requests("DELETE", "/containers/c"), 0)
        yield* Scope.close(death, yield* Effect.exit(Effect.void))
        // Alive, but nobody has asked yet.
        assert.strictEqual((yield* Effect.flip(engine.startContainer("c")))._tag, "CircuitOpen")
        yield* engine.removeContainer("c")
        yield* engine.startContainer("c")
      })
    )
  )

  it.effect("keeps no removal waiting behind calls that hang", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const { injected } = yield* proxy.inject(all("GET", "/containers/json", { kind: "hang" }))
        const listing = Array.from({ length: 200 }, () => Effect.exit(engine.listContainers({})))
        const hanging = yield* Effect.forkChild(Effect.all(listing, { concurrency: "unbounded" }))
        yield* reaches(injected, 64)
        // No time passes: a removal that waits for one of them waits for ever.
        const removal = engine.removeContainer("c").pipe(Effect.as("removed"))
        const outcome = yield* TestClock.withLive(
          Effect.timeoutOrElse(removal, { duration: "10 seconds", orElse: () => Effect.succeed("waits") })
        )
        assert.strictEqual(outcome, "removed")
        assert.strictEqual(yield* injected, 64)
        yield* Fiber.interrupt(hanging)
      })
    )
  )

  it.effect("is asked by an ordinary call after a second", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.andThen(
            proxy.inject(all("*", "/**", { kind: "reset" })),
            Effect.replicateEffect(Effect.flip(engine.killContainer("c", "TERM")), 5)
          )
        )
        assert.strictEqual((yield* Effect.flip(engine.startContainer("c")))._tag, "CircuitOpen")
        yield* TestClock.adjust("1 second")
        yield* engine.startContainer("c")
        assert.strictEqual(yield* proxy.requests("GET", "/_ping"), 1)
      })
    )
  )

  it.effect("is none while it answers, were it with errors, or while nobody is there", () =>
    withProxied(routes, ({ engine, proxy }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.andThen(
            proxy.inject(all("*", "/**", { kind: "status", status: 503 })),
            Effect.replicateEffect(Effect.flip(engine.killContainer("c", "TERM")), 10)
          )
        )
        yield* engine.startContainer("c")
        assert.strictEqual(yield* proxy.requests("GET", "/_ping"), 0)
      })
    )
  )
})
