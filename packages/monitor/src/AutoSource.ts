/**
 * Readings from the kernel's files where this machine shows them for the container, else from the engine's statistics; the sample's
 * `source` says which. Decided per container, and again every 30 s for those that the engine answers for.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CgroupOptions } from "./CgroupSource.ts"
import * as CgroupSource from "./CgroupSource.ts"
import type { ContainerReading } from "./ContainerSampler.ts"
import type { ReadError } from "./ContainerSource.ts"
import { ContainerSource } from "./ContainerSource.ts"
import * as EngineSource from "./EngineSource.ts"

type ReadContainer = ContainerSource["Service"]["read"]

const retryNanos = 30_000_000_000n
/** Containers remembered to be the engine's; beyond that all are tried anew, nothing else changes. */
const capacity = 1024

/** The first reader where it can read the container, else the second. */
export const make = (cgroup: ReadContainer, engine: ReadContainer): ReadContainer => {
  const refused = new Map<string, bigint>()
  return (target, options) =>
    Effect.suspend(() => {
      const since = refused.get(target.containerId)
      const tried = cgroup(target, options).pipe(
        Effect.catchTag("CgroupUnreadable", () => Effect.andThen(refuse(refused, target), engine(target, options)))
      )
      return since === undefined ? tried : again(refused, target, since, tried, engine(target, options))
    })
}

const refuse = (refused: Map<string, bigint>, { containerId }: ContainerTarget) =>
  Effect.map(Clock.monotonicTimeNanos, (nowNanos) => {
    if (refused.size >= capacity) refused.clear()
    refused.set(containerId, nowNanos)
  })

/** The engine's for a while, then whoever can. */
const again = Effect.fnUntraced(function* (
  refused: Map<string, bigint>,
  { containerId }: ContainerTarget,
  since: bigint,
  tried: Effect.Effect<ContainerReading, ReadError>,
  engine: Effect.Effect<ContainerReading, ReadError>
) {
  if ((yield* Clock.monotonicTimeNanos) - since < retryNanos) return yield* engine
  refused.delete(containerId)
  return yield* tried
})

/** `ContainerSource` over both. */
export const layerWith = (options: CgroupOptions): Layer.Layer<ContainerSource, never, Engine> =>
  Layer.effect(
    ContainerSource,
    Effect.gen(function* () {
      const engine = yield* Engine
      return ContainerSource.of({ read: make(yield* CgroupSource.make(engine, options), EngineSource.make(engine)) })
    })
  )

export const layer: Layer.Layer<ContainerSource, never, Engine> = layerWith({})
