/** A memory journal whose lookups refuse what was not declared: as a storage behind a network, which cannot ask again. */
import { Effect, Layer } from "effect"
import * as Journal from "@sbx/journal/Journal"
import { makeHub } from "../src/internal/hub.ts"
import { openInline } from "../src/internal/openInline.ts"
import { makeMemoryStorage } from "../src/internal/memoryStorage.ts"
import type { Lookup, Needs, Storage } from "../src/internal/storage.ts"
import { makeWriter } from "../src/internal/writer.ts"
import type { Fresh } from "./contract.ts"

const strictly = (needs: Needs, lookup: Lookup): Lookup => {
  const declared = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`looked up without need: ${what}`)
  }
  return {
    ...lookup,
    stream: (name) => {
      declared(needs.streams.includes(name), name)
      return lookup.stream(name)
    },
    command: (name, id) => {
      declared(
        needs.commands.some((c) => c.stream === name && c.commandId === id),
        `${name} ${id}`
      )
      return lookup.command(name, id)
    },
    document: (collection, key) => {
      declared(
        needs.documents.some((d) => d.collection === collection && d.key === key),
        `${collection} ${key}`
      )
      return lookup.document(collection, key)
    }
  }
}

/** Decides every batch twice, too: a repeated transaction must come to the same result. */
export const layerStrict: Fresh = (options) =>
  Layer.effect(
    Journal.Journal,
    Effect.gen(function* () {
      const memory = yield* makeMemoryStorage("jrn_strict")
      const storage: Storage = {
        ...memory,
        commit: (needs, decide) =>
          Effect.andThen(
            Effect.yieldNow,
            memory.commit(needs, (lookup) => {
              decide(strictly(needs, lookup))
              return decide(strictly(needs, lookup))
            })
          )
      }
      const hub = yield* makeHub(options.hubCapacity ?? 64)
      const parts = {
        storage,
        hub,
        pageSize: options.pageSize ?? 1000,
        submit: yield* makeWriter(storage, hub)
      }
      return yield* openInline(parts, options.inline ?? [])
    })
  )
