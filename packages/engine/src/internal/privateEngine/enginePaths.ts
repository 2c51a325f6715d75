/** Where the private engine lives in a state root. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"

export interface EnginePaths {
  /** First 12 hex digits of the digest of `home`; marks processes (`SBX_ENGINE_ID`) and cgroups (`/sbx-<id>`). */
  readonly id: string
  readonly stateRoot: string
  readonly home: string
  readonly dataRoot: string
  readonly daemonConfig: string
  /** Holds the daemon's own id (`docker info`), written after each start. */
  readonly daemonId: string
  readonly log: string
  readonly lock: string
  readonly lease: string
  /** Volatile; removed by `down`. Short, because a socket path has at most 107 bytes (unix(7)). */
  readonly run: string
  readonly execRoot: string
  readonly socket: string
  /** Touched by every `up`: resets the idle clock. */
  readonly used: string
  readonly identity: string
}

export const defaultStateRoot = "/var/lib/sbx"

/** Two state roots never share an engine; `stateRoot` must be absolute and free of symlinks. */
export const enginePaths = (stateRoot: string): EnginePaths => {
  const home = `${stateRoot}/engine`
  const id = createHash("sha256").update(home).digest("hex").slice(0, 12)
  const run = stateRoot === defaultStateRoot ? "/run/sbx/engine" : `/run/sbx/${id}`
  return {
    id,
    stateRoot,
    home,
    dataRoot: `${home}/data`,
    daemonConfig: `${home}/daemon.json`,
    daemonId: `${home}/daemon-id`,
    log: `${home}/dockerd.log`,
    lock: `${home}/lock`,
    lease: `${home}/lease`,
    run,
    execRoot: `${run}/exec`,
    socket: `${run}/docker.sock`,
    used: `${run}/used`,
    identity: `${run}/engine.id`
  }
}

/** The kernel lists mounts by real paths: resolves the part of an absolute path that exists. */
export const resolveExisting = (path: string): Effect.Effect<string, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const cut = path.lastIndexOf("/")
    return yield* fs
      .realPath(path)
      .pipe(
        Effect.catch(() =>
          cut <= 0
            ? Effect.succeed(path)
            : Effect.map(resolveExisting(path.slice(0, cut)), (parent) => `${parent}${path.slice(cut)}`)
        )
      )
  })

export const isRoot = Effect.sync(() => process.getuid?.() === 0)
