/**
 * Explores histories of core: `node --conditions=@sbx/source packages/core/test/simulation/main.ts [--seconds N] [--seeds N]
 * [--seed S] [--once] [--plant NAME] [--json] [--log]`, or `--plants` for the names of the planted bugs. With `--seeds 1 --seed S` it
 * repeats one. Exit code 1 when an invariant was violated.
 */
import "effect/schema/SchemaJITCompiler/enable"
import * as Exploration from "@sbx/sim/Exploration"
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { sometimes } from "./coverage.ts"
import { history } from "./history.ts"
import * as Plants from "./plants.ts"
import { replay } from "./replay.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seeds: { type: "string" },
    seed: { type: "string", default: "0" },
    plant: { type: "string" },
    once: { type: "boolean", default: false },
    plants: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    log: { type: "boolean", default: false }
  }
})

if (values.plants) {
  console.log(Object.keys(Plants.plants).join("\n"))
  process.exit(0)
}

const limits = {
  ...(values.seconds === undefined ? {} : { budget: Number(values.seconds) * 1000 }),
  ...(values.seeds === undefined ? {} : { seeds: Number(values.seeds) })
}
const isReplay = limits.seeds === 1

const report = await Effect.runPromise(
  Exploration.explore({
    from: Number(values.seed),
    ...(values.seconds === undefined && values.seeds === undefined ? { seeds: 100 } : limits),
    program: history(Plants.byName(values.plant)),
    sometimes: isReplay || values.plant !== undefined ? [] : sometimes,
    // One seed is enough to show that a plant is found.
    ...(values.plant === undefined ? { once: values.once } : { patience: 1, once: true }),
    replay: (seed) => replay(seed, values.plant),
    ...(values.log ? { log: (line: string) => console.error(line) } : {})
  })
)
console.log(values.json ? JSON.stringify(report) : Exploration.describe(report))
process.exitCode = Exploration.isClean(report) ? 0 : 1
