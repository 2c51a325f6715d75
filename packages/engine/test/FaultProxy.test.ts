/** The proxy's faults, each beside a control without it, on servers that record what reaches them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { request } from "node:http"
import type { Chosen, Fault } from "../src/testing/FaultProxy.ts"
import * as FaultProxy from "../src/testing/FaultProxy.ts"
import type { FakeDocker, Routes } from "./support/FakeDocker.ts"
import { frame, serve, until, upgradeHead } from "./support/FakeDocker.ts"

const pathOf = (address: string) => address.slice("unix://".length)

interface Seen {
  readonly status?: number
  readonly body?: string
  readonly upgraded?: string
  readonly error?: string
}

/** One request as a plain client sees it, to its end or its failure. */
const ask = (address: string, method: string, path: string, upgrade = false) =>
  Effect.callback<Seen>((resume) => {
    const chunks: Array<Buffer> = []
    const text = () => Buffer.concat(chunks).toString("latin1")
    const headers = upgrade ? { connection: "Upgrade", upgrade: "tcp" } : {}
    const call = request({ socketPath: pathOf(address), method, path, agent: false, headers }, (response) => {
      const status = response.statusCode ?? 0
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => resume(Effect.succeed({ status, body: text() })))
      response.on("error", (error) => resume(Effect.succeed({ status, body: text(), error: error.message })))
    })
    call.on("upgrade", (_response, socket, head: Buffer) => {
      chunks.push(head)
      socket.on("data", (chunk: Buffer) => chunks.push(chunk))
      socket.on("end", () => resume(Effect.succeed({ status: 101, upgraded: text() })))
    })
    call.on("error", (error) => resume(Effect.succeed({ error: error.message })))
    call.end()
    return Effect.sync(() => call.destroy())
  })

const routes: Routes = {
  "GET /info": ({ json }) => json(200, { Name: "engine" }),
  "POST /containers/create": ({ json }) => json(201, { Id: "c" }),
  "DELETE /containers/c": ({ response }) => void response.writeHead(204).end(),
  "GET /containers/a/json": ({ json }) => json(200, { Id: "a" }),
  "GET /containers/b/json": ({ json }) => json(200, { Id: "b" }),
  "UPGRADE /exec/e/start": ({ socket }) => {
    socket.write(upgradeHead)
    socket.end(Buffer.concat([frame(1, ""), frame(1, "0123456789")]))
  }
}

type Use<A, E> = (proxy: FaultProxy.FaultProxyShape, fake: FakeDocker) => Effect.Effect<A, E, Scope.Scope>

const withProxy = <A, E>(use: Use<A, E>) =>
  Effect.gen(function* () {
    const fake = yield* serve(routes)
    const proxy = yield* FaultProxy.make({ upstream: fake.endpoint.address })
    return yield* use(proxy, fake)
  })

const onInfo = (fault: Fault, calls: Chosen = "all") => ({ method: "GET", path: "/info", calls, fault })

const whole = { status: 200, body: '{"Name":"engine"}' }

