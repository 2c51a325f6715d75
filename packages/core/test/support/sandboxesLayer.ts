/** The real thing for integration tests: engine, journal in memory, leases and images below a directory of the test's own. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Docker from "@sbx/engine/Docker"
import * as Memory from "@sbx/journal/Memory"
import { Engine } from "@sbx/engine/Engine"
import { Config, Effect, FileSystem, Layer, Stream } from "effect"
import * as Environment from "../../src/Environment.ts"
import * as Sandboxes from "../../src/Sandboxes.ts"
import * as StateDir from "../../src/StateDir.ts"
import * as UidLease from "../../src/UidLease.ts"
import * as Workspace from "../../src/Workspace.ts"

/** Static busybox. */
export const tinyImage = Config.String("SBX_TEST_IMAGE_TINY")
/** Debian with python3. */
export const baseImage = Config.String("SBX_TEST_IMAGE_BASE")

/** No engine is a failure with advice, not a skip. */
const engineAddress = Config.String("SBX_TEST_ENGINE").pipe(Config.orElse(() => Config.String("DOCKER_HOST")))

export const engineLayer = Layer.unwrap(
  Effect.gen(function* () {
    return Docker.layer({ kind: "explicit", address: yield* engineAddress })
  })
)

/** A directory of its own, removed afterwards: images that are left over make the removal's result visible. */
export const stateLayer = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return StateDir.layerWith(yield* fs.makeTempDirectoryScoped({ prefix: "sbx-test-" }))
  })
)

export interface TestOptions extends Partial<Sandboxes.SandboxesOptions> {
  readonly settings?: Partial<Environment.Settings>
}

/** All services, the inner ones too, so that a test can look behind the scenes. */
export const sandboxesLayer = (options: TestOptions = {}) => layerOn(engineLayer, options)

/** The real engine with some methods replaced. */
export const withEngine = (change: (engine: Engine["Service"]) => Engine["Service"], options: TestOptions = {}) =>
  layerOn(Layer.effect(Engine, Effect.map(Engine, change)).pipe(Layer.provide(engineLayer)), options)

/** An engine that turns every byte 1 of a file that is read into a 2. Headers of ustar(5) are text and zeros: they stay whole. */
export const tamperingLayer = withEngine((engine) => ({
  ...engine,
  getArchive: (id, path) =>
    Stream.map(engine.getArchive(id, path), (chunk) => chunk.map((byte) => (byte === 1 ? 2 : byte)))
}))

function layerOn(engine: typeof engineLayer, { settings = {}, ...options }: TestOptions) {
  return Layer.unwrap(
    Effect.gen(function* () {
      return Sandboxes.layerWith({
        run: "run_test",
        journalPath: "memory",
        image: yield* tinyImage,
        allowDangerous: true,
        ...options
      })
    })
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(Workspace.layer, UidLease.layer)),
    Layer.provideMerge(Layer.mergeAll(engine, stateLayer, Environment.layerWith(settings), Memory.layer)),
    Layer.provideMerge(NodeServices.layer)
  )
}
