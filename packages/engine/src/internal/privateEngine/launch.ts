/** Starts the private daemon and its supervisor as orphans that outlive us, and waits for the daemon's first answer. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Result from "effect/Result"
import { runCommand } from "./command.ts"
import { daemonConfig } from "./daemonConfig.ts"
import type { EnginePaths } from "./enginePaths.ts"
import { daemonEnded, isServing } from "./engineState.ts"
import { probeId } from "./probeEndpoint.ts"
import { startScript } from "./startScript.ts"
import { supervisorScript } from "./supervisorScript.ts"
import { within } from "./within.ts"

type Platform = FileSystem.FileSystem | ChildProcessSpawner

const startMillis = 20_000

/** `setsid --fork` leaves no parent and no terminal; the marker in the environment is how its whole family is known later. */
const orphan = (
  paths: EnginePaths,
  log: string,
  command: ReadonlyArray<string>
): Effect.Effect<void, PlatformError.PlatformError, ChildProcessSpawner> =>
  Effect.asVoid(
    runCommand("setsid", ["--fork", "sh", "-c", 'exec >>"$0" 2>&1 </dev/null; cd /; exec "$@"', log, ...command], {
      env: { SBX_ENGINE_ID: paths.id }
    })
  )

/** By rename, because a shell may still be reading the old file line by line. */
const installScript = Effect.fnUntraced(function* (file: string, text: string) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(`${file}.new`, text)
  yield* fs.rename(`${file}.new`, file)
})

const prepare = Effect.fnUntraced(function* (paths: EnginePaths) {
  const fs = yield* FileSystem.FileSystem
  for (const directory of [paths.dataRoot, `${paths.home}/ns`, paths.run]) {
    yield* fs.makeDirectory(directory, { recursive: true, mode: 0o711 })
  }
  yield* fs.writeFileString(paths.daemonConfig, daemonConfig(paths))
  yield* installScript(`${paths.home}/start.sh`, startScript)
  yield* installScript(`${paths.home}/supervisor.sh`, supervisorScript)
  yield* fs.rename(paths.log, `${paths.log}.1`).pipe(Effect.ignore)
  yield* fs.writeFileString(paths.used, "")
})

/** Why it will not come up, or undefined while that is open. */
const failureSoFar = Effect.fnUntraced(function* (paths: EnginePaths) {
  const fs = yield* FileSystem.FileSystem
  const said = yield* fs.readFileString(`${paths.run}/failed`).pipe(Effect.orElseSucceed(() => ""))
  if (said !== "") return said.trim()
  return (yield* daemonEnded(paths)) ? "the daemon ended at once" : undefined
})

/** Slave propagation: what the host unmounts later is not kept busy by our copy. */
const unshareArgs = ["unshare", "--net", "--mount", "--propagation", "slave", "--"]

/** Starts another supervisor where none lives; one that finds the lock taken ends by itself. */
export const ensureSupervisor = Effect.fnUntraced(function* (
  paths: EnginePaths,
  idleSeconds: number
): Effect.fn.Return<void, PlatformError.PlatformError, Platform> {
  const poll = Math.max(1, Math.min(15, Math.floor(idleSeconds / 4)))
  yield* orphan(paths, `${paths.home}/supervisor.log`, [
    "sh",
    `${paths.home}/supervisor.sh`,
    paths.id,
    paths.run,
    paths.home,
    String(idleSeconds),
    String(poll)
  ])
})

/** Writes the daemon's own id, by which core names this engine's workspaces. Undefined, or why it could not be read. */
const recordId = Effect.fnUntraced(function* (paths: EnginePaths) {
  const fs = yield* FileSystem.FileSystem
  const id = yield* Effect.result(probeId(`unix://${paths.socket}`, startMillis))
  if (Result.isFailure(id)) return `it did not tell its id: ${id.failure.detail}`
  yield* fs.writeFileString(`${paths.daemonId}.new`, id.success)
  yield* fs.rename(`${paths.daemonId}.new`, paths.daemonId)
  return undefined
})

/** As {@link launch} leaves it, where an interrupted starter did not come that far. */
export const ensureId = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<string | undefined, PlatformError.PlatformError, Platform> {
  const fs = yield* FileSystem.FileSystem
  const known = yield* fs.readFileString(paths.daemonId).pipe(Effect.orElseSucceed(() => ""))
  return known === "" ? yield* recordId(paths) : undefined
})

/**
 * Undefined when it serves, else the reason. The supervisor comes first and waits for the daemon: a starter that is interrupted
 * or killed anywhere in here leaves no daemon that nobody would stop.
 */
export const launch = Effect.fnUntraced(function* (
  paths: EnginePaths,
  prefix: string,
  idleSeconds: number
): Effect.fn.Return<string | undefined, PlatformError.PlatformError, Platform> {
  yield* prepare(paths)
  yield* ensureSupervisor(paths, idleSeconds)
  yield* orphan(paths, paths.log, unshareArgs.concat("sh", `${paths.home}/start.sh`, paths.run, paths.home, prefix))
  const settled = Effect.gen(function* () {
    return (yield* isServing(paths)) || (yield* failureSoFar(paths)) !== undefined
  })
  const inTime = yield* within(startMillis, settled, 25)
  if (!inTime) return `it did not answer within ${startMillis / 1_000} s`
  return (yield* isServing(paths)) ? yield* recordId(paths) : yield* failureSoFar(paths)
})