describe("FaultProxy", () => {
  it.effect("answers with a status in the engine's own form, before or after the engine has done it", () =>
    withProxy((proxy, fake) =>
      Effect.gen(function* () {
        const create = () => ask(proxy.endpoint.address, "POST", "/v1.41/containers/create")
        for (const [at, seenByEngine] of [
          ["request", 0],
          ["reply", 1]
        ] as const) {
          const before = fake.requests.length
          const rule = { method: "POST", path: "/containers/create", calls: "all" } as const
          const seen = yield* Effect.scoped(
            Effect.gen(function* () {
              yield* proxy.inject({ ...rule, fault: { kind: "status", status: 500, message: "no luck", at } })
              return yield* create()
            })
          )
          assert.deepStrictEqual(seen, { status: 500, body: '{"message":"no luck"}\n' })
          assert.strictEqual(fake.requests.length - before, seenByEngine, at)
        }
        assert.deepStrictEqual(yield* create(), { status: 201, body: '{"Id":"c"}' })
      })
    )
  )

  it.effect("resets before the engine sees the call, and after it has answered", () =>
    withProxy((proxy, fake) =>
      Effect.gen(function* () {
        const info = () => ask(proxy.endpoint.address, "GET", "/info")
        for (const [at, seenByEngine] of [
          ["request", 0],
          ["reply", 1]
        ] as const) {
          const before = fake.requests.length
          const seen = yield* Effect.scoped(Effect.andThen(proxy.inject(onInfo({ kind: "reset", at })), info()))
          assert.deepStrictEqual(seen, { error: "socket hang up" })
          assert.strictEqual(fake.requests.length - before, seenByEngine, at)
        }
        assert.deepStrictEqual(yield* info(), whole)
      })
    )
  )

  it.effect("cuts an answer in its head, its body and a frame", () =>
    withProxy((proxy) =>
      Effect.gen(function* () {
        const cut = (at: "head" | "body" | "frame") =>
          proxy.inject({ method: "*", path: "/**", calls: "all", fault: { kind: "reset", at } })
        const info = ask(proxy.endpoint.address, "GET", "/info")
        const exec = ask(proxy.endpoint.address, "POST", "/exec/e/start", true)
        const inHead = yield* Effect.scoped(Effect.andThen(cut("head"), info))
        assert.notProperty(inHead, "status")
        assert.property(inHead, "error")
        const inBody = yield* Effect.scoped(Effect.andThen(cut("body"), info))
        assert.deepInclude(inBody, { status: 200, error: "aborted" })
        assert.match(inBody.body ?? "", /^\{"N/)
        const inFrame = yield* Effect.scoped(Effect.andThen(cut("frame"), exec))
        const frames = Buffer.concat([frame(1, ""), frame(1, "0123456789")]).toString("latin1")
        assert.deepStrictEqual(inFrame, { status: 101, upgraded: frames.slice(0, -5) })
        assert.deepStrictEqual([yield* info, yield* exec], [whole, { status: 101, upgraded: frames }])
      })
    )
  )

  it.effect("delays by the clock, before the engine sees the call or before the answer's end", () =>
    withProxy((proxy, fake) =>
      Effect.gen(function* () {
        for (const [at, seenByEngine] of [
          ["request", 0],
          ["body", 1]
        ] as const) {
          const before = fake.requests.length
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { injected } = yield* proxy.inject(onInfo({ kind: "latency", delay: "1 hour", at }))
              const call = yield* Effect.forkChild(ask(proxy.endpoint.address, "GET", "/info"))
              yield* Effect.repeat(TestClock.withLive(Effect.andThen(Effect.sleep(5), injected)), {
                until: (count) => count === 1
              })
              yield* TestClock.adjust("59 minutes")
              assert.isUndefined(call.pollUnsafe())
              assert.strictEqual(fake.requests.length - before, seenByEngine, at)
              yield* TestClock.adjust("1 minute")
              assert.deepStrictEqual(yield* Fiber.join(call), whole)
            })
          )
        }
        assert.deepStrictEqual(yield* ask(proxy.endpoint.address, "GET", "/info"), whole)
      })
    )
  )

  it.effect("hangs until its rule ends, which closes the connection", () =>
    withProxy((proxy, fake) =>
      Effect.gen(function* () {
        for (const at of ["request", "reply", "head", "body"] as const) {
          const rule = yield* Scope.make()
          const { injected } = yield* Scope.provide(proxy.inject(onInfo({ kind: "hang", at })), rule)
          const before = fake.closedConnections()
          const call = yield* Effect.forkChild(ask(proxy.endpoint.address, "GET", "/info"))
          yield* Effect.repeat(TestClock.withLive(Effect.andThen(Effect.sleep(5), injected)), {
            until: (count) => count === 1
          })
          assert.isUndefined(call.pollUnsafe(), at)
          yield* Scope.close(rule, yield* Effect.exit(Effect.void))
          assert.property(yield* Fiber.join(call), "error")
          yield* until("the engine's side is closed", () => fake.closedConnections() > before)
        }
        assert.deepStrictEqual(yield* ask(proxy.endpoint.address, "GET", "/info"), whole)
      })
    )
  )

  it.effect("counts nothing where the answer has no such point, and passes it", () =>
    withProxy((proxy) =>
      Effect.gen(function* () {
        const rule = yield* proxy.inject({
          method: "*",
          path: "/**",
          calls: "all",
          fault: { kind: "reset", at: "body" }
        })
        assert.deepStrictEqual(yield* ask(proxy.endpoint.address, "DELETE", "/containers/c"), { status: 204, body: "" })
        assert.deepStrictEqual([yield* rule.matched, yield* rule.injected], [1, 0])
        const frames = yield* proxy.inject({
          method: "*",
          path: "/info",
          calls: "all",
          fault: { kind: "hang", at: "frame" }
        })
        yield* ask(proxy.endpoint.address, "GET", "/info")
        assert.deepStrictEqual([yield* rule.injected, yield* frames.matched, yield* frames.injected], [1, 1, 0])
      })
    )
  )

  it.effect("strikes the calls that were chosen, by route, with and without API version", () =>
    withProxy((proxy) =>
      Effect.gen(function* () {
        const pick = (path: string, calls: Chosen) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { matched, injected } = yield* proxy.inject({
                method: "get",
                path,
                calls,
                fault: { kind: "status", status: 503 }
              })
              const seen: Array<number | undefined> = []
              for (const target of ["/v1.41/containers/a/json?size=0", "/containers/b/json", "/info", "/v1.41/info"]) {
                seen.push((yield* ask(proxy.endpoint.address, "GET", target)).status)
              }
              assert.strictEqual(seen.filter((status) => status === 503).length, yield* injected)
              return { struck: seen.map((status) => status === 503), matched: yield* matched }
            })
          )
        const [yes, no] = [true, false]
        const table = [
          ["/containers/*/json", "all", [yes, yes, no, no], 2],
          ["/containers/a/json", "all", [yes, no, no, no], 1],
          ["/containers/*", "all", [no, no, no, no], 0],
          ["/**", "all", [yes, yes, yes, yes], 4],
          ["/v1.41/info", "all", [no, no, no, yes], 1],
          ["/v1.41/**", { nth: 2 }, [no, no, no, yes], 2],
          ["/**", { nth: 3 }, [no, no, yes, no], 4],
          ["/**", { first: 3 }, [yes, yes, yes, no], 4],
          ["/**", { probability: 1, seed: 1 }, [yes, yes, yes, yes], 4]
        ] as const
        for (const [path, calls, struck, matched] of table) {
          assert.deepStrictEqual(yield* pick(path, calls), { struck: [...struck], matched }, path)
        }
        assert.strictEqual(yield* proxy.requests("GET", "/containers/*/json"), 2 * table.length)
        assert.strictEqual(yield* proxy.requests("GET", "/v1.41/info"), table.length)
      })
    )
  )

  it.effect("draws the same calls from the same seed, and others from another", () =>
    withProxy((proxy) =>
      Effect.gen(function* () {
        const drawn = (seed: number) =>
          Effect.scoped(
            Effect.gen(function* () {
              yield* proxy.inject(onInfo({ kind: "status", status: 500 }, { probability: 0.5, seed }))
              const seen = yield* Effect.replicateEffect(ask(proxy.endpoint.address, "GET", "/info"), 16)
              return seen.map(({ status }) => (status === 500 ? "x" : ".")).join("")
            })
          )
        const first = yield* drawn(7)
        assert.strictEqual(yield* drawn(7), first)
        assert.notStrictEqual(yield* drawn(8), first)
        assert.match(first, /x.*\.|\..*x/)
      })
    )
  )

  it.effect("refuses rules that could never strike, naming the field", () =>
    withProxy((proxy) =>
      Effect.gen(function* () {
        const good = onInfo({ kind: "reset" })
        const bad: ReadonlyArray<readonly [string, FaultProxy.Rule]> = [
          ["method", { ...good, method: "G T" }],
          ["path", { ...good, path: "info" }],
          ["path", { ...good, path: "/info?x=1" }],
          ["calls.nth", { ...good, calls: { nth: 0 } }],
          ["calls.first", { ...good, calls: { first: 1.5 } }],
          ["calls.probability", { ...good, calls: { probability: 2, seed: 1 } }],
          ["fault.status", { ...good, fault: { kind: "status", status: 200 } }]
        ]
        for (const [field, rule] of bad) {
          const error = yield* Effect.flip(Effect.scoped(proxy.inject(rule)))
          assert.deepInclude(error, { _tag: "InvalidFaultRule", field })
          assert.include(error.message, "It has to be")
        }
      })
    )
  )

  it.effect("says why it cannot stand where it is told to", () =>
    Effect.gen(function* () {
      const upstream = "unix:///nonexistent/docker.sock"
      const noAddress = yield* Effect.flip(FaultProxy.make({ upstream: "ssh://host" }))
      assert.deepInclude(noAddress, { _tag: "FaultProxyFailed", address: "ssh://host" })
      const tooLong = yield* Effect.flip(FaultProxy.make({ upstream, socketPath: `/tmp/${"x".repeat(120)}` }))
      assert.strictEqual(tooLong._tag, "FaultProxyFailed")
      const proxy = yield* FaultProxy.make({ upstream })
      assert.property(yield* ask(proxy.endpoint.address, "GET", "/info"), "error")
    })
  )
})
