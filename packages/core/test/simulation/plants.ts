/** Bugs to plant, each by what surrounds core, never inside it: the simulation has to find every one of them. */
import type { EngineShape } from "@sbx/engine/Engine"
import type { Journal } from "@sbx/journal/Journal"
import type { PendingUndos } from "../../src/UndoRunner.ts"
import type { Machine } from "./machine.ts"

export interface Plant {
  readonly engine?: (engine: EngineShape, machine: Machine) => EngineShape
  readonly journal?: (journal: Journal["Service"], machine: Machine) => Journal["Service"]
  readonly pendingUndos?: PendingUndos
  readonly settles?: boolean
}

export const none: Plant = {}

const all: Readonly<Record<string, Plant>> = {}

export const byName = (name: string | undefined): Plant => (name === undefined ? none : (all[name] ?? none))
