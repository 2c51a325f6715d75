import * as Http from "node:http"
import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import * as EngineLocator from "../src/EngineLocator.ts"
import { InstallRefused, NotDebian } from "../src/PackagesError.ts"
import * as PrivateEngine from "../src/PrivateEngine.ts"

const privateEndpoint = "unix:///nowhere/private.sock"

/** A private engine that only says how it would answer; the real one has its own test. */
const privateEngine = (up: Effect.Effect<PrivateEngine.PrivateEngineUp, PrivateEngine.UpError>) =>
  Layer.succeed(PrivateEngine.PrivateEngine, {
    endpoint: privateEndpoint,
    home: "/nowhere",
    up: () => up,
    lease: () => up,
    down: () => Effect.void,
    status: Effect.succeed({ kind: "private" as const, endpoint: privateEndpoint, running: false, version: undefined }),
    leftovers: Effect.succeed([])
  })

type Up = Effect.Effect<PrivateEngine.PrivateEngineUp, PrivateEngine.UpError>

const started: Up = Effect.succeed({
  kind: "private",
  endpoint: privateEndpoint,
  running: true,
  version: "20.10",
  started: true,
  warnings: ["slow storage"]
})

/** An engine's `/version` on a unix socket or a TCP port of 127.0.0.1. */
const serve = (listen: (server: Http.Server) => void, body = `{"Version":"1.2.3","ApiVersion":"1.41"}`) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer((_request, response) => response.end(body))
      server.on("listening", () => resume(Effect.succeed(server)))
      listen(server)
    }),
    (server) => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
  )

