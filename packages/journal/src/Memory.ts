/** The journal in memory: for tests and for callers who need no evidence afterwards. Lost when its scope closes. */
import { Clock, Effect, Layer } from "effect"
import { Journal } from "./Journal.ts"
import type { Tuning } from "./internal/hub.ts"
import { defaults, makeHub } from "./internal/hub.ts"
import { makeJournalId } from "./internal/journalId.ts"
import { makeJournal } from "./internal/makeJournal.ts"
import { makeMemoryStorage } from "./internal/memoryStorage.ts"
import { makeWriter } from "./internal/writer.ts"

/** A fresh journal in memory with sizes of one's own; small ones reach every path of a subscription with few events. */
export const layerWith = (tuning: Partial<Tuning>): Layer.Layer<Journal> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const { hubCapacity, pageSize } = { ...defaults, ...tuning }
      const storage = yield* makeMemoryStorage(yield* makeJournalId, yield* Clock.currentTimeMillis)
      const hub = yield* makeHub(hubCapacity)
      const submit = yield* makeWriter(storage, hub)
      return makeJournal({ storage, hub, pageSize, submit })
    })
  )

/** A fresh journal in memory. */
export const layer: Layer.Layer<Journal> = layerWith({})
