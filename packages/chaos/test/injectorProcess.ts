/**
 * An injector that is to be killed: injects into the container of argv[2], journal at argv[3], and says on stdout when the fault is
 * active. Run by `Crash.integration.test.ts` in a process of its own.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Sqlite from "@sbx/journal/Sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FailureInjector, layer } from "../src/FailureInjector.ts"
import { cpuStress } from "../src/Fault.ts"
import { engineLayer, tiny } from "./testEngine.ts"

const [, , containerId = "", journalPath = ""] = process.argv

const injector = Layer.unwrap(
  Effect.map(tiny, (sidecarImage) =>
    layer({ sidecarImage, run: "run_crash", journalPath, timing: { windowMillis: 300, proofMillis: 3000 } })
  )
)

const program = Effect.gen(function* () {
  const { inject } = yield* FailureInjector
  const handle = yield* inject({ containerId, name: "target" }, cpuStress(), { duration: "1 second" })
  process.stdout.write(`active ${handle.faultId}\n`)
  return yield* Effect.never
}).pipe(
  Effect.scoped,
  Effect.provide(
    injector.pipe(Layer.provide(Layer.mergeAll(engineLayer, Sqlite.layer({ path: journalPath }), NodeFileSystem.layer)))
  )
)

NodeRuntime.runMain(program)
