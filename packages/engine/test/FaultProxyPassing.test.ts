/** What the proxy does not touch: every byte, both directions, in the form and at the pace in which they come. */
import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import type { Server, Socket } from "node:net"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as FaultProxy from "../src/testing/FaultProxy.ts"
import { until } from "./support/FakeDocker.ts"

/** One end of a connection, and what came to it. */
interface End {
  readonly socket: Socket
  readonly text: () => string
  readonly ended: () => boolean
}

const endOf = (socket: Socket): End => {
  const chunks: Array<Buffer> = []
  let ended = false
  socket.on("data", (chunk: Buffer) => chunks.push(chunk))
  socket.on("end", () => (ended = true))
  socket.on("error", () => {})
  return { socket, text: () => Buffer.concat(chunks).toString("latin1"), ended: () => ended }
}

/** A server that is the test itself: the connections that it accepted. */
const listening = (onSocket: (socket: Socket) => void): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ path: string; server: Server; folder: string; sockets: Set<Socket> }>((resume) => {
      const folder = mkdtempSync(join(tmpdir(), "sbx-raw-"))
      const path = join(folder, "engine.sock")
      const sockets = new Set<Socket>()
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        sockets.add(socket)
        onSocket(socket)
      })
      server.listen(path, () => resume(Effect.succeed({ path, server, folder, sockets })))
    }),
    ({ server, folder, sockets }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
        rmSync(folder, { recursive: true, force: true })
      })
  ).pipe(Effect.map(({ path }) => path))

const dialled = (path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => connect({ path, allowHalfOpen: true })),
    (socket) => Effect.sync(() => socket.destroy())
  )

const proxied = (path: string) =>
  Effect.gen(function* () {
    const proxy = yield* FaultProxy.make({ upstream: `unix://${path}` })
    return { proxy, path: proxy.endpoint.address.slice("unix://".length) }
  })

/** A client and a server with the proxy between them, and nothing in the way. */
const pair = Effect.gen(function* () {
  const accepted: Array<End> = []
  const { path, proxy } = yield* proxied(yield* listening((socket) => void accepted.push(endOf(socket))))
  const client = endOf(yield* dialled(path))
  yield* until("the server accepts", () => accepted.length === 1)
  return { client, proxy, server: accepted[0] ?? client }
})

const chunkedRequest =
  'PUT /v1.41/containers/c/archive?path=%2F HTTP/1.1\r\nhOsT: docker\r\nX-Odd:  spaced \r\nTransfer-Encoding: chunked\r\n\r\n5;ext="1"\r\nab\r\nc\r\n0\r\nTrailer: GET /x HTTP/1.1\r\n\r\n'
const countedRequest = "POST /containers/create HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET /no HTTP/1.1\r\n\r\n"
const plainRequest = "GET /info HTTP/1.0\r\n\r\n"
const upgradeRequest =
  "POST /exec/e/start HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}"

