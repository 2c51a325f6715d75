/** One history told in full: a pause is on its way to the engine when its owner is killed, and comes into effect after its undo. */
import { Engine } from "@sbx/engine/Engine"
import { Journal } from "@sbx/journal/Journal"
import { Effect } from "effect"
import { JournalFiles } from "../../src/JournalFiles.ts"
import type { PendingUndos } from "../../src/UndoRunner.ts"
import { disturb, kindsFor } from "./disturbances.ts"
import { judgeStrangers, settleStrangers, start } from "./history.ts"
import { make } from "./machine.ts"
import * as Runner from "./runner.ts"

const onItsWayMillis = 2_000

export const lateDisturbance = (pendingUndos: PendingUndos) =>
  Effect.gen(function* () {
    const machine = yield* make
    const target = yield* settleStrangers(machine)
    const { faults } = machine.engine
    faults.set("latency", { operations: ["pause container"], millis: [onItsWayMillis, onItsWayMillis] })
    const inject = Effect.gen(function* () {
      const [kind] = kindsFor(target)
      if (kind !== undefined) yield* disturb(yield* Journal, yield* Engine, "late", kind, Effect.never)
    })
    const dying = Effect.flatMap(JournalFiles, ({ layerWriter }) =>
      Effect.provide(inject, layerWriter(Runner.pathOf("dying")))
    )
    const process = yield* start(machine, "dying", {}, dying)
    yield* Effect.sleep(500)
    yield* process.kill
    const reap = yield* start(machine, "reap", {}, Runner.reap(machine, { pendingUndos }))
    yield* reap.await
    yield* Effect.sleep(2 * onItsWayMillis)
    yield* judgeStrangers(machine, target)
    return { violations: [...machine.violations], reached: { latency: faults.counts().latency } }
  })
