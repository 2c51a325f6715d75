/** Which calls are sent again, looked up or given up when their reply is lost, through the fault proxy; each beside its control. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Metric, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { EngineShape } from "../src/Engine.ts"
import { engineRepeats } from "../src/EngineMetrics.ts"
import { Refusal } from "../src/internal/docker/errors.ts"
import { repeating } from "../src/internal/docker/repeats.ts"
import type { Fault } from "../src/testing/FaultProxy.ts"
import type { Routes } from "./support/FakeDocker.ts"
import { upgradeHead, withPauses } from "./support/FakeDocker.ts"
import { withProxied } from "./support/withProxied.ts"

const container = (state: object, labels: object = {}) => ({
  Id: "c-id",
  Name: "/c",
  Created: "2026-01-01T00:00:00.123456789Z",
  Image: "sha256:0",
  State: { Status: "created", Running: false, ...state },
  HostConfig: {},
  Config: { Labels: labels }
})

const done: Routes[string] = ({ response }) => void response.writeHead(204).end()
const lostReply: Fault = { kind: "reset", at: "reply" }

/** The first call of a method and path goes wrong. */
const firstOf = (route: string, fault: Fault) => {
  const [method = "", path = ""] = route.split(" ")
  return { method, path, calls: { first: 1 }, fault } as const
}

type Call = (
  engine: EngineShape
) => Effect.Effect<unknown, { readonly _tag: string; readonly retryable: boolean; readonly reason?: unknown }>

const everything: Routes = {
  "GET /containers/json": ({ json }) => json(200, []),
  "GET /info": ({ json }) => json(200, { ServerVersion: "20.10.24", NCPU: 4, MemTotal: 1 }),
  "POST /containers/c/stop": done,
  "DELETE /containers/c": done,
  "DELETE /images/i": done,
  "DELETE /networks/n": done,
  "DELETE /volumes/v": done,
  "POST /volumes/create": ({ json }) => json(201, { Name: "v" }),
  "POST /containers/c/update": ({ json }) => json(200, {}),
  "POST /containers/c/wait": ({ json }) => json(200, { StatusCode: 3 }),
  "POST /containers/c/kill": done,
  "POST /networks/n/connect": done,
  "POST /networks/n/disconnect": done,
  "PUT /containers/c/archive": done,
  "POST /images/create": ({ json }) => json(200, { status: "sha256:1" }),
  "POST /containers/c/exec": ({ json }) => json(201, { Id: "e" }),
  "UPGRADE /exec/e/start": ({ socket }) => void socket.end(upgradeHead)
}

const harmless: Readonly<Record<string, Call>> = {
  "GET /containers/json": (engine) => engine.listContainers({}),
  "POST /containers/c/stop": (engine) => engine.stopContainer("c", { graceSeconds: 1 }),
  "DELETE /containers/c": (engine) => engine.removeContainer("c"),
  "DELETE /images/i": (engine) => engine.removeImage("i"),
  "DELETE /networks/n": (engine) => engine.removeNetwork("n"),
  "DELETE /volumes/v": (engine) => engine.removeVolume("v"),
  "POST /volumes/create": (engine) => engine.createVolume({ name: "v", labels: {} }),
  "POST /containers/c/update": (engine) => engine.updateContainer("c", { memoryBytes: 1 }),
  "POST /containers/c/wait": (engine) => engine.waitContainer("c")
}

const tar = Stream.make(new Uint8Array(1024))
const unrepeated: Readonly<Record<string, Call>> = {
  "POST /containers/c/kill": (engine) => engine.killContainer("c", "TERM"),
  "POST /networks/n/connect": (engine) => engine.connectNetwork("n", "c", []),
  "POST /networks/n/disconnect": (engine) => engine.disconnectNetwork("n", "c"),
  "PUT /containers/c/archive": (engine) => engine.putArchive("c", "/", tar),
  "POST /images/create": (engine) => engine.importImage(tar, { reference: "i:1", changes: [] }),
  "POST /containers/c/exec": (engine) => Effect.scoped(engine.exec("c", { argv: ["true"] })),
  "POST /exec/e/start": (engine) => Effect.scoped(engine.exec("c", { argv: ["true"] }))
}

