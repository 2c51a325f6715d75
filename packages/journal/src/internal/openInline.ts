/** Opens a journal with inline projections: they are brought up to the head before the first append. */
import { Effect } from "effect"
import type { EventUndecodable } from "../EventFamily.ts"
import type { Journal, JournalUnavailable } from "../Journal.ts"
import type { AnyProjection, ProjectionTaken } from "../Projection.ts"
import { catchUp } from "../Projection.ts"
import type { Parts } from "./makeJournal.ts"
import { makeJournal } from "./makeJournal.ts"

export const openInline = Effect.fnUntraced(function* (
  parts: Parts,
  inline: ReadonlyArray<AnyProjection>
): Effect.fn.Return<Journal["Service"], ProjectionTaken | EventUndecodable | JournalUnavailable> {
  const plain = makeJournal(parts)
  yield* Effect.forEach(inline, (projection) => catchUp(plain, projection), { discard: true })
  return makeJournal({ ...parts, inline })
})
