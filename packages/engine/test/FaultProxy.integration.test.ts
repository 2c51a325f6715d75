/** An idle proxy is not noticed: the engine behind it obeys every law. */
import { Effect, Layer } from "effect"
import * as Docker from "../src/Docker.ts"
import { shellPrograms } from "../src/testing/ContractPrograms.ts"
import { engineContract } from "../src/testing/EngineContract.ts"
import * as FaultProxy from "../src/testing/FaultProxy.ts"
import { testEndpoint, testImage } from "./support/testEngine.ts"

const engine = Layer.unwrap(
  Effect.gen(function* () {
    const { address } = yield* testEndpoint
    const proxied = Layer.unwrap(Effect.map(FaultProxy.FaultProxy, (proxy) => Docker.layer(proxy.endpoint)))
    return proxied.pipe(Layer.provide(FaultProxy.layerWith({ upstream: address })))
  })
)

engineContract("Docker through an idle proxy", engine, {
  image: Effect.runSync(testImage),
  programs: shellPrograms
})
