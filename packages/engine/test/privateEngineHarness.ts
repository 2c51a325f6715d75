// @effect-diagnostics processEnv:off -- tests choose their download cache before any Effect runs
/** What the private engine's tests share: an engine of their own in a temporary folder, and looks at the machine from outside. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { assert } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import * as DistributionPackages from "../src/DistributionPackages.ts"
import { buildBusybox } from "../src/internal/privateEngine/buildRootFs.ts"
import { enginePaths } from "../src/internal/privateEngine/enginePaths.ts"
import { ownedProcesses } from "../src/internal/privateEngine/processes.ts"
import { within } from "../src/internal/privateEngine/within.ts"
import * as PrivateEngine from "../src/PrivateEngine.ts"
import { tiny } from "../src/recipes/Tiny.ts"

const machineState = process.env["SBX_STATE_DIR"] ?? "/var/lib/sbx"

/**
 * Downloads, the unpacked prefix and the base image outlive a test run: 70 MB need not come again, nor be built again where the
 * tests' set-up has just done so for its own engine, by the same code.
 */
export const packagesRoot =
  process.env["SBX_PACKAGES_CACHE"] ??
  (existsSync(`${machineState}/packages`) ? machineState : `${realpathSync(tmpdir())}/sbx-test-packages`)

export const packagesLayer = DistributionPackages.layerWith({ stateRoot: packagesRoot }).pipe(
  Layer.provideMerge(NodeServices.layer)
)

export const engineLayer = (stateRoot: string, idleSeconds = 600) =>
  PrivateEngine.layerWith({ stateRoot, idle: `${idleSeconds} seconds` }).pipe(Layer.provideMerge(packagesLayer))

const roots = new Set<string>()
const clients = new Set<ChildProcess>()

/** An engine of one test's own. `removeEngines` ends it, whatever the test left. */
export const ownEngine = (name: string, idleSeconds = 600) => {
  const stateRoot = temporary(name)
  roots.add(stateRoot)
  const layer = engineLayer(stateRoot, idleSeconds)
  const use = <A, E>(call: (engine: PrivateEngine.PrivateEngine["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(PrivateEngine.PrivateEngine, call).pipe(Effect.provide(layer))
  return {
    stateRoot,
    paths: enginePaths(stateRoot),
    layer,
    use,
    up: use((service) => service.up()),
    down: use((service) => service.down()),
    force: use((service) => service.down({ force: true })),
    leftovers: use((service) => service.leftovers)
  }
}

export const removeEngines = async (): Promise<void> => {
  for (const child of clients) child.kill("SIGKILL")
  for (const root of roots) {
    await Effect.runPromise(ownEngine(root.replace(/^.*\/sbx-test-(.*)-\d+$/, "$1")).force)
    rmSync(root, { recursive: true, force: true })
  }
}

/** The image of these tests; tagged by hand, so that they need no adapter. */
const image = "sbx-test/tiny:1"
const tarFile = `${realpathSync(tmpdir())}/sbx-test-tiny-${process.pid}.tar`

/** Downloads and unpacks what all tests need, and builds the image's tar. */
export const prepare = Effect.gen(function* () {
  const packages = yield* DistributionPackages.DistributionPackages
  const busybox = yield* packages.ensure(["busybox-static"])
  yield* buildBusybox(tiny, busybox.prefix, tarFile)
  const { prefix } = yield* packages.ensure(PrivateEngine.enginePackages)
  return prefix
}).pipe(Effect.provide(packagesLayer))

export const removeTar = (): void => rmSync(tarFile, { force: true })

export const loadTiny = (socket: string) =>
  Effect.gen(function* () {
    const path = `/images/create?fromSrc=-&repo=${encodeURIComponent("sbx-test/tiny")}&tag=1`
    const answer = yield* api(socket, "POST", path, readFileSync(tarFile))
    if (answer.status !== 200) return yield* Effect.die(new Error(`import: ${answer.status} ${answer.body}`))
  })

/** Starts the fixture; `output` resolves to its first line. */
export const client = (command: "up" | "lease", stateRoot: string, idleSeconds = 600) => {
  const fixture = new URL("./fixtures/engine.ts", import.meta.url).pathname
  const args = ["--conditions=@sbx/source", fixture, command, stateRoot, packagesRoot, String(idleSeconds)]
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  clients.add(child)
  let text = ""
  child.stdout?.setEncoding("utf8")
  const output = new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk: string) => {
      text += chunk
      if (text.includes("\n")) resolve(text.trim())
    })
    child.on("exit", (code) => reject(new Error(`the client exited ${code} without output`)))
  })
  output.catch(() => undefined)
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()))
  return { child, output, ended }
}

