// @effect-diagnostics processEnv:off -- the global set-up hands the engine over through the environment
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it, layer } from "@effect/vitest"
import * as Environment from "@sbx/core/Environment"
import * as ScenarioRunner from "@sbx/core/ScenarioRunner"
import { toTestOutcome } from "@sbx/core/Verdict"
import * as Memory from "@sbx/journal/Memory"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { catalog } from "../src/Catalog.ts"
import * as Composition from "../src/Composition.ts"
import { address } from "./support/realEngine.ts"

// The engine of the global set-up, found as the command line would find it; its private one stays private.
process.env["DOCKER_HOST"] = address

const directory = mkdtempSync(path.join(tmpdir(), "sbx-scenarios-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const place = {
  runId: "run_vitest",
  journalPath: "",
  allowDangerous: process.env["SBX_TEST_ENGINE_KIND"] === "private"
}

// A worker that is killed at a time limit leaves nothing either.
const services = Composition.scenarioServices(place).pipe(
  Layer.provideMerge(Composition.guarded({ logFile: path.join(directory, "watchdog.log"), journalPath: "" })),
  Layer.provideMerge(Composition.engine({ install: false })),
  Layer.provideMerge(Layer.mergeAll(Environment.layerConfig(), Memory.layer)),
  Layer.provideMerge(Composition.terminal)
)

layer(services, { excludeTestServices: true, timeout: "60 seconds" })("the suite", (it) => {
  const judged = (scenario: (typeof catalog)[number]) => {
    const allowed = Duration.toMillis(Duration.fromInputUnsafe(scenario.timeout ?? "30 seconds"))
    it.effect(
      `${scenario.name}: ${scenario.description}`,
      (context) =>
        Effect.gen(function* () {
          const report = yield* ScenarioRunner.run([scenario], {
            runId: `run_vitest_${scenario.name.replace("/", "_")}`,
            seed: "vitest",
            directory,
            allowDangerous: place.allowDangerous,
            judgeBudgets: false
          })
          const [one] = report.scenarios
          if (one?.status === "skipped") {
            yield* Effect.logWarning(`skipped ${one.name}: ${one.reason}`)
            return context.skip(one.reason)
          }
          for (const [key, value] of Object.entries(one?.evidence ?? {})) {
            yield* Effect.logInfo(`${scenario.name}: ${key} ${JSON.stringify(value)}`)
          }
          const outcome = toTestOutcome(report.verdict)
          if (!outcome.passed) assert.fail(outcome.message)
        }),
      allowed + 30_000
    )
  }

  // As a run has them: those that measure hold the machine's lock alone.
  describe("side by side", { concurrent: true }, () => {
    for (const scenario of catalog.filter(({ exclusive }) => !exclusive)) judged(scenario)
  })
  describe("one by one", () => {
    for (const scenario of catalog.filter(({ exclusive }) => exclusive)) judged(scenario)
  })
})

describe("the catalogue", () => {
  it("names every scenario once", () => {
    const names = catalog.map(({ name }) => name)
    assert.deepStrictEqual([...new Set(names)], names)
  })
})
