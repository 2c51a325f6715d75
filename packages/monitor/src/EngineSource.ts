/**
 * Readings through the engine's one-shot statistics: a single call that answers at once, where the default call takes
 * two samples and 1-2 s. Refuses to read a stopped container, for which engines answer 200 with nothing in it.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import type { ContainerInspect, EngineShape } from "@sbx/engine/Engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ContainerSource, TargetGone, TargetNotRunning } from "./ContainerSource.ts"

/** The cpu quota is not in the statistics. It is inspected again after this long, since `update` may change it. */
const quotaTtlNanos = 5_000_000_000n

/** Containers whose quota is remembered; beyond that all are inspected anew, nothing else changes. */
const quotaCapacity = 1024

interface Quota {
  readonly cores: number | undefined
  readonly readAtNanos: bigint
}

/** `ContainerSource` over {@link Engine}. */
export const layer: Layer.Layer<ContainerSource, never, Engine> = Layer.effect(
  ContainerSource,
  Effect.gen(function* () {
    const engine = yield* Engine
    const quotas = new Map<string, Quota>()
    return ContainerSource.of({ read: (target) => read(engine, quotas, target) })
  })
)

const read = Effect.fn("ContainerSource.read")(
  function* (engine: EngineShape, quotas: Map<string, Quota>, target: ContainerTarget) {
    const { containerId, name } = target
    const stats = yield* engine.statsContainer(containerId)
    if (stats === "absent") {
      quotas.delete(containerId)
      return yield* new TargetNotRunning({ containerId, name })
    }
    return { stats, cpuLimitCores: yield* quota(engine, quotas, containerId) }
  },
  (effect, _engine, quotas, { containerId, name }) =>
    Effect.catchTag(effect, "ObjectNotFound", () => {
      quotas.delete(containerId)
      return Effect.fail(new TargetGone({ containerId, name }))
    })
)

const quota = Effect.fnUntraced(function* (engine: EngineShape, quotas: Map<string, Quota>, containerId: string) {
  const readAtNanos = yield* Clock.monotonicTimeNanos
  const known = quotas.get(containerId)
  if (known !== undefined && readAtNanos - known.readAtNanos < quotaTtlNanos) return known.cores
  const cores = coresOf(yield* engine.inspectContainer(containerId))
  if (quotas.size >= quotaCapacity) quotas.clear()
  quotas.set(containerId, { cores, readAtNanos })
  return cores
})

const coresOf = ({ host }: ContainerInspect): number | undefined =>
  host.nanoCpus === undefined || host.nanoCpus === 0 ? undefined : host.nanoCpus / 1e9