/** Fails with the fact that did not come true. */
export const eventually = (what: string, condition: () => boolean, millis = 40_000) =>
  Effect.gen(function* () {
    const held = yield* within(millis, Effect.sync(condition))
    if (!held) return yield* Effect.die(new Error(`not within ${millis} ms: ${what}`))
  })

export const commandsOf = (id: string) => Effect.map(ownedProcesses(id), (owned) => owned.map(({ command }) => command))

export const pidOf = (id: string, part: string) =>
  Effect.map(ownedProcesses(id), (owned) => {
    const found = owned.find(({ command }) => command.includes(part))
    if (found === undefined)
      throw new Error(`no process "${part}" among ${owned.map(({ command }) => command).join(" | ")}`)
    return found.pid
  })

export const isGone = (pid: number): boolean => {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "latin1") : ""
  return stat === "" || stat.includes(") Z ")
}

interface ApiAnswer {
  readonly status: number
  readonly body: string
}

/** One call of the engine's HTTP API: these tests do without a docker client and without the adapter. */
export const api = (socketPath: string, method: string, path: string, body?: Uint8Array | object) =>
  Effect.callback<ApiAnswer>((resume) => {
    const raw = body instanceof Uint8Array
    const call = request(
      {
        socketPath,
        method,
        path: `/v1.40${path}`,
        agent: false,
        headers: { "content-type": raw ? "application/x-tar" : "application/json" }
      },
      (response) => {
        let text = ""
        response.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")))
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body: text })))
      }
    )
    call.on("error", (error) => resume(Effect.die(error)))
    call.end(body === undefined ? undefined : raw ? body : JSON.stringify(body))
  })

/** Starts a container of `image` that sleeps; returns its id. */
export const sleeper = (socketPath: string) =>
  Effect.gen(function* () {
    const created = yield* api(socketPath, "POST", "/containers/create", {
      Image: image,
      Cmd: ["/bin/sleep", "1000"],
      HostConfig: {}
    })
    if (created.status !== 201) return yield* Effect.die(new Error(`create: ${created.status} ${created.body}`))
    const { Id } = JSON.parse(created.body) as { readonly Id: string }
    const started = yield* api(socketPath, "POST", `/containers/${Id}/start`)
    if (started.status !== 204) return yield* Effect.die(new Error(`start: ${started.status} ${started.body}`))
    return Id
  })

const restartLimit = 30_000

/** Up again within the promised time, and able to run a container. */
export const recovers = (own: Pick<ReturnType<typeof ownEngine>, "up" | "paths">) =>
  Effect.gen(function* () {
    const before = performance.now()
    yield* own.up
    assert.isBelow(performance.now() - before, restartLimit)
    yield* loadTiny(own.paths.socket)
    yield* sleeper(own.paths.socket)
  })

/** A folder that the caller removes. Real path, because the kernel lists mounts by real paths. */
export const temporary = (name: string): string => {
  const path = `${realpathSync(tmpdir())}/sbx-test-${name}-${process.pid}`
  mkdirSync(path, { recursive: true })
  return path
}

export const sh = (script: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("sh", ["-c", script, "sh", ...args], { encoding: "utf8" })
