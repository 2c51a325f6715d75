import { assert, describe, it } from "@effect/vitest"
import { Engine } from "@sbx/engine/Engine"
import { type BuildOptions, ImageBuilder } from "@sbx/engine/ImageBuilder"
import { InstallRefused } from "@sbx/engine/PackagesError"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { absentEngine } from "../src/internal/absentEngine.ts"
import * as Progress from "../src/Progress.ts"
import { missingCapabilities } from "../src/SuiteRun.ts"

const refused = new InstallRefused({ requested: ["tiny"], missing: ["tiny"], commands: [] })

describe("finding out what the engine can do", () => {
  it.live("takes no packages when it may not", () =>
    Effect.gen(function* () {
      const asked: Array<BuildOptions["install"]> = []
      const builder = {
        ensure: (_recipe: unknown, options?: BuildOptions) => {
          asked.push(options?.install)
          return Effect.fail(refused)
        }
      }
      // Never asked: the image comes first.
      const nowhere = Layer.succeed(Engine, absentEngine("none"))
      const run = missingCapabilities({ scenarios: [{ needs: ["loop"] }], install: false }).pipe(
        Effect.provideService(ImageBuilder, builder),
        Effect.provide(Layer.mergeAll(Progress.layer, nowhere).pipe(Layer.provideMerge(NodeServices.layer)))
      )
      assert.strictEqual(yield* Effect.flip(run), refused)
      assert.deepStrictEqual(asked, [false])
    })
  )
})