describe("Docker: a lost reply", () => {
  it.effect("is asked for again where twice is once", () =>
    withProxied(everything, ({ engine, proxy, reached }) =>
      Effect.gen(function* () {
        for (const [route, call] of Object.entries(harmless)) {
          const times = () => reached().filter((one) => one === route).length
          yield* call(engine)
          assert.strictEqual(times(), 1, `control: ${route}`)
          yield* Effect.scoped(Effect.andThen(proxy.inject(firstOf(route, lostReply)), call(engine)))
          assert.strictEqual(times(), 3, route)
        }
      })
    )
  )

  it.effect("is the caller's to judge where twice is more than once", () =>
    withProxied(everything, ({ engine, proxy, reached }) =>
      Effect.gen(function* () {
        for (const [route, call] of Object.entries(unrepeated)) {
          const times = () => reached().filter((one) => one === route).length
          yield* call(engine)
          const before = times()
          const error = yield* Effect.scoped(
            Effect.andThen(proxy.inject(firstOf(route, lostReply)), Effect.flip(call(engine)))
          )
          assert.deepInclude(error, { _tag: "EngineUnavailable", reason: "connection-lost", retryable: true }, route)
          assert.strictEqual(times() - before, 1, route)
        }
      })
    )
  )

  it.effect("is counted by operation when it is asked for again", () =>
    withProxied(everything, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const counter = Metric.withAttributes(engineRepeats, { operation: "remove volume" })
        const { count } = yield* Metric.value(counter)
        yield* engine.removeVolume("v")
        assert.strictEqual((yield* Metric.value(counter)).count, count)
        const rule = { ...firstOf("DELETE /volumes/v", lostReply), calls: { first: 3 } }
        yield* proxy.inject(rule)
        yield* withPauses(engine.removeVolume("v"))
        assert.strictEqual((yield* Metric.value(counter)).count, count + 3)
      })
    )
  )
})

describe("Docker: pauses between repeats", () => {
  const busy: Fault = { kind: "status", status: 503 }

  it.effect("grow, are jittered by a fifth, and end after the third", () =>
    Effect.gen(function* () {
      for (const seed of [1, 2, 3]) {
        const times: Array<number> = []
        const refused = Effect.andThen(
          Effect.map(Clock.currentTimeMillis, (now) => void times.push(now)),
          Effect.fail(new Refusal({ operation: "read", status: 503, detail: "busy" }))
        )
        const read = repeating({ operation: "read", method: "GET" }, () => refused).pipe(Random.withSeed(seed))
        const reading = yield* Effect.forkChild(Effect.flip(read))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Fiber.join(reading)).status, 503)
        const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
        assert.lengthOf(pauses, 3)
        pauses.forEach((pause, index) => assert.approximately(pause, 100 * 2 ** index, 20 * 2 ** index))
        assert.notDeepEqual(pauses, [100, 200, 400])
      }
    })
  )

  it.effect("leave the last error as it is", () =>
    withProxied(everything, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const { injected } = yield* proxy.inject({ ...firstOf("GET /containers/json", busy), calls: "all" })
        const error = yield* withPauses(Effect.flip(engine.listContainers({})))
        assert.deepInclude(error, { _tag: "EngineFailure", status: 503, retryable: true })
        assert.strictEqual(yield* injected, 4)
      })
    )
  )

  it.effect("are not made for a status that will not change, nor for a change that may not be repeated", () =>
    withProxied(everything, ({ engine, proxy }) =>
      Effect.gen(function* () {
        const table: ReadonlyArray<readonly [string, number, string, Call]> = [
          ["GET /containers/json", 501, "no", (one) => one.listContainers({})],
          ["DELETE /volumes/v", 500, "volume is in use", (one) => one.removeVolume("v")],
          ["POST /containers/c/kill", 503, "busy", (one) => one.killContainer("c", "TERM")]
        ]
        for (const [route, status, message, call] of table) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { injected } = yield* proxy.inject({
                ...firstOf(route, { kind: "status", status, message }),
                calls: "all"
              })
              yield* Effect.flip(call(engine))
              assert.strictEqual(yield* injected, 1, route)
            })
          )
        }
      })
    )
  )
})

