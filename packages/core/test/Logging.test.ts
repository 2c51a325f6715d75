import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Environment from "../src/Environment.ts"
import * as Logging from "../src/Logging.ts"

const lines = (settings: Partial<Environment.Settings>, secrets: ReadonlyArray<Redacted.Redacted> = []) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem
    const file = `${yield* fs.makeTempDirectoryScoped()}/run.log`
    yield* Effect.gen(function* () {
      yield* Effect.logDebug("a debug line")
      yield* Effect.logInfo("an info line", Redacted.make("wrapped-value"))
      yield* Effect.logError('an error with hunter2-password and "quo\\ted"')
    }).pipe(
      Effect.provide(Layer.provide(Logging.layer({ file, secrets, console: false }), Environment.layerWith(settings))),
      Effect.scoped
    )
    return yield* fs.readFileString(file)
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

describe("logging", () => {
  it.live("follows the level", () =>
    Effect.gen(function* () {
      const info = yield* lines({})
      assert.include(info, "an info line")
      assert.notInclude(info, "a debug line")
      assert.include(yield* lines({ logLevel: "debug" }), "a debug line")
      const error = yield* lines({ logLevel: "error" })
      assert.notInclude(error, "an info line")
      assert.include(error, "an error")
    })
  )

  it.live("is silent when switched off", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* lines({ enableLogging: false, logLevel: "debug" }), "")
      assert.strictEqual(yield* lines({ logLevel: "none" }), "")
    })
  )

  it.live("shows no secret", () =>
    Effect.gen(function* () {
      const open = yield* lines({})
      assert.include(open, "hunter2-password")
      assert.notInclude(open, "wrapped-value")
      const blotted = yield* lines({}, [Redacted.make("hunter2-password"), Redacted.make('"quo\\ted"')])
      assert.notInclude(blotted, "hunter2")
      assert.notInclude(blotted, "quo")
      assert.include(blotted, "<redacted>")
    })
  )

  it.live("fails when the file cannot be opened", () =>
    Effect.gen(function* () {
      const layer = Layer.provide(Logging.layer({ file: "/nonexistent/x.log" }), [
        Environment.layer,
        NodeFileSystem.layer
      ])
      const error = yield* Effect.flip(Effect.provide(Effect.void, layer))
      assert.strictEqual(error._tag, "PlatformError")
    })
  )

  it("blots the longest secret first and leaves short ones", () => {
    const blot = Logging.blot([Redacted.make("abcd"), Redacted.make("abcdef"), Redacted.make("xy")])
    assert.strictEqual(blot("abcdef abcd xy"), "<redacted> <redacted> xy")
  })
})
