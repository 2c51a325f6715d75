import { assert, describe, it } from "@effect/vitest"
import "effect/schema/SchemaJITCompiler/enable"
import * as Exploration from "@sbx/sim/Exploration"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { pendingUndos } from "./disturbances.ts"
import { history } from "./history.ts"
import { lateDisturbance } from "./lateDisturbance.ts"
import * as Plants from "./plants.ts"
import { regressionSeeds } from "./regressionSeeds.ts"
import { replay } from "./replay.ts"

/** The long exploration is a command of its own, `main.ts`; it wants every fault kind and branch reached. */
const always = [
  "kill",
  "kill-all",
  "sandbox-made",
  "reaped",
  "settled",
  "taken-over",
  "OrphanReaped",
  "ExecLost",
  "undone"
]
const timeout = 240_000

const clean = (report: Exploration.Report) => assert.isTrue(Exploration.isClean(report), Exploration.describe(report))

/** Where the search for each plant begins: the first seed that found it, from 0, when it was planted. */
const foundBy: Readonly<Record<keyof typeof Plants.plants, number>> = {
  "record after create": 81,
  "one sweep, without waiting for creates in doubt": 7,
  "not found is gone, before the create deadline": 54,
  "neighbours that live look dead": 11,
  "no undo after a crash": 3,
  "appends repeated without command id": 4,
  "failures of removals swallowed": 5,
  "subscriptions that drop on overflow": 5,
  "commits answered before they are durable": 0,
  "streams that are never closed": 0
}

const main = fileURLToPath(new URL("./main.ts", import.meta.url))
const root = fileURLToPath(new URL("../../../..", import.meta.url))

/** Runs the command as people do. */
const explore = (...args: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<{ readonly code: number | undefined; readonly text: string }>((resolve) => {
        const child = execFile(process.execPath, ["--conditions=@sbx/source", main, ...args], (_error, text) =>
          resolve({ code: child.exitCode ?? undefined, text })
        )
      })
  )

describe("simulated histories", () => {
  it.live(
    "hold every invariant, and go the same way twice",
    () =>
      Effect.gen(function* () {
        const program = history(Plants.none)
        clean(yield* Exploration.explore({ from: 0, seeds: 30, program, sometimes: always, replay }))
      }),
    timeout
  )

  it.live.each(regressionSeeds)(
    "hold with seed $seed, which once showed: $found",
    ({ seed }) =>
      Effect.gen(function* () {
        const program = history(Plants.none)
        clean(yield* Exploration.explore({ from: seed, seeds: 1, once: true, program, sometimes: [], replay }))
      }),
    timeout
  )

  it.live.each(Object.entries(foundBy))(
    "show a planted bug within 100 seeds: %s",
    ([name, from]) =>
      Effect.gen(function* () {
        const program = history(Plants.byName(name))
        const options = { seeds: 100, patience: 1, once: true, sometimes: [], replay } as const
        const report = yield* Exploration.explore({ ...options, from, program })
        const found = report.violations[0]?.seed
        assert.isDefined(found, `not found from seed ${from} on`)
        const healthy = yield* Exploration.explore({ ...options, from: found, seeds: 1, program: history(Plants.none) })
        clean(healthy)
      }),
    timeout
  )

  it.live("undo again what came into effect after its owner's death and its first undo", () =>
    Effect.gen(function* () {
      const options = { from: 0, seeds: 10, sometimes: ["latency"], replay }
      clean(yield* Exploration.explore({ ...options, program: lateDisturbance(pendingUndos) }))
      // Whoever does not say until when the disturbance may begin has it undone once only.
      const onceOnly: typeof pendingUndos = (journal) =>
        Effect.map(pendingUndos(journal), (all) => all.map(({ untilMillis: _until, ...pending }) => pending))
      const report = yield* Exploration.explore({ ...options, program: lateDisturbance(onceOnly) })
      assert.isAbove(report.violations.length, 0, Exploration.describe(report))
    })
  )

  it.live(
    "are repeated by the command that a violation names",
    () =>
      Effect.gen(function* () {
        const plant = "streams that are never closed"
        const { code, text } = yield* explore("--seeds", "1", "--seed", "0", "--plant", plant)
        assert.strictEqual(code, 1)
        assert.include(text, `replay: ${replay(0, plant)}`)
        const [, path = ""] = /(packages\S+\.ts)/.exec(replay(0)) ?? []
        assert.isTrue(existsSync(`${root}${path}`), path)
      }),
    timeout
  )
})
