/** What the run folder says about the private engine, checked against the kernel: stale files count for nothing. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import type { EnginePaths } from "./enginePaths.ts"
import { type EngineVersion, probeEndpoint } from "./probeEndpoint.ts"
import { isAlive, type ProcessIdentity, startTimeOf } from "./processes.ts"
import { within } from "./within.ts"

const answerMillis = 2_000
/** A daemon that does not serve for this long is replaced: longer than dockerd takes to revive its containerd (10 s), and with the restart below 30 s. */
const stuckMillis = 14_000

const readIdentity = Effect.fnUntraced(function* (paths: EnginePaths) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(paths.identity).pipe(Effect.orElseSucceed(() => ""))
  const found = /^(\d+) (\d+)$/m.exec(text)
  return found?.[1] === undefined || found[2] === undefined ? undefined : { pid: Number(found[1]), startTime: found[2] }
})

/** The daemon as `engine.id` names it; absent when no such process of ours lives. */
export const liveDaemon = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<ProcessIdentity | undefined, never, FileSystem.FileSystem> {
  const identity = yield* readIdentity(paths)
  return identity !== undefined && isAlive(identity, paths.id) ? identity : undefined
})

/** True once a daemon was started and its process is gone. The marker is not asked for: it is unreadable while execve(2) runs. */
export const daemonEnded = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<boolean, never, FileSystem.FileSystem> {
  const identity = yield* readIdentity(paths)
  return identity !== undefined && startTimeOf(identity.pid) !== identity.startTime
})

/** The version when the daemon lives and answers. */
const answeringEngine = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<EngineVersion | undefined, never, FileSystem.FileSystem> {
  if ((yield* liveDaemon(paths)) === undefined) return undefined
  return yield* probeEndpoint(`unix://${paths.socket}`, answerMillis).pipe(Effect.orElseSucceed(() => undefined))
})

/**
 * For any user: others than root cannot read the daemon's marker, and its socket refuses them. Then it runs when its process,
 * which everybody can see, is the one that `engine.id` names; a socket that a dead daemon left refuses them just as well.
 */
export const lookAtEngine = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<{ readonly running: boolean; readonly version: string | undefined }, never, FileSystem.FileSystem> {
  const answer = yield* Effect.result(probeEndpoint(`unix://${paths.socket}`, answerMillis))
  if (Result.isSuccess(answer)) return { running: true, version: answer.success.version }
  const identity = answer.failure.reason === "permission-denied" ? yield* readIdentity(paths) : undefined
  return { running: identity !== undefined && startTimeOf(identity.pid) === identity.startTime, version: undefined }
})

/**
 * True when a client can use it now: the daemon answers and reaches its containerd. dockerd restarts a dead containerd within
 * seconds by itself (libcontainerd's supervisor) but cannot start containers until then.
 */
export const isServing = (paths: EnginePaths): Effect.Effect<boolean, never, FileSystem.FileSystem> =>
  Effect.map(answeringEngine(paths), (answer) => answer?.components.includes("containerd") ?? false)

/** Waits while a daemon of ours lives, in case it is still starting or overloaded; a stuck one is given up at the deadline. */
export const becomesServing = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<boolean, never, FileSystem.FileSystem> {
  const settled = Effect.gen(function* () {
    return (yield* isServing(paths)) || (yield* liveDaemon(paths)) === undefined
  })
  yield* within(stuckMillis, settled, 50)
  return yield* isServing(paths)
})

/** The engine's last complaints, for an error message. Empty when there is no log. */
export const logTail = Effect.fnUntraced(function* (
  paths: EnginePaths
): Effect.fn.Return<string, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(paths.log).pipe(Effect.orElseSucceed(() => ""))
  const lines = text.trim().split("\n")
  const telling = lines.filter((line) => /level=(?:fatal|error)|^sbx:|failed to start daemon/.test(line))
  return (telling.length > 0 ? telling : lines).slice(-3).join("\n")
})
