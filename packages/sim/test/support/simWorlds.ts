/** Small simulated engines, and the few calls that their tests repeat. */
import type { ContainerSpec } from "@sbx/engine/ContainerSpec"
import type { EngineShape } from "@sbx/engine/Engine"
import { Effect, Stream } from "effect"
import * as SimEngine from "../../src/SimEngine.ts"
import { simulatedPrograms } from "./contractPrograms.ts"

export const world = (options: SimEngine.SimEngineOptions = {}) =>
  SimEngine.make({
    ...options,
    programs: [...(options.programs ?? []), ...simulatedPrograms],
    images: [{ reference: "sim:test", command: ["sleep", "infinity"] }]
  })

export const spec = (name: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
  name,
  image: "sim:test",
  ...more,
  host: { networkMode: "none", ...more.host }
})

export const running = (engine: EngineShape, name: string, more: Partial<ContainerSpec> = {}) =>
  Effect.tap(engine.createContainer(spec(name, more)), engine.startContainer)

export const namesIn = (sim: SimEngine.SimEngineShape) => sim.view().containers.map(({ name }) => name)

/** The actions that a subscriber is told until its stream is cut. */
export const actionsUntilCut = (engine: EngineShape, sinceMillis?: number) => {
  const seen: Array<string> = []
  return engine.events({ labels: {}, ...(sinceMillis === undefined ? {} : { sinceMillis }) }).pipe(
    Stream.runForEach(({ action }) => Effect.sync(() => seen.push(action))),
    Effect.flip,
    Effect.map((error) => ({ error: error._tag, seen }))
  )
}
