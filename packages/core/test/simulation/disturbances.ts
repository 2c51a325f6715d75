/**
 * Faults that a runner injects into a container that is not its own, written ahead with their undo plans: what a chaos tool does, in
 * the least code. Whoever finds one on record that was not cleared has to undo it.
 */
import type { EngineShape } from "@sbx/engine/Engine"
import * as EventFamily from "@sbx/journal/EventFamily"
import { any, type Journal, noStream } from "@sbx/journal/Journal"
import { Effect, Schema, Stream } from "effect"
import { UndoPlan } from "../../src/UndoPlan.ts"
import { type PendingUndo, type PendingUndos, runUndoPlan } from "../../src/UndoRunner.ts"
import { engineDeadlineMillis } from "./faults.ts"

const union = Schema.TaggedUnion({
  DisturbanceIntended: { plan: UndoPlan },
  DisturbanceCleared: {}
})
const Disturbances = EventFamily.make({ category: "disturbance", union })

export interface Target {
  readonly containerId: string
  readonly networkId: string
  readonly memoryBytes: number
}

interface Kind {
  readonly plan: UndoPlan
  readonly inject: (engine: EngineShape) => Effect.Effect<unknown, unknown>
}

const step = (one: UndoPlan["steps"][number]): UndoPlan => ({ steps: [one] })

export const kindsFor = ({ containerId, networkId, memoryBytes }: Target): ReadonlyArray<Kind> => [
  {
    plan: step({ _tag: "UnpauseContainer", containerId }),
    inject: (engine) => engine.pauseContainer(containerId)
  },
  {
    plan: step({ _tag: "StartContainer", containerId }),
    inject: (engine) => engine.killContainer(containerId, "KILL")
  },
  {
    plan: step({ _tag: "UpdateContainer", containerId, memoryBytes }),
    inject: (engine) => engine.updateContainer(containerId, { memoryBytes: memoryBytes * 2 })
  },
  {
    plan: step({ _tag: "ConnectNetwork", networkId, containerId, aliases: [] }),
    inject: (engine) => engine.disconnectNetwork(networkId, containerId)
  }
]

const cleared = (journal: Journal["Service"], id: string) =>
  Disturbances.append(journal, Disturbances.stream(id), [{ _tag: "DisturbanceCleared" }], {
    expected: any,
    closes: true
  })

/** Intends, injects, lets it last, undoes and records that; an undo that fails stays on record. */
export const disturb = (
  journal: Journal["Service"],
  engine: EngineShape,
  id: string,
  { plan, inject }: Kind,
  lasting: Effect.Effect<void>
) =>
  Effect.gen(function* () {
    yield* Disturbances.append(journal, Disturbances.stream(id), [{ _tag: "DisturbanceIntended", plan }], {
      expected: noStream
    })
    yield* Effect.ignore(inject(engine))
    yield* lasting
    yield* runUndoPlan(engine, plan)
    yield* cleared(journal, id)
  })

/** Reads every open stream of the category. */
export const pendingUndos: PendingUndos = (journal) =>
  Effect.gen(function* () {
    const pending: Array<PendingUndo> = []
    for (const { name } of yield* journal.streams({ category: "disturbance", open: true })) {
      const events = yield* Stream.runCollect(Disturbances.read(journal, name))
      const [first] = events
      const id = name.slice(name.indexOf("/") + 1)
      if (first?.payload._tag === "DisturbanceIntended") {
        pending.push({
          id,
          plan: first.payload.plan,
          untilMillis: first.recordedAtMillis + engineDeadlineMillis,
          record: Effect.asVoid(cleared(journal, id))
        })
      }
    }
    return pending
  })
