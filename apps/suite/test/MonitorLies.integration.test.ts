// @effect-diagnostics processEnv:off -- the global set-up hands the engine over through the environment
/** Scenarios of the category `monitor` on a monitor that lies: each finds the lie, and is unknown where nothing is measured. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, layer } from "@effect/vitest"
import * as Environment from "@sbx/core/Environment"
import * as MachineLock from "@sbx/core/MachineLock"
import type { RunReport } from "@sbx/core/RunReport"
import * as ScenarioRunner from "@sbx/core/ScenarioRunner"
import * as Memory from "@sbx/journal/Memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { catalog } from "../src/Catalog.ts"
import * as Composition from "../src/Composition.ts"
import * as LyingSource from "./support/lyingSource.ts"
import { address } from "./support/realEngine.ts"

process.env["DOCKER_HOST"] = address

const directory = mkdtempSync(path.join(tmpdir(), "sbx-lies-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const place = { runId: "run_lies", journalPath: "", allowDangerous: false }

const services = Composition.scenarioServices(place).pipe(
  Layer.provideMerge(Composition.guarded({ logFile: path.join(directory, "watchdog.log"), journalPath: "" })),
  Layer.provideMerge(Composition.engine({ install: false })),
  Layer.provideMerge(Layer.mergeAll(Environment.layerConfig(), Memory.layer)),
  Layer.provideMerge(Composition.terminal)
)

/** The machine is held once for all of them: a lie is found on a busy machine too, so they run side by side. */
const held = Layer.effectDiscard(Effect.flatMap(MachineLock.MachineLock, (lock) => lock.hold("exclusive"))).pipe(
  Layer.provideMerge(services)
)

/** What each lie makes of each scenario: the verdict, and what one of its reasons names. */
const expected: Record<LyingSource.Lie, Readonly<Record<string, readonly ["fail" | "unknown", RegExp]>>> = {
  frozen: {
    "monitor/attribution": ["fail", /A's cores are the kernel's/],
    "monitor/noisy-neighbour": ["fail", /A's memory grows/],
    "monitor/snapshot-compare": ["fail", /the growth is what was kept/],
    "monitor/alert-lifecycle": ["fail", /as the kernel tells it/],
    "monitor/leak-detection": ["fail", /not noticed/],
    "monitor/stabilization": ["fail", /taken for stable/]
  },
  mute: {
    "monitor/attribution": ["unknown", /cpuCores/],
    "monitor/noisy-neighbour": ["unknown", /not measured/],
    "monitor/snapshot-compare": ["unknown", /memoryBytes/],
    "monitor/alert-lifecycle": ["unknown", /memoryPercentOfLimit/],
    "monitor/leak-detection": ["unknown", /memoryBytes/],
    "monitor/stabilization": ["unknown", /not-reported/]
  },
  crossed: {
    "monitor/attribution": ["fail", /B stays below/],
    "monitor/noisy-neighbour": ["fail", /B's memory moves/]
  },
  creeping: { "monitor/leak-detection": ["fail", /memoryBytes/] },
  blinking: { "monitor/alert-lifecycle": ["fail", /fires on between the thresholds/] }
}

const cases = Object.entries(expected).flatMap(([lie, scenarios]) =>
  Object.entries(scenarios).map(([name, [tag, reason]]) => ({ lie, name, tag, reason }))
)
const isLie = (lie: string): lie is LyingSource.Lie => lie in expected

/** Of the verdict and of all findings: which comes first is up to how busy the machine is. */
const reasonsOf = ({ scenarios, verdict }: RunReport): string =>
  [verdict, ...scenarios.flatMap(({ findings }) => findings.map((finding) => finding.verdict))]
    .map((one) => (one._tag === "pass" ? "" : one.reason))
    .join("\n")

layer(held, { excludeTestServices: true, timeout: "120 seconds" })("a monitor that lies", (it) => {
  describe("side by side", { concurrent: true }, () => {
    for (const { lie, name, reason, tag } of cases) {
      it.effect(`(${lie}) makes ${name} ${tag}`, () =>
        Effect.gen(function* () {
          const scenario = catalog.find((one) => one.name === name)
          if (scenario === undefined || !isLie(lie)) return assert.fail(`there is no ${name}, or no lie ${lie}`)
          const report = yield* ScenarioRunner.run([scenario], {
            runId: `run_lies_${lie}_${name.replace("/", "_")}`,
            // Ids are drawn from it, and all runs share a journal.
            seed: lie,
            directory,
            judgeBudgets: false
          }).pipe(Effect.provide([LyingSource.monitor(lie), MachineLock.layerMemory]))
          const { verdict } = report
          assert.strictEqual(verdict._tag, tag, JSON.stringify(verdict))
          assert.match(reasonsOf(report), reason)
        })
      )
    }
  })
})
