/** The journal in memory: for tests and for callers who need no evidence afterwards. Lost when its scope closes. */
import { Effect, Layer } from "effect"
import { Journal } from "./Journal.ts"
import { hubCapacity, makeHub } from "./internal/hub.ts"
import { makeJournalId } from "./internal/journalId.ts"
import { makeJournal } from "./internal/makeJournal.ts"
import { makeMemoryStorage } from "./internal/memoryStorage.ts"
import { makeWriter } from "./internal/writer.ts"

/** A fresh journal in memory; `hubCapacity` (batches kept per live subscriber) is lowered in tests to force re-reading. */
export const layerWith = (options: { readonly hubCapacity: number }): Layer.Layer<Journal> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const storage = yield* makeMemoryStorage(yield* makeJournalId)
      const hub = yield* makeHub(options.hubCapacity)
      return makeJournal(storage, hub, storage.digest, yield* makeWriter(storage, hub))
    })
  )

/** A fresh journal in memory. */
export const layer: Layer.Layer<Journal> = layerWith({ hubCapacity })
