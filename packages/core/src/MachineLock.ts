/**
 * One lock for all sbx processes of a machine: scenarios share it, one that measures time has it alone. The kernel frees it
 * when its holder dies (flock(2), held by a child that ends with our end of its standard input). Needs util-linux's `flock`.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { StateDir } from "./StateDir.ts"

export type LockMode = "shared" | "exclusive"

/** The lock could not be had. */
export class MachineLockFailed extends Schema.TaggedError<MachineLockFailed>()("MachineLockFailed", {
  file: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not lock ${this.file}: ${this.detail}.\nSee who holds it with \`lslocks\`, and that util-linux is installed and the directory writable.`
  }
}

export class MachineLock extends Context.Service<
  MachineLock,
  {
    /** Holds the lock until the scope closes. */
    readonly hold: (mode: LockMode) => Effect.Effect<void, MachineLockFailed, Scope.Scope>
  }
>()("@sbx/core/MachineLock") {}

/** Longest wait for the others to finish. */
const defaultWait = Duration.minutes(10)

/** `<state dir>/machine.lock`. The file is never removed, or two holders could lock two inodes. */
export const layer: Layer.Layer<MachineLock, never, StateDir | FileSystem | ChildProcessSpawner> = Layer.suspend(() =>
  layerWith({ wait: defaultWait })
)

export const layerWith = (options: {
  readonly wait: Duration.Duration
}): Layer.Layer<MachineLock, never, StateDir | FileSystem | ChildProcessSpawner> =>
  Layer.effect(
    MachineLock,
    Effect.gen(function* () {
      const { path } = yield* StateDir
      const fs = yield* FileSystem
      const spawner = yield* ChildProcessSpawner
      const file = `${path}/machine.lock`
      const hold = Effect.fnUntraced(function* (mode: LockMode) {
        yield* fs.makeDirectory(path, { recursive: true })
        const held = yield* flock(file, mode, options.wait).pipe(Effect.provideService(ChildProcessSpawner, spawner))
        if (!held) {
          const detail = `others held it for ${Duration.format(options.wait)}`
          return yield* new MachineLockFailed({ file, detail })
        }
      })
      return {
        hold: (mode) =>
          Effect.catchTag(hold(mode), "PlatformError", (error) =>
            Effect.fail(new MachineLockFailed({ file, detail: error.message }))
          )
      }
    })
  )

/** Whether it was got in time. */
const flock = Effect.fnUntraced(function* (file: string, mode: LockMode, wait: Duration.Duration) {
  const handle = yield* ChildProcess.make(
    "flock",
    [
      "--no-fork",
      `--${mode}`,
      "--wait",
      String(Duration.toSeconds(wait)),
      file,
      "sh",
      "-c",
      "echo held; exec cat >/dev/null"
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "ignore", forceKillAfter: "1 second" }
  )
  return Option.isSome(yield* handle.stdout.pipe(Stream.take(1), Stream.runHead))
})

/** Within this process only; for tests and for machines without `flock`. */
export const layerMemory: Layer.Layer<MachineLock> = Layer.effect(
  MachineLock,
  Effect.gen(function* () {
    const all = 1_000_000
    const semaphore = yield* Semaphore.make(all)
    return {
      hold: (mode) => {
        const permits = mode === "shared" ? 1 : all
        return Effect.acquireRelease(semaphore.take(permits), () => semaphore.release(permits))
      }
    }
  })
)