describe("Docker: a create whose reply is lost", () => {
  const labels = { "sbx.test": "1" }
  const spec = { name: "c", image: "i", labels }

  const creating = (found: object | undefined, more: Routes = {}) =>
    ({
      "POST /containers/create": ({ json }) => json(201, { Id: "c-id" }),
      "GET /containers/c/json": ({ json }) =>
        found === undefined ? json(404, { message: "No such container: c" }) : json(200, found),
      ...more
    }) satisfies Routes

  const attempt = (routes: Routes, asked: typeof spec | { name: string; image: string } = spec) =>
    withProxied(routes, ({ engine, proxy, reached }) =>
      Effect.gen(function* () {
        yield* proxy.inject(firstOf("POST /containers/create", lostReply))
        const id = yield* withPauses(
          Effect.match(engine.createContainer(asked), { onSuccess: (made) => made, onFailure: ({ _tag }) => _tag })
        )
        const creates = reached().filter((one) => one.startsWith("POST")).length
        return { id, creates, looks: reached().length - creates }
      })
    )

  it.effect("is found by its name and all its labels, and never sent twice", () =>
    Effect.gen(function* () {
      const lost = { id: "EngineUnavailable", creates: 1 }
      assert.deepStrictEqual(yield* attempt(creating(container({}, { ...labels, more: "1" }))), {
        id: "c-id",
        creates: 1,
        looks: 1
      })
      // Of another owner, already at work, or not there at all: nothing is known of ours.
      assert.deepStrictEqual(yield* attempt(creating(container({}, { "sbx.test": "2" }))), { ...lost, looks: 5 })
      const running = container({ Status: "running", Running: true }, labels)
      assert.deepStrictEqual(yield* attempt(creating(running)), { ...lost, looks: 5 })
      assert.deepStrictEqual(yield* attempt(creating(undefined)), { ...lost, looks: 5 })
      assert.deepStrictEqual(yield* attempt(creating(container({})), { name: "c", image: "i" }), { ...lost, looks: 0 })
    })
  )

  it.effect("is found a moment later, when the engine finishes late", () =>
    Effect.gen(function* () {
      let looks = 0
      const late: Routes = {
        "GET /containers/c/json": ({ json }) =>
          ++looks < 3 ? json(404, { message: "No such container: c" }) : json(200, container({}, labels))
      }
      assert.deepStrictEqual(yield* attempt(creating(undefined, late)), { id: "c-id", creates: 1, looks: 3 })
    })
  )

  it.effect("is found among networks", () =>
    withProxied(
      {
        "POST /networks/create": ({ json }) => json(201, { Id: "n-id" }),
        "GET /networks": ({ json }) =>
          json(200, [
            { Id: "other", Name: "m" },
            { Id: "n-id", Name: "n" }
          ])
      },
      ({ engine, proxy, reached }) =>
        Effect.gen(function* () {
          yield* proxy.inject(firstOf("POST /networks/create", lostReply))
          assert.strictEqual(yield* engine.createNetwork({ name: "n", internal: true, labels }), "n-id")
          assert.deepStrictEqual(reached(), ["POST /networks/create", "GET /networks"])
        })
    )
  )
})

describe("Docker: a change of state whose reply is lost", () => {
  const change = (verb: "start" | "pause" | "unpause", state: object) =>
    withProxied(
      { [`POST /containers/c/${verb}`]: done, "GET /containers/c/json": ({ json }) => json(200, container(state)) },
      ({ engine, proxy, reached }) =>
        Effect.gen(function* () {
          yield* proxy.inject(firstOf(`POST /containers/c/${verb}`, lostReply))
          const call = {
            start: engine.startContainer("c"),
            pause: engine.pauseContainer("c"),
            unpause: engine.unpauseContainer("c")
          }[verb]
          const outcome = yield* Effect.match(call, { onSuccess: () => "done", onFailure: ({ _tag }) => _tag })
          return `${outcome} ${reached().filter((one) => one.startsWith("POST")).length}`
        })
    )

  it.effect("is explained by the state, and sent once more only where it surely did not happen", () =>
    Effect.gen(function* () {
      const running = { Status: "running", Running: true }
      const paused = { Status: "paused", Running: true, Paused: true }
      assert.strictEqual(yield* change("start", running), "done 1")
      assert.strictEqual(yield* change("start", { Status: "created" }), "done 2")
      assert.strictEqual(yield* change("start", { Status: "exited" }), "EngineUnavailable 1")
      assert.strictEqual(yield* change("pause", paused), "done 1")
      assert.strictEqual(yield* change("pause", running), "done 2")
      assert.strictEqual(yield* change("unpause", running), "done 1")
      assert.strictEqual(yield* change("unpause", paused), "done 2")
    })
  )
})

describe("Docker: a half-answer", () => {
  it.effect("is never taken for a whole one, and a read is repeated after it", () =>
    withProxied(everything, ({ engine, proxy, reached }) =>
      Effect.gen(function* () {
        for (const at of ["head", "body"] as const) {
          const before = reached().length
          yield* Effect.scoped(Effect.andThen(proxy.inject(firstOf("GET /info", { kind: "reset", at })), engine.info))
          assert.strictEqual(reached().length - before, 2, at)
        }
      })
    )
  )
})
