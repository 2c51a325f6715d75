import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as MachineLock from "../src/MachineLock.ts"
import * as StateDir from "../src/StateDir.ts"

/** A new lock on a directory, as another process would make it: nothing is shared but the file. */
const lockOn = (path: string, wait: Duration.Duration) =>
  Effect.provide(
    Effect.service(MachineLock.MachineLock),
    Layer.provide(Layer.fresh(MachineLock.layerWith({ wait })), [
      Layer.fresh(StateDir.layerWith(path)),
      NodeServices.layer
    ])
  )

const inDirectory = <A, E, R>(use: (path: string) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.flatMap(
      Effect.flatMap(FileSystem, (fs) => fs.makeTempDirectoryScoped()),
      use
    )
  ).pipe(Effect.provide(NodeServices.layer))

const short = Duration.millis(100)
const long = Duration.seconds(20)

describe("the machine lock", () => {
  it.live("is shared by many and had alone by one", () =>
    inDirectory((path) =>
      Effect.gen(function* () {
        const one = yield* lockOn(path, short)
        const other = yield* lockOn(path, short)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* one.hold("shared")
            yield* other.hold("shared")
            const error = yield* Effect.flip(Effect.scoped(other.hold("exclusive")))
            assert.include(error.message, "others held it for")
          })
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* one.hold("exclusive")
            assert.strictEqual((yield* Effect.flip(Effect.scoped(other.hold("shared"))))._tag, "MachineLockFailed")
          })
        )
        yield* Effect.scoped(other.hold("exclusive"))
      })
    )
  )

  it.live("is handed on when its holder's scope closes", () =>
    inDirectory((path) =>
      Effect.gen(function* () {
        const one = yield* lockOn(path, long)
        const other = yield* lockOn(path, long)
        const held = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const holder = yield* Effect.forkChild(
          Effect.scoped(
            one
              .hold("exclusive")
              .pipe(Effect.andThen(Deferred.succeed(held, undefined)), Effect.andThen(Deferred.await(release)))
          )
        )
        yield* Deferred.await(held)
        const waiter = yield* Effect.forkChild(Effect.scoped(other.hold("exclusive")))
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(holder)
        yield* Fiber.join(waiter)
      })
    )
  )

  it.live("fails with the reason where its file cannot be made", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem
      const path = yield* fs.makeTempDirectoryScoped()
      const file = `${path}/machine.lock`
      yield* fs.symlink("/dev/null/nowhere", file)
      const lock = yield* lockOn(path, short)
      const error = yield* Effect.flip(Effect.scoped(lock.hold("shared")))
      assert.include(error.message, file)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("within one process keeps exclusive holders alone", () =>
    Effect.gen(function* () {
      const lock = yield* MachineLock.MachineLock
      let alive = 0
      const hold = (mode: MachineLock.LockMode) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* lock.hold(mode)
            alive++
            if (mode === "exclusive") assert.strictEqual(alive, 1)
            yield* Effect.yieldNow
            alive--
          })
        )
      yield* Effect.all([hold("shared"), hold("exclusive"), hold("shared"), hold("exclusive")], {
        concurrency: "unbounded"
      })
    }).pipe(Effect.provide(MachineLock.layerMemory))
  )
})
