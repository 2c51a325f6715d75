import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem } from "effect"
import * as StateDir from "../src/StateDir.ts"

const pathOf = (layer: ReturnType<typeof StateDir.layerWith> | typeof StateDir.layer) =>
  Effect.map(StateDir.StateDir, ({ path }) => path).pipe(Effect.provide(layer))

describe("the state directory", () => {
  it.effect("is a real path, however it is named, and exists", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const base = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
      yield* fs.makeDirectory(`${base}/real`)
      yield* fs.symlink(`${base}/real`, `${base}/link`)
      assert.strictEqual(yield* pathOf(StateDir.layerWith(`${base}/link/state/`)), `${base}/real/state`)
      assert.strictEqual(yield* pathOf(StateDir.layerWith(`${base}/link/../real//state`)), `${base}/real/state`)
      const up = process.cwd().replaceAll(/[^/]+/g, "..").slice(1)
      assert.strictEqual(yield* pathOf(StateDir.layerWith(`${up}${base}/link`)), `${base}/real`)
      assert.isTrue(yield* fs.exists(`${base}/real/state`))
      const env = { SBX_STATE_DIR: `${base}/link/` }
      assert.strictEqual(
        yield* pathOf(StateDir.layer).pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
        ),
        `${base}/real`
      )
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.effect("is refused, with advice, where it cannot be made", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(pathOf(StateDir.layerWith("/dev/null/x")))
      assert.strictEqual(error._tag, "StateDirUnusable")
      assert.include(error.message, "SBX_STATE_DIR")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