/** A socket file that nobody listens on any more. */
const staleSocket = (path: string) =>
  Effect.promise(async () => {
    const child = await import("node:child_process")
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`
    await new Promise((resolve) => child.spawn(process.execPath, ["-e", script]).on("exit", resolve))
  })

const folder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "sbx-locator-" }))

const locate = (environment: EngineLocator.EngineEnvironment, up = started, options?: PrivateEngine.UpOptions) =>
  Effect.gen(function* () {
    const locator = yield* EngineLocator.EngineLocator
    return yield* locator.locate(options)
  }).pipe(Effect.provide(EngineLocator.layerWith(environment).pipe(Layer.provide(privateEngine(up)))))

const failure = (environment: EngineLocator.EngineEnvironment, up = started) =>
  Effect.flip(locate(environment, up)).pipe(
    Effect.map((error) => {
      assert(error instanceof EngineLocator.NoEngine, String(error))
      return error
    })
  )

const writeContext = (config: string, name: string, host: string, current: boolean) => {
  const meta = `${config}/contexts/meta/${createHash("sha256").update(name).digest("hex")}`
  mkdirSync(meta, { recursive: true })
  writeFileSync(`${meta}/meta.json`, JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }))
  if (current) writeFileSync(`${config}/config.json`, JSON.stringify({ currentContext: name, auths: {} }))
}

const run = it.effect
describe("EngineLocator", () => {
  run("prefers DOCKER_HOST to a reachable default socket", () =>
    Effect.gen(function* () {
      const at = yield* folder
      yield* serve((server) => server.listen(`${at}/a.sock`))
      yield* serve((server) => server.listen(`${at}/b.sock`))
      const found = yield* locate({ dockerHost: `unix://${at}/a.sock`, sockets: [`${at}/b.sock`] })
      assert.strictEqual(found.kind, "explicit")
      assert.strictEqual(found.address, `unix://${at}/a.sock`)
      assert.deepStrictEqual(found.tries, [{ what: `DOCKER_HOST unix://${at}/a.sock`, why: "reachable" }])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("reaches an explicit tcp engine", () =>
    Effect.gen(function* () {
      const server = yield* serve((server) => server.listen(0, "127.0.0.1"))
      const { port } = server.address() as Net.AddressInfo
      const found = yield* locate({ dockerHost: `tcp://127.0.0.1:${port}`, sockets: [] })
      assert.strictEqual(found.kind, "explicit")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("uses the current context, and DOCKER_CONTEXT before it", () =>
    Effect.gen(function* () {
      const at = yield* folder
      yield* serve((server) => server.listen(`${at}/one.sock`))
      yield* serve((server) => server.listen(`${at}/two.sock`))
      writeContext(`${at}/config`, "one", `unix://${at}/one.sock`, true)
      writeContext(`${at}/config`, "two", `unix://${at}/two.sock`, false)
      const environment = { dockerConfig: `${at}/config`, sockets: [] }
      const current = yield* locate(environment)
      assert.deepStrictEqual([current.kind, current.address], ["context", `unix://${at}/one.sock`])
      const chosen = yield* locate({ ...environment, dockerContext: "two" })
      assert.strictEqual(chosen.address, `unix://${at}/two.sock`)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("refuses a chosen context that does not exist instead of taking another engine", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const error = yield* failure({ dockerConfig: at, dockerContext: "ghost", sockets: [] })
      assert.strictEqual(error.tries[0]?.what, "context ghost")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

describe("EngineLocator without a choice", () => {
  run("takes the first default socket that answers", () =>
    Effect.gen(function* () {
      const at = yield* folder
      yield* serve((server) => server.listen(`${at}/second.sock`))
      const found = yield* locate({ sockets: [`${at}/first.sock`, `${at}/second.sock`] })
      assert.strictEqual(found.kind, "default")
      assert.deepStrictEqual(found.tries, [
        { what: `socket ${at}/first.sock`, why: "no-socket (ENOENT)" },
        { what: `socket ${at}/second.sock`, why: "reachable" }
      ])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("falls back to the private engine past stale sockets and servers that are no engine", () =>
    Effect.gen(function* () {
      const at = yield* folder
      yield* staleSocket(`${at}/stale.sock`)
      yield* serve((server) => server.listen(`${at}/web.sock`), "<html>")
      const found = yield* locate({ sockets: [`${at}/stale.sock`, `${at}/web.sock`] })
      assert.deepStrictEqual(
        [found.kind, found.address, found.warnings],
        ["private", privateEndpoint, ["slow storage"]]
      )
      assert.deepStrictEqual(
        found.tries.map(({ why }) => why.replace(/ .*/, "")),
        ["refused", "not-an-engine", "started"]
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("calls the private engine private even when DOCKER_HOST names its socket", () =>
    Effect.gen(function* () {
      const found = yield* locate({ dockerHost: privateEndpoint, sockets: [] })
      assert.strictEqual(found.kind, "private")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

describe("EngineLocator without an engine", () => {
  run("says what an explicit engine lacks: absent, stale, silent scheme, ssh, TLS", () =>
    Effect.gen(function* () {
      const at = yield* folder
      yield* staleSocket(`${at}/stale.sock`)
      const absent = yield* failure({ dockerHost: `unix://${at}/none.sock`, sockets: [] })
      assert.include(absent.message, "no-socket (ENOENT)")
      assert.include(absent.message, "unset DOCKER_HOST")
      const stale = yield* failure({ dockerHost: `unix://${at}/stale.sock`, sockets: [] })
      assert.include(stale.message, "refused (ECONNREFUSED)")
      assert.include(stale.message, "systemctl restart docker")
      const ssh = yield* failure({ dockerHost: "ssh://me@host", sockets: [] })
      assert.include(ssh.message, "ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock me@host")
      const tls = yield* failure({ dockerHost: "tcp://127.0.0.1:2376", tlsVerify: true, sockets: [] })
      assert.include(tls.message, "TLS")
      const pipe = yield* failure({ dockerHost: "npipe:////./pipe/docker", sockets: [] })
      assert.include(pipe.message, "unix:///path or tcp://host:port")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("lists every try and the exact commands when there is no engine at all", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const notRoot = new PrivateEngine.PrivateEngineUnsupported({ reason: "not-root", platform: "linux" })
      const error = yield* failure({ sockets: [`${at}/none.sock`] }, Effect.fail(notRoot))
      assert.deepStrictEqual(
        error.tries.map(({ what }) => what),
        [`socket ${at}/none.sock`, "private engine"]
      )
      assert.include(error.message, "sudo ./sbx engine up")
      const noApt = yield* failure(
        { sockets: [] },
        Effect.fail(new NotDebian({ program: "apt-get", requested: ["x"] }))
      )
      assert.include(noApt.message, "there is no apt-get")
      const refused = new InstallRefused({ requested: ["docker.io"], missing: ["docker.io"], commands: ["apt-get x"] })
      assert.include((yield* failure({ sockets: [] }, Effect.fail(refused))).message, "  apt-get x\n")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  run("tells missing rights from a missing engine", () =>
    Effect.gen(function* () {
      const at = yield* folder
      yield* serve((server) => server.listen(`${at}/locked.sock`))
      chmodSync(`${at}/locked.sock`, 0o000)
      chmodSync(at, 0o755)
      const reason = yield* asNobody(`${at}/locked.sock`)
      assert.strictEqual(reason, "permission-denied")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

/** Root passes every permission check, so the probe runs in a child without rights. */
const asNobody = (socket: string) =>
  Effect.promise(async () => {
    const child = await import("node:child_process")
    const script = `
      const { probeEndpoint } = await import(${JSON.stringify(new URL("../src/internal/privateEngine/probeEndpoint.ts", import.meta.url).href)})
      const { Effect } = await import("effect")
      const error = await Effect.runPromise(Effect.flip(probeEndpoint("unix://${socket}", 2000)))
      process.stdout.write(error.reason)`
    const options = {
      cwd: new URL("..", import.meta.url).pathname,
      encoding: "utf8" as const,
      ...(process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {})
    }
    return await new Promise<string>((resolve, reject) =>
      child.execFile(process.execPath, ["--input-type=module", "-e", script], options, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr))
      )
    )
  })
