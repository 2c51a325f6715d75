/**
 * Locks between processes that the kernel frees when the holder dies: flock(2), held by a child that ends when our end of its
 * standard input closes. The same files are locked by the supervisor script, which is why it is flock and not SQLite.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Somebody else held the lock for the whole wait. */
export class LockTimeout extends Schema.TaggedError<LockTimeout>()("LockTimeout", {
  file: Schema.String,
  waitedMillis: Schema.Finite
}) {
  override get message() {
    return `Could not lock ${this.file}: another process held it for ${this.waitedMillis} ms.\nSee who holds it with \`lslocks\`, end it, and repeat the command.`
  }
}

/** Holds the lock until the scope closes. The file is created; it is never removed, or two holders could lock two inodes. */
export const holdLock = Effect.fnUntraced(function* (
  file: string,
  mode: "exclusive" | "shared",
  wait: Duration.Input
): Effect.fn.Return<void, LockTimeout | PlatformError.PlatformError, ChildProcessSpawner | Scope.Scope> {
  const seconds = String(Duration.toSeconds(wait))
  const handle = yield* ChildProcess.make(
    "flock",
    ["--no-fork", `--${mode}`, "--wait", seconds, file, "sh", "-c", "echo held; exec cat >/dev/null"],
    { stdin: "pipe", stdout: "pipe", stderr: "ignore", forceKillAfter: "1 second" }
  )
  const held = yield* handle.stdout.pipe(Stream.take(1), Stream.runHead)
  if (Option.isNone(held)) {
    return yield* new LockTimeout({ file, waitedMillis: Duration.toMillis(wait) })
  }
})
