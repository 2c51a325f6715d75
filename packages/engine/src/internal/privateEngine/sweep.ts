/**
 * Ends the private engine and everything that belongs to it, in whatever state it is found. Touches only processes, mounts,
 * devices and cgroups that are provably ours. The caller holds the starters' lock.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { EnginePaths } from "./enginePaths.ts"
import { liveDaemon } from "./engineState.ts"
import { listLeftovers, loopDevices, releaseMounts, removeCgroups, thawCgroups } from "./leftovers.ts"
import { ownedProcesses, signalOwned } from "./processes.ts"
import { within } from "./within.ts"

/** Sandboxes get this long to end on SIGTERM, milliseconds. dockerd itself would wait 15 s (container stop time-out plus 5 s). */
const containerGrace = 2_000
const daemonGrace = 6_000

const killContained = Effect.fnUntraced(function* (paths: EnginePaths) {
  yield* thawCgroups(paths.id)
  const owned = yield* ownedProcesses(paths.id)
  for (const { pid, contained } of owned) if (contained) yield* signalOwned(pid, paths.id, "SIGKILL")
})

/** Lets the daemon stop its containers and write its state; returns early when there is none. */
const stopDaemon = Effect.fnUntraced(function* (paths: EnginePaths) {
  const daemon = yield* liveDaemon(paths)
  if (daemon === undefined) return
  const ended = Effect.map(liveDaemon(paths), (alive) => alive === undefined)
  yield* thawCgroups(paths.id)
  yield* signalOwned(daemon.pid, paths.id, "SIGTERM")
  if (yield* within(containerGrace, ended)) return
  yield* killContained(paths)
  yield* within(daemonGrace, ended)
})

/** New children may appear while their parents die, so it repeats until a listing is empty. */
const killAll = Effect.fnUntraced(function* (paths: EnginePaths) {
  yield* within(
    10_000,
    Effect.gen(function* () {
      const owned = yield* ownedProcesses(paths.id)
      if (owned.length === 0) return true
      yield* thawCgroups(paths.id)
      for (const { pid } of owned) yield* signalOwned(pid, paths.id, "SIGKILL")
      return false
    })
  )
})

const lingering = (paths: EnginePaths, detach: boolean) =>
  Effect.map(listLeftovers(paths), (left) => (detach ? left : left.filter((line) => !line.startsWith("loop device "))))

const clearRun = Effect.fnUntraced(function* (paths: EnginePaths, detach: boolean) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(paths.run, { recursive: true, force: true })
  yield* removeCgroups(paths.id)
  return (yield* lingering(paths, detach)).length === 0
})

/**
 * Returns what could not be removed; empty when all is gone. `graceful: false` skips the daemon's own shutdown, for a daemon
 * that is known to be dead or stuck. `detach: false` keeps loop devices: after a crash, workspaces on them are used again.
 */
export const sweep = Effect.fnUntraced(function* (
  paths: EnginePaths,
  options: { readonly graceful: boolean; readonly detach: boolean }
): Effect.fn.Return<ReadonlyArray<string>, PlatformError.PlatformError, FileSystem.FileSystem | ChildProcessSpawner> {
  if (options.graceful) yield* stopDaemon(paths)
  yield* killAll(paths)
  yield* releaseMounts(paths, options.detach ? loopDevices(paths) : [])
  // A mount namespace and a cgroup end a moment after their last process.
  yield* within(3_000, clearRun(paths, options.detach).pipe(Effect.orElseSucceed(() => false)), 50)
  return yield* lingering(paths, options.detach)
})
