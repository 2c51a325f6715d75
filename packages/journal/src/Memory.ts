/** The journal in memory: for tests and for callers who need no evidence afterwards. Lost when its scope closes. */
import { Clock, Effect, Layer } from "effect"
import { Journal } from "./Journal.ts"
import type { AnyProjection } from "./Projection.ts"
import type { Tuning } from "./internal/hub.ts"
import { defaults, makeHub } from "./internal/hub.ts"
import { makeJournalId } from "./internal/journalId.ts"
import { makeMemoryStorage } from "./internal/memoryStorage.ts"
import { openInline } from "./internal/openInline.ts"
import { makeWriter } from "./internal/writer.ts"

export interface MemoryOptions extends Partial<Tuning> {
  /** Projections that are folded in every append's transaction. */
  readonly inline?: ReadonlyArray<AnyProjection>
  /** Who it is, instead of a fresh identity: to import an export as the journal that it was. */
  readonly identity?: { readonly id: string; readonly createdAtMillis: number }
}

/** A fresh journal in memory with sizes of one's own; small ones reach every path of a subscription with few events. */
export const layerWith = (options: MemoryOptions): Layer.Layer<Journal> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const { hubCapacity, pageSize } = { ...defaults, ...options }
      const fresh = { id: yield* makeJournalId, createdAtMillis: yield* Clock.currentTimeMillis }
      const { id, createdAtMillis } = options.identity ?? fresh
      const storage = yield* makeMemoryStorage(id, createdAtMillis)
      const hub = yield* makeHub(hubCapacity)
      const submit = yield* makeWriter(storage, hub)
      // An empty journal gives a projection nothing to fail on.
      return yield* Effect.orDie(openInline({ storage, hub, pageSize, submit }, options.inline ?? []))
    })
  )

/** A fresh journal in memory. */
export const layer: Layer.Layer<Journal> = layerWith({})
