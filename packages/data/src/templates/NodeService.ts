/**
 * A web service on Node.js 20 or newer without packages, tested by `node --test`. It listens on 127.0.0.1 unless HOST says
 * otherwise, prints `listening on <port>`, and on SIGTERM answers what it has begun, then exits with 0.
 *
 * GET /health 200; GET /greet/:name 200, 400 for a name that cannot be decoded; GET /large?bytes=n streams n bytes up to 64 MiB; POST /digest
 * answers the body's SHA-256, 413 above 16 MiB; GET /fail 500; anything else 404.
 */
import { template } from "../ProjectTemplate.ts"
import { description, integer, npmPackage, version } from "../internal/variables.ts"

const serverSource = `import { createHash } from "node:crypto"
import { createServer } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

export const bodyLimit = 16 * 1024 * 1024
export const largeLimit = 64 * 1024 * 1024

class Refused extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

function json(response, status, value) {
  const text = JSON.stringify(value) + "\\n"
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
  response.end(text)
}

function decoded(name) {
  try {
    return decodeURIComponent(name)
  } catch {
    throw new Refused(400, "bad name")
  }
}

async function large(response, query) {
  const bytes = Number(query.get("bytes") ?? "1048576")
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > largeLimit) throw new Refused(400, "bad size")
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes })
  const chunks = function* () {
    for (let left = bytes; left > 0; left -= 65536) yield Buffer.alloc(Math.min(left, 65536), "x")
  }
  await pipeline(Readable.from(chunks()), response)
}

async function digest(request, response) {
  const hash = createHash("sha256")
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    // Read on to the end: a connection closed with unread bytes is reset, and the answer lost.
    if (bytes <= bodyLimit) hash.update(chunk)
  }
  if (bytes > bodyLimit) throw new Refused(413, "body too large")
  json(response, 200, { bytes, sha256: hash.digest("hex") })
}

async function route(request, response) {
  const url = new URL(request.url, "http://service")
  const greeted = /^\\/greet\\/([^/]+)$/.exec(url.pathname)
  const key = request.method + " " + url.pathname
  if (key === "GET /health") return json(response, 200, { status: "ok" })
  if (request.method === "GET" && greeted) return json(response, 200, { greeting: "Hello, " + decoded(greeted[1]) + "!" })
  if (key === "GET /large") return large(response, url.searchParams)
  if (key === "POST /digest") return digest(request, response)
  if (key === "GET /fail") throw new Error("asked to fail")
  throw new Refused(404, "not found")
}

export function create() {
  const server = createServer((request, response) => {
    // A connection kept alive would hold a closing server back.
    response.once("finish", () => server.listening || request.socket.end())
    route(request, response).catch((error) => {
      if (response.headersSent) return response.destroy()
      const status = error instanceof Refused ? error.status : 500
      json(response, status, { error: status === 500 ? "internal error" : error.message })
    })
  })
  return server
}
`

const mainSource = (port: string) => `import { create } from "./server.js"

const server = create()
server.listen(Number(process.env.PORT ?? "${port}"), process.env.HOST ?? "127.0.0.1", () => {
  console.log("listening on " + server.address().port)
})

// No new connection is taken, idle ones are closed; the process ends by itself once the last answer is out.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close(() => console.log("stopped"))
    server.closeIdleConnections()
  })
}
`

const testSource = `import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, before, test } from "node:test"
import { bodyLimit, create } from "../src/server.js"

const server = create()
let base

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  base = "http://127.0.0.1:" + server.address().port
})

after(() => {
  server.closeAllConnections()
  server.close()
})

const get = async (path, options) => {
  const response = await fetch(base + path, options)
  return [response.status, await response.json()]
}

test("is healthy", async () => assert.deepEqual(await get("/health"), [200, { status: "ok" }]))

test("greets by name", async () => {
  assert.deepEqual(await get("/greet/J%C3%BCrgen%20L"), [200, { greeting: "Hello, Jürgen L!" }])
  assert.deepEqual(await get("/greet/%ff"), [400, { error: "bad name" }])
})

test("does not find what is not there", async () => {
  for (const path of ["/", "/greet/", "/greet/a/b", "/digest"]) {
    assert.deepEqual(await get(path), [404, { error: "not found" }])
  }
})

test("fails without telling why", async () => assert.deepEqual(await get("/fail"), [500, { error: "internal error" }]))

test("sends and takes large bodies", async () => {
  const response = await fetch(base + "/large?bytes=3000000")
  assert.equal((await response.arrayBuffer()).byteLength, 3000000)
  assert.deepEqual(await get("/large?bytes=-1"), [400, { error: "bad size" }])
  const body = Buffer.alloc(3000000, "y")
  const sha256 = createHash("sha256").update(body).digest("hex")
  assert.deepEqual(await get("/digest", { method: "POST", body }), [200, { bytes: body.length, sha256 }])
  const above = Buffer.alloc(bodyLimit + 1)
  assert.deepEqual(await get("/digest", { method: "POST", body: above }), [413, { error: "body too large" }])
})
`

export const nodeService = template({
  name: "node-service",
  tools: ["node"],
  variables: { name: npmPackage, version, description, port: integer("the default port", 1, 65_535, "8080") },
  project: ({ name, version, description, port }) => ({
    test: ["node", "--test", "test/server.test.js"],
    run: ["node", "src/main.js"],
    files: {
      "README.md": `# ${name}\n\n${description}\n`,
      "package.json": `${JSON.stringify(
        {
          name,
          version,
          description,
          private: true,
          type: "module",
          scripts: { start: "node src/main.js", test: "node --test test/server.test.js" },
          engines: { node: ">=20" }
        },
        undefined,
        2
      )}\n`,
      "src/server.js": serverSource,
      "src/main.js": mainSource(port),
      "test/server.test.js": testSource
    }
  })
})
