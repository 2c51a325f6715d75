/** Documents over a storage: reads go to it directly, transactions through the writer's queue with the appends. */
import { Effect, Option, Result, Stream } from "effect"
import type { Documents } from "../Documents.ts"
import { findDocument, putDocument } from "./draft.ts"
import { storable } from "./storable.ts"
import type { ReadStorage } from "./storage.ts"
import type { Submit } from "./writer.ts"

const listPage = 1000

export const makeDocuments = (storage: ReadStorage, submit: Submit): Documents => ({
  get: ({ collection, key }) => storage.document(collection, key),
  list: (collection) =>
    Stream.paginate("", (afterKey) =>
      Effect.map(storage.documents(collection, afterKey, listPage), (rows) => {
        const last = rows.length < listPage ? undefined : rows.at(-1)?.key
        return [rows, Option.fromUndefinedOr(last)] as const
      })
    ),
  transact: (reads, decide) =>
    submit({
      need: (needs) => {
        for (const key of reads) needs.documents.push(key)
      },
      decide: (draft) => {
        const outcome = decide(({ collection, key }) => findDocument(draft, collection, key))
        if (Result.isFailure(outcome)) return Result.fail(outcome.failure)
        const { answer, writes, clear = [] } = outcome.success
        for (const { key } of writes) storable("the key", key)
        for (const slice of clear) draft.clear.set(slice.collection, slice)
        for (const write of writes) putDocument(draft, write)
        return Result.succeed(answer)
      }
    })
})
