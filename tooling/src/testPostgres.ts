/**
 * A PostgreSQL server for tests: the distribution's package, on a unix socket only, its data in a temporary folder. Run as a
 * program, it prints the tests' environment as one JSON line, obeys `kill` and `start` on its standard input, and stops the
 * server and deletes its data when that input ends, as it does when whoever started it dies.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, chownSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as DistributionPackages from "@sbx/engine/DistributionPackages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** No server is to be had here. */
export class PostgresMissing extends Schema.TaggedError<PostgresMissing>()("PostgresMissing", {
  detail: Schema.String
}) {
  override get message() {
    return `Could not run the PostgreSQL tests: ${this.detail}.\nInstall PostgreSQL (Debian: the package postgresql; its service is not needed), or set SBX_TEST_POSTGRES_URL to a database that the tests may write to.`
  }
}

/** The server's programs, and what they need to run. */
export interface Programs {
  /** Folder of `initdb` and `postgres`. */
  readonly bin: string
  readonly environment: Readonly<Record<string, string>>
}

const executable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const hasPrograms = (folder: string): boolean => ["initdb", "postgres"].every((name) => executable(join(folder, name)))

/** Debian keeps one folder per major version; the newest is taken, then what the path has. `undefined`: none below `prefix`. */
export const findPrograms = (prefix: string, path = ""): string | undefined => {
  const versions = join(prefix, "usr/lib/postgresql")
  const newestFirst = existsSync(versions) ? readdirSync(versions).toSorted((a, b) => Number(b) - Number(a)) : []
  return [...newestFirst.map((version) => join(versions, version, "bin")), ...path.split(delimiter)].find(
    (folder) => folder !== "" && hasPrograms(folder)
  )
}

/** Unpacked packages have their libraries beside them. */
const libraryPath = (prefix: string): string =>
  ["usr/lib", "lib"]
    .map((folder) => join(prefix, folder))
    .filter(existsSync)
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((folder) => folder.includes("-linux-gnu"))
    .join(delimiter)

/** What the host has is used as it is; else the distribution's package is unpacked into our state folder, once. */
export const programs = Effect.gen(function* () {
  // @effect-diagnostics-next-line processEnvInEffect:off -- the process edge
  const found = findPrograms("/", process.env["PATH"])
  if (found !== undefined) return { bin: found, environment: {} }
  const packages = yield* DistributionPackages.DistributionPackages
  const { prefix } = yield* packages.ensure(["postgresql"])
  const unpacked = findPrograms(prefix)
  if (unpacked === undefined) return yield* new PostgresMissing({ detail: `there is no server in ${prefix}` })
  return { bin: unpacked, environment: { LD_LIBRARY_PATH: libraryPath(prefix) } }
})

/** PostgreSQL refuses to run as root, and initdb(1) needs a user that the system knows by name: `nobody`. */
const nobody = 65_534
const isRoot = process.getuid?.() === 0
const asUser = isRoot ? [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"] : []

interface Running {
  readonly child: ChildProcess
  /** When the last process that holds its stderr has ended: after every backend of a killed server. */
  readonly closed: Promise<unknown>
}

/** A child that the kernel ends with us: SIGQUIT is PostgreSQL's immediate shutdown. */
const run = ({ bin, environment }: Programs, name: string, args: ReadonlyArray<string>): Running => {
  const child = spawn("setpriv", [...asUser, "--pdeathsig=QUIT", join(bin, name), ...args], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", ...environment },
    stdio: ["ignore", "ignore", "pipe"]
  })
  return { child, closed: new Promise((resolve) => child.once("close", resolve)) }
}

/** Waits for the line that says ready, or without one for a successful end; any other end fails with what was said. */
const settled = ({ child }: Running, ready: RegExp | undefined): Effect.Effect<void, PostgresMissing> =>
  Effect.callback((resume) => {
    let said = ""
    const refuse = (detail: string) => resume(Effect.fail(new PostgresMissing({ detail })))
    child.stderr?.on("data", (chunk) => {
      said = `${said}${String(chunk)}`.slice(-4000)
      if (ready?.test(said) === true) resume(Effect.void)
    })
    child.once("error", (error) => refuse(error.message))
    child.once("close", (code) =>
      ready === undefined && code === 0
        ? resume(Effect.void)
        : refuse(`${child.spawnargs.join(" ")} ended with ${code}: ${said.trim()}`)
    )
  })

/** Settings of a real server: what is acknowledged is synced. The socket's folder is ours alone, so nobody needs a password. */
const settings = (directory: string): ReadonlyArray<string> =>
  [
    "listen_addresses=",
    `unix_socket_directories=${directory}`,
    "fsync=on",
    "synchronous_commit=on",
    "max_connections=200",
    "shared_buffers=32MB"
  ].flatMap((setting) => ["-c", setting])

const isReady = /database system is ready to accept connections/

export interface Server {
  /** For `@effect/sql-pg`, as superuser of the database `postgres`. */
  readonly url: string
  /** Kills the server without warning; completes when all of its processes are gone. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same data; completes when it accepts connections. */
  readonly start: Effect.Effect<void, PostgresMissing>
}

const freshDirectory = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "sbx-postgres-"))
    if (isRoot) chownSync(folder, nobody, nobody)
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A fresh, running server, stopped and deleted with the scope. */
export const makeServer = Effect.fnUntraced(function* (
  found: Programs
): Effect.fn.Return<Server, PostgresMissing, Scope.Scope> {
  const directory = yield* freshDirectory
  const data = join(directory, "data")
  const initial = [
    "--pgdata",
    data,
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync"
  ]
  yield* settled(run(found, "initdb", initial), undefined)
  let server: Running | undefined
  const stop = (signal: NodeJS.Signals) =>
    Effect.promise(async () => {
      server?.child.kill(signal)
      await server?.closed
    })
  const start = Effect.suspend(() => {
    server = run(found, "postgres", ["-D", data, ...settings(directory)])
    return settled(server, isReady)
  })
  yield* Effect.acquireRelease(start, () => stop("SIGQUIT"))
  return { url: `postgresql:///postgres?host=${directory}&user=postgres`, kill: stop("SIGKILL"), start }
})

/** Standard input, line by line. */
const commands = Stream.callback<string>((queue) =>
  Effect.sync(() => {
    const lines = createInterface({ input: process.stdin })
    lines.on("line", (line) => Queue.offerUnsafe(queue, line))
    lines.on("close", () => Queue.endUnsafe(queue))
  })
)

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const serve = Effect.gen(function* () {
  const server = yield* makeServer(yield* programs)
  yield* say(JSON.stringify({ SBX_TEST_POSTGRES_URL: server.url, SBX_TEST_POSTGRES_OURS: "true" }))
  const obey: Readonly<Record<string, Effect.Effect<void, PostgresMissing>>> = {
    kill: server.kill,
    start: server.start
  }
  yield* Stream.runForEach(commands, (line) =>
    Effect.andThen(obey[line] ?? Effect.die(`no command ${line}`), say(`${line}: done`))
  )
})

const layer = DistributionPackages.layer.pipe(Layer.provide(NodeServices.layer))

/** Whatever keeps the server away is told in one message with the same advice. */
const told = serve.pipe(
  Effect.scoped,
  Effect.provide(layer),
  Effect.mapError((error) =>
    error._tag === "PostgresMissing" ? error : new PostgresMissing({ detail: error.message.replace(/\.\n[^]*$/, "") })
  )
)

if (import.meta.main) NodeRuntime.runMain(told)
