/**
 * Readings through the engine's one-shot statistics: a single call, where the default call takes two samples and 1-2 s (an engine that
 * is asked at a bad moment still takes up to 1 s: moby 20.10 samples at its own pace). Refuses to read a stopped container, for which
 * engines answer 200 with nothing in it.
 */
import type { ContainerTarget } from "@sbx/core/Sandbox"
import { Engine } from "@sbx/engine/Engine"
import type { ContainerInspect, EngineShape } from "@sbx/engine/Engine"
import type { ObjectNotFound } from "@sbx/engine/EngineError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ContainerReading } from "./ContainerSampler.ts"
import type { ReadError, ReadOptions } from "./ContainerSource.ts"
import { ContainerSource, TargetGone, TargetNotRunning } from "./ContainerSource.ts"
import type { Measured } from "./Sample.ts"

/** Neither the cpu quota nor the life is in the statistics. They are inspected again after this long, since `update` may change the quota. */
const quotaTtlNanos = 5_000_000_000n

/** Containers whose quota is remembered; beyond that all are inspected anew, nothing else changes. */
const quotaCapacity = 1024

interface Quota {
  readonly cores: number | undefined
  /** When the container was started. */
  readonly incarnation: string | undefined
  readonly readAtNanos: bigint
}

/** The reader itself. */
export const make = (engine: EngineShape): ContainerSource["Service"]["read"] => {
  const quotas = new Map<string, Quota>()
  return (target, options) => read(engine, quotas, target, options)
}

/** `ContainerSource` over {@link Engine}. */
export const layer: Layer.Layer<ContainerSource, never, Engine> = Layer.effect(
  ContainerSource,
  Effect.map(Engine, (engine) => ContainerSource.of({ read: make(engine) }))
)

const read = Effect.fn("ContainerSource.read")(
  function* (
    engine: EngineShape,
    quotas: Map<string, Quota>,
    target: ContainerTarget,
    options: ReadOptions | undefined
  ): Effect.fn.Return<ContainerReading, ReadError | ObjectNotFound> {
    const { containerId, name } = target
    const stats = yield* engine.statsContainer(containerId)
    if (stats === "absent") {
      quotas.delete(containerId)
      return yield* new TargetNotRunning({ containerId, name })
    }
    const { cores, incarnation } = yield* quota(engine, quotas, containerId, options?.details === "fresh")
    const life = incarnation === undefined ? {} : { incarnation }
    const reading = { stats, cpuLimitCores: cores, source: "engine" as const, ...life }
    if (options?.details !== "fresh") return { ...reading, details: { processes: "not-requested" } }
    return { ...reading, details: { processes: yield* processes(engine, containerId) } }
  },
  (effect, _engine, quotas, { containerId, name }) =>
    Effect.catchTag(effect, "ObjectNotFound", () => {
      quotas.delete(containerId)
      return Effect.fail(new TargetGone({ containerId, name }))
    })
)

/** How ps(1) shows a process that is dead and waits for its parent. A live one that calls itself so is not counted. */
const zombie = /^\[.*\] <defunct>$/

/** The engine runs a `ps` for it, so only where asked for. One that cannot (a container that just ended) leaves the rest as it is. */
const processes = (engine: EngineShape, containerId: string) =>
  engine.topContainer(containerId).pipe(
    Effect.map((list): Measured => list.filter(({ command }) => !zombie.test(command)).length),
    Effect.catchTag("EngineConflict", () => Effect.succeed<Measured>("not-reported"))
  )

/** Of before where it is young enough, unless all of it is wanted afresh. */
const quota = Effect.fnUntraced(function* (
  engine: EngineShape,
  quotas: Map<string, Quota>,
  containerId: string,
  fresh: boolean
) {
  const readAtNanos = yield* Clock.monotonicTimeNanos
  const known = quotas.get(containerId)
  if (!fresh && known !== undefined && readAtNanos - known.readAtNanos < quotaTtlNanos) return known
  const inspect = yield* engine.inspectContainer(containerId)
  const incarnation = inspect.state.startedAtMillis?.toString()
  const found: Quota = { cores: coresOf(inspect), incarnation, readAtNanos }
  if (quotas.size >= quotaCapacity) quotas.clear()
  quotas.set(containerId, found)
  return found
})

const coresOf = ({ host }: ContainerInspect): number | undefined =>
  host.nanoCpus === undefined || host.nanoCpus === 0 ? undefined : host.nanoCpus / 1e9
