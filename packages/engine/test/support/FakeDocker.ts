/** An HTTP server on a unix socket that answers as a test's routes say, to make an engine misbehave on purpose. */
import { Effect, Fiber } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Docker from "../../src/Docker.ts"
import type { EngineEndpoint, EngineShape } from "../../src/Engine.ts"
import type { ApiVersionUnsupported, CallError } from "../../src/EngineError.ts"

interface Recorded {
  readonly method: string
  /** As in the request line, with version and query. */
  readonly url: string
  readonly body: string
  /** The connection that it came on, counted from 0. */
  readonly connection: number
}

export interface Exchange extends Recorded {
  /** Without version and query. */
  readonly path: string
  readonly response: ServerResponse
  readonly socket: Socket
  readonly query: URLSearchParams
  /** Answers JSON. */
  readonly json: (status: number, value: unknown) => void
}

/** Keys are `METHOD /path` without version and query; an upgrade request is `UPGRADE /path`; `*` takes the rest. */
export type Routes = Readonly<Record<string, (exchange: Exchange) => void>>

export interface FakeDocker {
  readonly endpoint: EngineEndpoint
  readonly socketPath: string
  /** All but the version request that every layer starts with. */
  readonly requests: ReadonlyArray<Recorded>
  /** Sockets that the client, or the route, has closed so far. */
  readonly closedConnections: () => number
  readonly openConnections: () => number
}

export const version = { Version: "20.10.24", ApiVersion: "1.41", MinAPIVersion: "1.12" }
export const hostMemoryBytes = 8 * 1024 ** 3

const standard: Routes = {
  "GET /version": ({ json }) => json(200, version),
  "GET /info": ({ json }) => json(200, { ServerVersion: "20.10.24", NCPU: 4, MemTotal: hostMemoryBytes })
}

class Server {
  readonly requests: Array<Recorded> = []
  readonly sockets = new Set<Socket>()
  readonly numbers = new Map<Socket, number>()
  closed = 0
  readonly routes: Routes
  constructor(routes: Routes) {
    this.routes = { ...standard, ...routes }
  }
  readonly accept = (socket: Socket) => {
    this.numbers.set(socket, this.numbers.size)
    this.sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => {
      this.sockets.delete(socket)
      this.closed++
    })
  }
  readonly dispatch = (verb: string, request: IncomingMessage, response: ServerResponse, body: string) => {
    const url = new URL(request.url ?? "/", "http://engine")
    const path = url.pathname.replace(/^\/v\d+\.\d+/, "")
    const recorded = {
      method: request.method ?? "",
      url: request.url ?? "",
      body,
      connection: this.numbers.get(request.socket) ?? -1
    }
    if (path !== "/version") this.requests.push(recorded)
    const json = (status: number, value: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
    }
    const route = this.routes[`${verb} ${path}`] ?? this.routes["*"]
    if (route === undefined) {
      if (verb === "UPGRADE") return request.socket.end("HTTP/1.1 500 no such route\r\ncontent-length: 0\r\n\r\n")
      return json(500, { message: `no route for ${verb} ${path}` })
    }
    route({ ...recorded, path, response, socket: request.socket, query: url.searchParams, json })
  }
}

/** A route `EARLY METHOD /path` is called before the body is read. */
const handle = (server: Server) => (request: IncomingMessage, response: ServerResponse) => {
  const path = (request.url ?? "").split("?")[0]?.replace(/^\/v\d+\.\d+/, "")
  const early = `EARLY ${request.method}`
  if (`${early} ${path}` in server.routes) return server.dispatch(early, request, response, "")
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("error", () => {})
  request.on("end", () =>
    server.dispatch(request.method ?? "", request, response, Buffer.concat(chunks).toString("utf8"))
  )
}

/** Serves until the scope closes. */
export const serve = (routes: Routes): Effect.Effect<FakeDocker, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ fake: FakeDocker; close: () => void }>((resume) => {
      const folder = mkdtempSync(join(tmpdir(), "sbx-fake-"))
      const socketPath = join(folder, "docker.sock")
      const server = new Server(routes)
      const http = createServer(handle(server))
      http.on("connection", server.accept)
      http.on("upgrade", (request: IncomingMessage, _socket, head: Buffer) =>
        server.dispatch("UPGRADE", request, undefined as never, head.toString("utf8"))
      )
      http.listen(socketPath, () =>
        resume(
          Effect.succeed({
            fake: {
              endpoint: { kind: "explicit", address: `unix://${socketPath}` },
              socketPath,
              requests: server.requests,
              closedConnections: () => server.closed,
              openConnections: () => server.sockets.size
            },
            close: () => {
              http.close()
              server.sockets.forEach((socket) => socket.destroy())
              rmSync(folder, { recursive: true, force: true })
            }
          })
        )
      )
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ fake }) => fake))

/** A test on a fake engine with the adapter in front. */
export const withFake = <A, E, R>(
  routes: Routes,
  use: (engine: EngineShape, fake: FakeDocker) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | CallError | ApiVersionUnsupported, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fake = yield* serve(routes)
      const engine = yield* Docker.make(fake.endpoint)
      return yield* use(engine, fake)
    })
  )

/** Awaits a fact of the outside world, also under a test clock. Fails the test after twenty seconds or more. */
export const until = (what: string, fact: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let left = 4_000; !fact(); left--) {
      if (left === 0) return yield* Effect.die(new Error(`never came true: ${what}`))
      yield* TestClock.withLive(Effect.sleep(5))
    }
  })

/** Runs with a test clock that goes on whenever the adapter pauses between repeats. */
export const withPauses = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(self)
    while (running.pollUnsafe() === undefined) {
      yield* TestClock.withLive(Effect.sleep(5))
      yield* TestClock.adjust("50 millis")
    }
    return yield* Fiber.join(running)
  })

export const upgradeHead =
  "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

/** A frame as the engine writes it. */
export const frame = (stream: number, payload: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(payload as string)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([header, bytes])
}
