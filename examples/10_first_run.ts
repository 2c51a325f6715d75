import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { cpuStress } from "@sbx/chaos/Fault"
import * as Chaos from "@sbx/chaos/FailureInjector"
import * as Core from "@sbx/core/Sandboxes"
import { ImageBuilder } from "@sbx/engine/ImageBuilder"
import { reference } from "@sbx/engine/ImageRecipe"
import * as Engine from "@sbx/engine/Located"
import { base } from "@sbx/engine/recipes/Base"
import * as Journal from "@sbx/journal/Memory"
import * as Monitor from "@sbx/monitor/Monitor"
import { compare, takeSnapshot } from "@sbx/monitor/Snapshot"
import { Console, Effect, Layer } from "effect"

const program = Effect.gen(function* () {
  yield* (yield* ImageBuilder).ensure(base)
  const sandbox = yield* (yield* Core.Sandboxes).make({ image: reference(base), cpus: "0.5" })
  const { stdout } = yield* sandbox.execOk(["python3", "-c", "print(sum(range(101)))"])
  const before = yield* takeSnapshot(sandbox)
  const fault = yield* (yield* Chaos.FailureInjector).inject(sandbox, cpuStress(), { duration: "5 seconds" })
  const delta = yield* compare(before, yield* takeSnapshot(sandbox))
  yield* fault.awaitEnd
  yield* Console.log(`python said ${stdout.trim()}; stress added ${delta.cpuCores.toFixed(2)} cores`)
}).pipe(Effect.scoped)

const services = Layer.mergeAll(Core.layer(), Monitor.layerEngine, Chaos.layer({ sidecarImage: reference(base) })).pipe(
  Layer.provideMerge(Layer.mergeAll(Engine.layerDefault(), Journal.layer).pipe(Layer.provideMerge(NodeServices.layer)))
)

NodeRuntime.runMain(Effect.provide(program, services))