describe("FaultProxy, idle", () => {
  it.effect("passes requests on one connection as they are, however they are split, and tells them apart", () =>
    Effect.gen(function* () {
      const requests = chunkedRequest + countedRequest + plainRequest
      for (const size of [1, 7, 10_000]) {
        const { client, proxy, server } = yield* pair
        for (let at = 0; at < requests.length; at += size) client.socket.write(requests.slice(at, at + size))
        yield* until("all arrives", () => server.text().length >= requests.length)
        assert.strictEqual(server.text(), requests)
        const count = (path: string) => proxy.requests("*", path)
        assert.deepStrictEqual(
          [yield* count("/containers/c/archive"), yield* count("/containers/create"), yield* count("/info")],
          [1, 1, 1]
        )
        assert.strictEqual(yield* count("/**"), 3)
      }
    })
  )

  it.effect("passes a long-lived answer piece by piece, as it comes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair
      client.socket.write("GET /events HTTP/1.1\r\n\r\n")
      yield* until("the request arrives", () => server.text().endsWith("\r\n\r\n"))
      let sent = ""
      for (const piece of ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", '3\r\n{"a', "\r\n2\r\n1}\r\n"]) {
        server.socket.write(piece)
        sent += piece
        yield* until("the piece arrives", () => client.text() === sent)
      }
      assert.isFalse(client.ended())
      server.socket.end("0\r\n\r\n")
      yield* until("the end arrives", () => client.ended())
    })
  )

  it.effect("passes what is hijacked both ways, and a half-close before the answer ends", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* pair
      // Bytes of the hijacked stream that come with the request, and look like another one.
      client.socket.write(`${upgradeRequest}GET /no HTTP/1.1\r\n\r\n`)
      yield* until("the request arrives", () => server.text() === upgradeRequest)
      server.socket.write("HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n\u0000\u0001")
      yield* until("the input arrives", () => server.text() === `${upgradeRequest}GET /no HTTP/1.1\r\n\r\n`)
      client.socket.end("last input")
      yield* until("the half-close arrives", () => server.ended() && server.text().endsWith("last input"))
      assert.isFalse(client.ended())
      server.socket.end("output after it")
      yield* until("the output arrives", () => client.ended())
      assert.isTrue(client.text().endsWith("\r\n\r\n\u0000\u0001output after it"))
      assert.strictEqual(yield* proxy.requests("*", "/**"), 1)
    })
  )

  it.effect("goes on with requests on a connection whose upgrade was refused", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* pair
      client.socket.write(upgradeRequest + countedRequest)
      yield* until("the request arrives", () => server.text() === upgradeRequest)
      server.socket.write("HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n")
      yield* until("the next one arrives", () => server.text() === upgradeRequest + countedRequest)
      assert.strictEqual(yield* proxy.requests("POST", "/containers/create"), 1)
    })
  )

  it.effect("passes what is no HTTP as it is", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair
      const bytes = `SSH-2.0-OpenSSH\r\n\r\n${"\u0000".repeat(100)}`
      client.socket.write(bytes, "latin1")
      yield* until("it arrives", () => server.text() === bytes)
    })
  )

  it.effect("holds an upload back while the engine does not read, and then passes all of it", () =>
    Effect.gen(function* () {
      const accepted: Array<Socket> = []
      const { path } = yield* proxied(yield* listening((socket) => void accepted.push(socket)))
      const client = yield* dialled(path)
      const body = Buffer.alloc(32 * 1024 * 1024, "0123456789abcdef")
      let taken = false
      client.write(`PUT /containers/c/archive HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`)
      client.write(body, () => (taken = true))
      yield* until("the server accepts", () => accepted.length === 1)
      // Stalled: nobody has taken anything for a while, and far less than the body has left the client.
      let last = -1
      yield* until("the upload stalls", () => {
        const stalled = client.bytesWritten - client.writableLength === last
        last = client.bytesWritten - client.writableLength
        return stalled && last > 0 && accepted[0] !== undefined
      })
      assert.isFalse(taken)
      const hash = createHash("sha256")
      let length = 0
      accepted[0]?.on("data", (chunk: Buffer) => {
        hash.update(chunk)
        length += chunk.length
      })
      yield* until("all of it arrives", () => taken && length > body.length)
      const head = `PUT /containers/c/archive HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`
      assert.strictEqual(length, head.length + body.length)
      assert.strictEqual(hash.digest("hex"), createHash("sha256").update(head).update(body).digest("hex"))
    })
  )

  it.effect("closes the engine's side with the client's, and the client's with the engine's", () =>
    Effect.gen(function* () {
      const one = yield* pair
      one.client.socket.destroy()
      yield* until("the engine's side ends", () => one.server.ended())
      const other = yield* pair
      other.server.socket.write("HTTP/1.1 200 OK\r\n\r\nlast words")
      other.server.socket.destroy()
      yield* until("the client's side ends", () => other.client.ended())
      assert.isTrue(other.client.text().endsWith("last words"))
    })
  )

  it.effect("closes every connection with its scope", () =>
    Effect.gen(function* () {
      const path = yield* listening((socket) => void endOf(socket))
      const client = yield* Effect.scoped(
        Effect.gen(function* () {
          const end = endOf(connect({ path: (yield* proxied(path)).path }))
          yield* until("it is open", () => !end.socket.connecting)
          return end
        })
      )
      yield* until("it is closed", () => client.socket.destroyed || client.ended())
    })
  )
})
