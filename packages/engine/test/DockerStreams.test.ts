/** Events, logs, archives, imports, networks and volumes on an engine that misbehaves. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type { EngineEvent } from "../src/Engine.ts"
import { EngineFailure } from "../src/EngineError.ts"
import type { Exchange, Routes } from "./support/FakeDocker.ts"
import { frame, until, withFake } from "./support/FakeDocker.ts"

const container =
  (more: object = {}) =>
  ({ json }: Exchange) =>
    json(200, {
      Id: "c",
      Name: "/c",
      Created: "2026-01-01T00:00:00Z",
      Image: "sha256:0",
      State: { Status: "running", Running: true },
      HostConfig: {},
      Config: more
    })
const refuse =
  (status: number, message: string) =>
  ({ json }: Exchange) =>
    json(status, { message })

const event = (action: string, timeNano: string) =>
  `{"status":"x","Type":"container","Action":"${action}","Actor":{"ID":"c","Attributes":{"name":"wéb","trap":"\\"timeNano\\":5"}},"time":1,"timeNano":${timeNano}}\n`

describe("Docker: events", () => {
  const listen = (chunks: ReadonlyArray<Buffer>, cut: "end" | "destroy") => {
    const seen: Array<EngineEvent> = []
    return withFake(
      {
        "GET /events": ({ response, socket }) => {
          response.writeHead(200)
          response.flushHeaders()
          const next = (index: number): void => {
            const chunk = chunks[index]
            if (chunk !== undefined) response.write(chunk, () => setImmediate(() => next(index + 1)))
            else if (cut === "end") response.end()
            else socket.destroy()
          }
          next(0)
        }
      },
      (engine, fake) =>
        Effect.gen(function* () {
          const error = yield* engine
            .events({ sinceMillis: 1_767_225_600_123.25, labels: { "sbx.run": "r 1", any: "" } })
            .pipe(
              Stream.runForEach((next) => Effect.sync(() => void seen.push(next))),
              Effect.flip
            )
          return { seen, error, url: fake.requests[0]?.url ?? "" }
        })
    )
  }

  it.effect("puts lines together that were split anywhere, also inside a character", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from(
        event("die", "1767225600123456789") + "\n" + event("health_status: healthy", "1767225600123456790")
      )
      for (const size of [1, 7, 1000]) {
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size)
        )
        const { seen } = yield* listen(chunks, "end")
        assert.deepStrictEqual(
          seen.map(({ action, detail, timeNano }) => [action, detail, timeNano]),
          [
            ["die", undefined, "1767225600123456789"],
            ["health_status", "healthy", "1767225600123456790"]
          ]
        )
        assert.strictEqual(seen[0]?.attributes["name"], "wéb")
        assert.closeTo((seen[0]?.atMillis ?? 0) - 1_767_225_600_123, 0.456789, 1e-3)
      }
    })
  )

  it.effect("fails with connection-lost when the stream is cut, and also when it ends", () =>
    Effect.gen(function* () {
      for (const cut of ["end", "destroy"] as const) {
        const { error, seen } = yield* listen([Buffer.from(event("start", "1"))], cut)
        assert.strictEqual(seen.length, 1)
        assert.deepInclude(error, { _tag: "EngineUnavailable", reason: "connection-lost" })
      }
    })
  )

  it.effect("asks since a time with nanoseconds and for all labels", () =>
    Effect.gen(function* () {
      const query = new URL((yield* listen([], "end")).url, "http://x").searchParams
      assert.strictEqual(query.get("since"), "1767225600.123250008")
      assert.deepStrictEqual(JSON.parse(query.get("filters") ?? ""), { label: ["sbx.run=r 1", "any"] })
    })
  )

  it.effect("reads Podman's name for the end of a container", () =>
    Effect.gen(function* () {
      const died = {
        Type: "container",
        Action: "died",
        Actor: { ID: "c", Attributes: { containerExitCode: "3" } },
        timeNano: 7
      }
      const { seen } = yield* listen([Buffer.from(`${JSON.stringify(died)}\n`)], "end")
      assert.strictEqual(seen[0]?.action, "die")
      assert.strictEqual(seen[0]?.attributes["exitCode"], "3")
    })
  )

  it.effect("refuses a line that is no event, or has no end", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* listen([Buffer.from('{"Type":1}\n')], "end")).error._tag, "EngineProtocolError")
      const endless = Array.from({ length: 20 }, () => Buffer.alloc(64 * 1024, "x"))
      assert.include((yield* listen(endless, "end")).error.message, "endless line")
    })
  )
})

describe("Docker: logs", () => {
  const read = (config: object, body: Buffer) =>
    withFake(
      {
        "GET /containers/c/json": container(config),
        "GET /containers/c/logs": ({ response }) => void response.end(body)
      },
      (engine, fake) =>
        Effect.map(Stream.runCollect(engine.logs("c", { follow: false, tail: 5 })), (parts) => ({
          parts: parts.map(({ channel, bytes }) => [channel, Buffer.from(bytes).toString()]),
          url: fake.requests[1]?.url
        }))
    )

  it.effect("separates the channels although nothing was upgraded", () =>
    Effect.gen(function* () {
      const { parts, url } = yield* read({}, Buffer.concat([frame(1, "out"), frame(2, "err")]))
      assert.deepStrictEqual(parts, [
        ["stdout", "out"],
        ["stderr", "err"]
      ])
      assert.strictEqual(url, "/v1.41/containers/c/logs?follow=false&stdout=true&stderr=true&tail=5")
    })
  )

  it.effect("takes a terminal's output as it is", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* read({ Tty: true }, Buffer.from("raw"))).parts, [["stdout", "raw"]])
    })
  )

  it.effect("reports that the log driver cannot be read", () =>
    Effect.gen(function* () {
      const error = yield* withFake(
        {
          "GET /containers/c/json": container(),
          "GET /containers/c/logs": refuse(501, "configured logging driver does not support reading")
        },
        (engine) => Effect.flip(Stream.runDrain(engine.logs("c", { follow: false })))
      )
      assert.deepInclude(error, { _tag: "EngineFailure", status: 501 })
    })
  )
})

describe("Docker: archives", () => {
  const stat = (facts: object) =>
    withFake(
      {
        "HEAD /containers/c/archive": ({ response }) =>
          void response
            .writeHead(200, { "X-Docker-Container-Path-Stat": Buffer.from(JSON.stringify(facts)).toString("base64") })
            .end()
      },
      (engine) => engine.statPath("c", "/a b")
    )
  const facts = { name: "f", size: 3, mode: 0o644, mtime: "2026-01-01T00:00:00Z", linkTarget: "" }

  it.effect("decodes Go's file mode from the header", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* stat(facts), {
        name: "f",
        sizeBytes: 3,
        mode: 0o644,
        kind: "file",
        modifiedAtMillis: Date.UTC(2026, 0, 1),
        linkTarget: ""
      })
      const kinds = [
        [2 ** 31 + 0o755, "directory"],
        [2 ** 27 + 0o777, "symlink"],
        [2 ** 25, "other"],
        [2 ** 23 + 0o755, "file"]
      ] as const
      for (const [mode, kind] of kinds) {
        assert.deepInclude(yield* stat({ ...facts, mode }), { kind, mode: mode % 0o1000 })
      }
    })
  )

  it.effect("refuses a stat without its header", () =>
    Effect.gen(function* () {
      const error = yield* withFake({ "HEAD /containers/c/archive": ({ response }) => void response.end() }, (engine) =>
        Effect.flip(engine.statPath("c", "/"))
      )
      assert.strictEqual(error._tag, "EngineProtocolError")
    })
  )

  it.effect("finds out whether path or container is missing where a HEAD cannot say", () =>
    Effect.gen(function* () {
      const head = ({ response }: Exchange) => void response.writeHead(404).end()
      const missing = (look: Routes[string]) =>
        withFake({ "HEAD /containers/c/archive": head, "GET /containers/c/json": look }, (engine) =>
          Effect.flip(engine.statPath("c", "/x"))
        )
      assert.deepInclude(yield* missing(container()), { _tag: "ObjectNotFound", kind: "path", id: "c:/x" })
      assert.deepInclude(yield* missing(refuse(404, "No such container: c")), {
        _tag: "ObjectNotFound",
        kind: "container"
      })
    })
  )

  // The engine holds the container's lock until the tar was read or the connection is gone.
  it.effect("drops the connection of a tar that nobody reads to its end", () =>
    withFake(
      { "GET /containers/c/archive": ({ response }) => void response.writeHead(200).write(Buffer.alloc(512)) },
      (engine, fake) =>
        Effect.gen(function* () {
          const closed = fake.closedConnections()
          const parts = yield* Stream.runCollect(Stream.take(engine.getArchive("c", "/"), 1))
          assert.strictEqual(parts.length, 1)
          yield* until("the connection is closed", () => fake.closedConnections() > closed)
        })
    )
  )

  it.effect("fails when the tar is cut", () =>
    withFake(
      {
        "GET /containers/c/archive": ({ response, socket }) =>
          void response.writeHead(200).write("x", () => socket.destroy())
      },
      (engine) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Stream.runDrain(engine.getArchive("c", "/")))
          assert.deepInclude(error, { _tag: "EngineUnavailable", reason: "connection-lost" })
        })
    )
  )

  it.effect("tells a missing path from a missing container and a read-only root", () =>
    Effect.gen(function* () {
      const put = (status: number, message: string) =>
        withFake({ "PUT /containers/c/archive": refuse(status, message) }, (engine) =>
          Effect.flip(engine.putArchive("c", "/x", Stream.make(Buffer.alloc(1024))))
        )
      assert.deepInclude(yield* put(404, "No such container:path: c:/x"), { _tag: "ObjectNotFound", kind: "path" })
      assert.deepInclude(yield* put(404, "No such container: c"), { _tag: "ObjectNotFound", kind: "container" })
      assert.deepInclude(yield* put(403, "container rootfs is marked read-only"), {
        _tag: "InvalidRequest",
        reason: "read-only"
      })
      assert.deepInclude(yield* put(400, "unexpected EOF"), { _tag: "InvalidRequest", reason: "bad-parameter" })
      assert.deepInclude(yield* put(500, "no space left on device"), { _tag: "EngineFailure" })
    })
  )

  it.effect("sends every byte of the tar", () =>
    withFake({ "PUT /containers/c/archive": ({ response }) => void response.end() }, (engine, fake) =>
      Effect.gen(function* () {
        const chunks = Array.from({ length: 100 }, (_, i) => Buffer.alloc(4096, 97 + (i % 26)))
        yield* engine.putArchive("c", "/w", Stream.fromIterable(chunks))
        assert.isTrue(fake.requests[0]?.body === Buffer.concat(chunks).toString())
        assert.strictEqual(fake.requests[0]?.url, "/v1.41/containers/c/archive?path=%2Fw")
      })
    )
  )

  it.effect("fails as its source fails, and takes the request back", () =>
    withFake({ "EARLY PUT /containers/c/archive": () => {} }, (engine, fake) =>
      Effect.gen(function* () {
        const broken = new EngineFailure({ operation: "read the source", status: 500, detail: "broken" })
        const source = until("the call arrives", () => fake.requests.length === 1).pipe(
          Effect.andThen(broken),
          Stream.fromEffect
        )
        const closed = fake.closedConnections()
        const error = yield* Effect.flip(
          engine.putArchive("c", "/", Stream.concat(Stream.make(Buffer.alloc(9)), source))
        )
        assert.strictEqual(error, broken)
        yield* until("the request is gone", () => fake.closedConnections() > closed)
      })
    )
  )

  it.effect("stops its source when the engine answers before the end", () => {
    let released = false
    return withFake({ "EARLY PUT /containers/c/archive": refuse(404, "No such container:path: c:/x") }, (engine) =>
      Effect.gen(function* () {
        const endless = Stream.forever(Stream.make(Buffer.alloc(64 * 1024))).pipe(
          Stream.ensuring(Effect.sync(() => (released = true)))
        )
        const error = yield* Effect.flip(engine.putArchive("c", "/x", endless))
        assert.strictEqual(error._tag, "ObjectNotFound")
        assert.isTrue(released)
      })
    )
  })

  it.effect("stops its source when it is interrupted", () => {
    let released = false
    return withFake({ "EARLY PUT /containers/c/archive": () => {} }, (engine, fake) =>
      Effect.gen(function* () {
        const stuck = Stream.concat(Stream.make(Buffer.alloc(9)), Stream.never).pipe(
          Stream.ensuring(Effect.sync(() => (released = true)))
        )
        const call = yield* Effect.forkChild(engine.putArchive("c", "/x", stuck))
        yield* until("the call arrives", () => fake.requests.length === 1)
        const closed = fake.closedConnections()
        yield* Fiber.interrupt(call)
        assert.isTrue(released)
        yield* until("the connection is closed", () => fake.closedConnections() > closed)
      })
    )
  })
})

describe("Docker: images", () => {
  const load = (lines: string, more: Routes = {}) =>
    withFake({ "POST /images/create": ({ response }) => void response.end(lines), ...more }, (engine, fake) =>
      Effect.map(
        Effect.result(
          engine.importImage(Stream.make(Buffer.from("tar")), {
            reference: "host:5000/sbx/tiny:1",
            changes: ['CMD ["sh"]', "USER 7"]
          })
        ),
        (result) => ({ result, request: fake.requests[0] })
      )
    )

  it.effect("imports a tar under a reference and returns the id of the last line", () =>
    Effect.gen(function* () {
      const { result, request } = yield* load('{"status":"Importing"}\r\n{"status":"sha256:abc"}\r\n')
      assert.deepInclude(result, { _tag: "Success", success: "sha256:abc" })
      assert.strictEqual(request?.body, "tar")
      const query = new URL(request?.url ?? "", "http://x").searchParams
      assert.deepStrictEqual(
        [query.get("fromSrc"), query.get("repo"), query.get("tag"), query.getAll("changes")],
        ["-", "host:5000/sbx/tiny", "1", ['CMD ["sh"]', "USER 7"]]
      )
    })
  )

  // dockerode's followProgress ends without an error here.
  it.effect("fails on an error line although the status was 200", () =>
    Effect.gen(function* () {
      for (const line of ['{"errorDetail":{"message":"no space"}}', '{"error":"no space"}']) {
        const { result } = yield* load(`{"status":"Importing"}\n${line}\n`)
        assert.include(String(result), "no space")
      }
    })
  )

  it.effect("fails on a line that is no JSON", () =>
    Effect.gen(function* () {
      assert.include(String((yield* load('{"status":\n')).result), "EngineProtocolError")
    })
  )

  it.effect("asks for the id when no line says it, and fails when there is none", () =>
    Effect.gen(function* () {
      const path = "GET /images/host%3A5000%2Fsbx%2Ftiny%3A1/json"
      const found = yield* load("", {
        [path]: ({ json }) => json(200, { Id: "sha256:def", Size: 1, RepoTags: ["<none>:<none>"] })
      })
      assert.deepInclude(found.result, { success: "sha256:def" })
      const none = yield* load("", { [path]: refuse(404, "No such image") })
      assert.include(String(none.result), "reported no image")
    })
  )

  it.effect("reports a bad change as an invalid request", () =>
    Effect.gen(function* () {
      const { result } = yield* load("", { "POST /images/create": refuse(400, "unknown instruction: FOO") })
      assert.include(String(result), "InvalidRequest")
    })
  )

  it.effect("takes a missing image for removed, and one in use for a conflict", () =>
    Effect.gen(function* () {
      yield* withFake({ "DELETE /images/i": refuse(404, "No such image: i") }, (engine) => engine.removeImage("i"))
      const error = yield* withFake(
        { "DELETE /images/i": refuse(409, "conflict: unable to remove: container 1 is using its referenced image") },
        (engine) => Effect.flip(engine.removeImage("i"))
      )
      assert.deepInclude(error, { _tag: "EngineConflict", reason: "in-use" })
    })
  )
})

describe("Docker: networks and volumes", () => {
  it.effect("refuses a second network of the same name", () =>
    withFake({ "POST /networks/create": refuse(409, "network with name n already exists") }, (engine, fake) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(engine.createNetwork({ name: "n", internal: true, labels: {} }))
        assert.deepInclude(error, { _tag: "EngineConflict", reason: "name-in-use" })
        assert.deepInclude(JSON.parse(fake.requests[0]?.body ?? ""), { CheckDuplicate: true, Internal: true })
      })
    )
  )

  it.effect("takes a network with endpoints for in use, a missing one for removed", () =>
    Effect.gen(function* () {
      const remove = (route: Routes[string]) =>
        withFake({ "DELETE /networks/n": route }, (engine) => engine.removeNetwork("n"))
      assert.deepInclude(yield* Effect.flip(remove(refuse(403, "network n has active endpoints"))), {
        reason: "in-use"
      })
      yield* remove(refuse(404, "network n not found"))
    })
  )

  it.effect("says whether the network or the container is missing", () =>
    Effect.gen(function* () {
      const connect = (message: string) =>
        withFake({ "POST /networks/n/connect": refuse(404, message) }, (engine) =>
          Effect.flip(engine.connectNetwork("n", "c", ["a"]))
        )
      assert.deepInclude(yield* connect("network n not found"), { kind: "network", id: "n" })
      assert.deepInclude(yield* connect("No such container: c"), { kind: "container", id: "c" })
    })
  )

  it.effect("refuses an existing volume with other labels, which the engine would hand out", () =>
    Effect.gen(function* () {
      const create = (labels: object) =>
        withFake(
          {
            "POST /volumes/create": ({ json }) =>
              json(201, { Name: "v", Driver: "local", Mountpoint: "/m", Labels: labels, Options: null })
          },
          (engine) => Effect.result(engine.createVolume({ name: "v", labels: { run: "1" } }))
        )
      assert.deepInclude(yield* create({ run: "1", more: "x" }), { _tag: "Success" })
      assert.include(String(yield* create({ run: "2" })), "EngineConflict")
    })
  )

  it.effect("tells bad options, use and absence of volumes apart", () =>
    Effect.gen(function* () {
      const create = withFake({ "POST /volumes/create": refuse(400, 'invalid option: "x"') }, (engine) =>
        engine.createVolume({ name: "v", labels: {} })
      )
      assert.deepInclude(yield* Effect.flip(create), { _tag: "InvalidRequest", reason: "bad-parameter" })
      const remove = (route: Routes[string]) =>
        withFake({ "DELETE /volumes/v": route }, (engine) => engine.removeVolume("v"))
      assert.deepInclude(yield* Effect.flip(remove(refuse(409, "remove v: volume is in use - [c]"))), {
        reason: "in-use"
      })
      yield* remove(refuse(404, "get v: no such volume"))
      const inspect = withFake({ "GET /volumes/v": refuse(404, "get v: no such volume") }, (engine) =>
        engine.inspectVolume("v")
      )
      assert.deepInclude(yield* Effect.flip(inspect), { _tag: "ObjectNotFound", kind: "volume" })
    })
  )
})
