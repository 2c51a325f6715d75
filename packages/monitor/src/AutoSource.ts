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
import type { ReadError, ReadOptions } from "./ContainerSource.ts"
import { ContainerSource } from "./ContainerSource.ts"
import * as EngineSource from "./EngineSource.ts"

type ReadContainer = ContainerSource["Service"]["read"]

const retryNanos = 30_000_000_000n
/** Containers remembered to be the engine's; beyond that all are tried anew, nothing else changes. */
const capacity = 1024

/** The first reader where it can read the container, else the second. */
export const make = (cgroup: ReadContainer, engine: ReadContainer): ReadContainer => {
  const refused = new Map<string, bigint>()
  return (target, options) => read(cgroup, engine, refused, target, options)
}

const read = Effect.fnUntraced(function* (
  cgroup: ReadContainer,
  engine: ReadContainer,
  refused: Map<string, bigint>,
  target: ContainerTarget,
  options: ReadOptions | undefined
): Effect.fn.Return<ContainerReading, ReadError> {
  const since = refused.get(target.containerId)
  const now = yield* Clock.monotonicTimeNanos
  if (since !== undefined && now - since < retryNanos) return yield* engine(target, options)
  return yield* cgroup(target, options).pipe(
    Effect.tap(() => Effect.sync(() => refused.delete(target.containerId))),
    Effect.catchTag("CgroupUnreadable", () => {
      if (refused.size >= capacity) refused.clear()
      refused.set(target.containerId, now)
      return engine(target, options)
    })
  )
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
