/** The probes on the real engine: their verdicts agree with what is known of it otherwise, and nothing is left. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Engine } from "../src/Engine.ts"
import * as EngineCapabilities from "../src/EngineCapabilities.ts"
import { testEngine, testImage } from "./support/testEngine.ts"

const labels = { "sbx.test": `doctor-${process.pid}` }

layer(Layer.merge(testEngine, NodeServices.layer), { excludeTestServices: true, timeout: "2 minutes" })((it) => {
  it.effect("finds each capability by doing, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const reports = yield* EngineCapabilities.detect({ image: yield* testImage, labels })
      const verdicts = Object.fromEntries(reports.map(({ name, verdict }) => [name, verdict]))
      const shown = reports.map((one) => `${one.verdict} ${one.name}: ${one.found} [${one.advice}]`).join("\n")
      const must = [
        "engine",
        "api",
        "container-start",
        "memory-limit",
        "pids-limit",
        "cpu-limit",
        "seccomp",
        "disk-limit-tmpfs"
      ]
      for (const name of must) assert.strictEqual(verdicts[name], "pass", shown)
      assert.lengthOf(reports, 18)
      for (const { found, advice } of reports) assert.isTrue(found !== "" && advice !== "", shown)
      assert.deepStrictEqual(yield* engine.listContainers(labels), [])
      assert.deepStrictEqual(yield* engine.listVolumes(labels), [])
    })
  )

  it.effect("says unknown, not fail, for what it could not try", () =>
    Effect.gen(function* () {
      const reports = yield* EngineCapabilities.detect({ image: "sbx-test/absent:1", labels })
      const seccomp = reports.find(({ name }) => name === "seccomp")
      assert.strictEqual(seccomp?.verdict, "unknown")
      assert.include(seccomp?.found, "there is no image sbx-test/absent:1")
      assert.strictEqual(reports.find(({ name }) => name === "engine")?.verdict, "pass")
    })
  )
})
